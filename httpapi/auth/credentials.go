package auth

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// Credentials are the parts of a request that identify its sender. The zero value is that of a guest.
type Credentials struct {
	// Authorization is the header as it was sent. It is empty if the request has none.
	Authorization string
	// V3 says that the request is one of the v3 API. It has no Authorization, but may have a Token.
	V3 bool
	// Token is the token of a request of the v3 API; empty if the request has none.
	Token string
	// CommonName is the common name of the verified client certificate. It is empty without one, and if an intermediary, such as a
	// proxy, has passed the request on: the certificate is then that of the intermediary.
	CommonName string
	// Remote is the address of the other end of the connection, as in http.Request.RemoteAddr.
	Remote string

	header http.Header // of the request; for Forwarded. nil for a call by gRPC
}

// Forwarded returns the address of the client that a proxy has reported, or "". Any client can send this header, so it proves nothing.
func (c Credentials) Forwarded() string {
	if values := c.header["X-Forwarded-For"]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// FromRequest returns the credentials of a request. It does not allocate.
func FromRequest(r *http.Request) Credentials {
	c := Credentials{Remote: r.RemoteAddr, header: r.Header}
	if values := r.Header["Authorization"]; len(values) > 0 {
		c.Authorization = values[0] // as in the reference, the first header counts
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 && !isForwarded(r.Header) {
		c.CommonName = r.TLS.VerifiedChains[0][0].Subject.CommonName // all chains begin with the certificate of the client
	}
	return c
}

// isForwarded reports whether a request with these headers has passed an intermediary.
func isForwarded(h http.Header) bool {
	return h["Via"] != nil || h["X-Forwarded-For"] != nil || h["Forwarded"] != nil
}

// basicPrefix is the scheme of an Authorization header with a name and a password. Case does not matter.
const basicPrefix = "Basic "

// parseBasic returns the name and the password of an Authorization header. ok is false if the header is malformed or has another
// scheme. The name ends at the first colon. The password may contain colons and any other bytes.
func parseBasic(header string) (name, password string, ok bool) {
	if len(header) < len(basicPrefix) || !strings.EqualFold(header[:len(basicPrefix)], basicPrefix) {
		return "", "", false
	}
	pair, err := base64.StdEncoding.DecodeString(header[len(basicPrefix):])
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(pair), ":")
}
