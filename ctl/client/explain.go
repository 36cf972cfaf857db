package client

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"pando/tree"
)

// errPlainHTTP is the error for a request over plain HTTP to a port that serves HTTPS.
var errPlainHTTP = errors.New("the port serves HTTPS: write https:// in the endpoint")

// IsUnauthorized reports whether a member refused a request because its credentials are missing or wrong, or because its user lacks the
// permission.
func IsUnauthorized(err error) bool {
	if e, ok := errors.AsType[*APIError](err); ok {
		return e.Code == tree.CodeUnauthorized
	}
	e, ok := errors.AsType[*StatusError](err)
	return ok && e.Status == http.StatusUnauthorized
}

// ExplainTLS adds to an error of a TLS handshake what the user can do about it. config is the configuration of the handshake. Other
// errors are returned unchanged.
func ExplainTLS(err error, config *tls.Config) error {
	if advice := tlsAdvice(err, config); advice != "" {
		return fmt.Errorf("%w; %s", err, advice)
	}
	return err
}

func tlsAdvice(err error, config *tls.Config) string {
	hasCA := config != nil && config.RootCAs != nil
	hasCert := config != nil && len(config.Certificates) > 0
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		if hasCA {
			return "the CA in --ca-file has not signed the certificate of the server"
		}
		return "give the CA that has signed the certificate of the server with --ca-file"
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("the server needs a certificate with the name %s, or use a name that its certificate has", e.Host)
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return invalidAdvice(e)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the server does not speak TLS: if it serves plain HTTP, write http:// in the endpoint"
	}
	if _, ok := errors.AsType[*handshakeError](err); ok && isClosed(err) {
		return "the server has closed the connection during the TLS handshake: if it serves plain HTTP, write http:// in the endpoint"
	}
	return alertAdvice(err.Error(), hasCert)
}

// invalidAdvice is the advice about a certificate of the server that is signed by the right CA.
func invalidAdvice(e x509.CertificateInvalidError) string {
	switch e.Reason {
	case x509.Expired:
		return "the server needs a new certificate, unless the clock of this machine is wrong"
	case x509.IncompatibleUsage:
		return "the server needs a certificate whose extended key usage has serverAuth"
	}
	return ""
}

// alertAdvice is the advice about an alert by which the server has ended the handshake. It searches the text of the error, because package
// tls does not export the alerts of the other end.
func alertAdvice(text string, hasCert bool) string {
	if !strings.Contains(text, "remote error: tls: ") {
		return ""
	}
	for _, alert := range []string{"certificate required", "bad certificate", "unknown certificate authority", "unknown certificate",
		"revoked certificate", "expired certificate", "unsupported certificate", "access denied"} {
		switch {
		case !strings.Contains(text, alert):
		case hasCert:
			return "the server does not accept the certificate in --cert-file; its log says why"
		default:
			return "the server requires a certificate of the client: give it with --cert-file and --key-file"
		}
	}
	if strings.Contains(text, "protocol version") || strings.Contains(text, "handshake failure") {
		return "the server and this client have no TLS version or cipher suite in common"
	}
	return ""
}

// isClosed reports whether the other end has closed the connection.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "connection reset by peer")
}

// handshakeError is an error of a TLS handshake.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// refusesPlainHTTP reports whether a response is that of a port which serves HTTPS. etcd and Pando send different texts.
func refusesPlainHTTP(status int, body []byte) bool {
	return status == http.StatusBadRequest && !bytes.HasPrefix(body, []byte("{")) && bytes.Contains(body, []byte("HTTPS"))
}
