package auth

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// Credentials are the parts of a request that say who sends it. The zero value is a request of a guest.
type Credentials struct {
	// Authorization is the header as it was sent. An empty header is none.
	Authorization string
	// CommonName is that of the verified client certificate. It is empty without one, and if the request has passed an
	// intermediary, such as a proxy: the certificate would then be that of the intermediary.
	CommonName string
	// Remote is the address of the other end of the connection, as in http.Request.RemoteAddr.
	Remote string

	header http.Header // of the request
}

// Forwarded returns the address that a proxy has reported for its client, or an empty text. Any client can send the header, so it
// proves nothing.
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
		c.Authorization = values[0] // as in the reference, further ones do not count
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 && !isForwarded(r.Header) {
		c.CommonName = r.TLS.VerifiedChains[0][0].Subject.CommonName // all chains begin with the certificate of the client
	}
	return c
}

// isForwarded reports whether an intermediary has passed the request on.
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
