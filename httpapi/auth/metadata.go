package auth

import (
	"crypto/tls"
	"net/http"
)

// FromMetadata returns the credentials of a request of gRPC. remote is the address of the other end of the connection, state that of TLS on
// the connection, which is nil without TLS, and md the metadata of the request: values by names in lower case. The credentials keep md. A
// request of gRPC proves its sender by a token, and not by a password.
func FromMetadata(remote string, state *tls.ConnectionState, md map[string][]string) Credentials {
	c := Credentials{Remote: remote, V3: true, Token: tokenIn(md)}
	if forwarded := md["x-forwarded-for"]; len(forwarded) > 0 {
		c.header = http.Header{"X-Forwarded-For": forwarded}
	}
	if state != nil && len(state.VerifiedChains) > 0 && md["via"] == nil && md["forwarded"] == nil && c.header == nil {
		c.CommonName = state.VerifiedChains[0][0].Subject.CommonName
	}
	return c
}

// tokenIn returns the token in the metadata of a request; empty if there is none. Clients of gRPC send the first name, those of the JSON
// gateway the second one.
func tokenIn(md map[string][]string) string {
	for _, name := range [...]string{"token", "authorization"} {
		if values := md[name]; len(values) > 0 {
			return values[0]
		}
	}
	return ""
}
