package auth

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// basic returns the header for a name and a password.
func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

func TestParseBasic(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for name, test := range map[string]struct {
		header, user, password string
		ok                     bool
	}{
		"plain":                  {basic("alice", "secret"), "alice", "secret", true},
		"colons in the password": {basic("alice", "a:b:"), "alice", "a:b:", true},
		"unicode":                {basic("ålice", "påßwörd€"), "ålice", "påßwörd€", true},
		"bytes of no encoding":   {basic("alice", "\xff\x00"), "alice", "\xff\x00", true},
		"5,000 bytes":            {basic("alice", long), "alice", long, true},
		"empty password":         {basic("alice", ""), "alice", "", true},
		"empty name":             {basic("", "secret"), "", "secret", true},
		"other case":             {"bASIC " + basic("alice", "secret")[6:], "alice", "secret", true},
		"no colon":               {"Basic " + base64.StdEncoding.EncodeToString([]byte("alice")), "alice", "", false},
		"scheme alone":           {"Basic", "", "", false},
		"scheme and a space":     {"Basic ", "", "", false},
		"two spaces":             {"Basic  " + basic("alice", "secret")[6:], "", "", false},
		"no padding":             {"Basic YWxpY2U6eA", "", "", false},
		"not base64":             {"Basic !!!", "", "", false},
		"another scheme":         {"Bearer " + basic("alice", "secret")[6:], "", "", false},
		"no scheme":              {basic("alice", "secret")[6:], "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			user, password, ok := parseBasic(test.header)
			if user != test.user || password != test.password || ok != test.ok {
				t.Errorf("got %q, %q, %v", user, password, ok)
			}
		})
	}
}

func FuzzParseBasic(f *testing.F) {
	f.Add(basic("alice", "secret"))
	f.Add("Basic ")
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, header string) {
		user, password, ok := parseBasic(header)
		r := &http.Request{Header: http.Header{"Authorization": {header}}}
		if u, p, k := r.BasicAuth(); ok != k || ok && (u != user || p != password) {
			t.Errorf("got %q, %q, %v; net/http has %q, %q, %v", user, password, ok, u, p, k)
		}
	})
}

func TestFromRequest(t *testing.T) {
	leaf := &x509.Certificate{Subject: pkix.Name{CommonName: "alice"}}
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: "root"}}
	verified := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf, ca}, VerifiedChains: [][]*x509.Certificate{{leaf, ca}}}
	for name, test := range map[string]struct {
		tls    *tls.ConnectionState
		header http.Header
		want   Credentials
	}{
		"nothing":                  {nil, http.Header{}, Credentials{}},
		"a header":                 {nil, http.Header{"Authorization": {"x"}}, Credentials{Authorization: "x"}},
		"two headers":              {nil, http.Header{"Authorization": {"x", "y"}}, Credentials{Authorization: "x"}},
		"a verified certificate":   {verified, http.Header{}, Credentials{CommonName: "alice"}},
		"no verified certificate":  {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}, http.Header{}, Credentials{}},
		"both":                     {verified, http.Header{"Authorization": {"x"}}, Credentials{Authorization: "x", CommonName: "alice"}},
		"passed on: Via":           {verified, http.Header{"Via": {"1.1 proxy"}}, Credentials{}},
		"passed on: X-Forwarded":   {verified, http.Header{"X-Forwarded-For": {"10.0.0.1"}}, Credentials{}},
		"passed on: Forwarded":     {verified, http.Header{"Forwarded": {"for=10.0.0.1"}}, Credentials{}},
		"passed on, with a header": {verified, http.Header{"Via": {""}, "Authorization": {"x"}}, Credentials{Authorization: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.Remote = "10.0.0.2:1"
			r := &http.Request{TLS: test.tls, Header: test.header, RemoteAddr: "10.0.0.2:1"}
			got := FromRequest(r)
			if got.Authorization != test.want.Authorization || got.CommonName != test.want.CommonName || got.Remote != test.want.Remote {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if got.Forwarded() != test.header.Get("X-Forwarded-For") {
				t.Errorf("forwarded for %q", got.Forwarded())
			}
			if n := testing.AllocsPerRun(100, func() { FromRequest(r) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}
