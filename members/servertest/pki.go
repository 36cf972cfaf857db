package servertest

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pando/members/certs"
)

// PKI is a CA for tests, with its certificates in a directory that is removed at the end of the test.
type PKI struct {
	Dir       string
	CA        string // the file of the CA's certificate
	Authority *certs.Authority
}

// KeyPair contains the paths of a certificate and its key.
type KeyPair struct{ Cert, Key string }

// NewPKI makes a CA.
func NewPKI(t testing.TB) *PKI {
	t.Helper()
	authority, err := certs.NewAuthority("the CA of the tests", 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	p := &PKI{Dir: t.TempDir(), Authority: authority}
	p.CA = p.Write(t, "ca.pem", authority.Pair().Cert)
	return p
}

// Certificate returns the first certificate in a file.
func Certificate(t testing.TB, file string) *x509.Certificate {
	t.Helper()
	chain, err := certs.ReadCertificates(file)
	if err != nil {
		t.Fatal(err)
	}
	return chain[0]
}

// Write writes a file into the directory, and returns its path.
func (p *PKI) Write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(p.Dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Issue makes a certificate for servers and clients whose common name is name, in the files NAME.pem and NAME-key.pem. It is valid
// for localhost, 127.0.0.1 and hosts. Issue replaces files with these names.
func (p *PKI) Issue(t testing.TB, name string, hosts ...string) KeyPair {
	t.Helper()
	return p.IssueAs(t, name, certs.Request{
		CommonName: name, Hosts: append([]string{"localhost", "127.0.0.1"}, hosts...), Server: true, Client: true, ValidFor: time.Hour,
	})
}

// IssueAs makes the certificate of a request, in the files NAME.pem and NAME-key.pem.
func (p *PKI) IssueAs(t testing.TB, name string, request certs.Request) KeyPair {
	t.Helper()
	issued, err := p.Authority.Issue(request)
	if err != nil {
		t.Fatal(err)
	}
	pair := KeyPair{filepath.Join(p.Dir, name+".pem"), filepath.Join(p.Dir, name+"-key.pem")}
	if err := issued.Write(pair.Cert, pair.Key); err != nil {
		t.Fatal(err)
	}
	return pair
}

// ClientConfig returns the TLS configuration of a client that trusts the CA. The client has the certificate of pair, if it is not nil.
func (p *PKI) ClientConfig(t testing.TB, pair *KeyPair) *tls.Config {
	t.Helper()
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(p.Authority.Certificate())
	if pair != nil {
		certificate, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{certificate}
	}
	return c
}

// HTTPClient returns a client with ClientConfig. It uses HTTP/2 if the server offers it, and its connections are closed at the end of the
// test.
func (p *PKI) HTTPClient(t testing.TB, pair *KeyPair) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: p.ClientConfig(t, pair), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: Timeout}
}

// ServerFlags returns the flags of a server with https URLs for clients. Clients must have a certificate of the CA in the file clientCA;
// if it is empty, they need no certificate.
func (p *PKI) ServerFlags(server KeyPair, clientCA string) []string {
	flags := []string{"--cert-file", server.Cert, "--key-file", server.Key}
	if clientCA != "" {
		flags = append(flags, "--client-cert-auth", "--trusted-ca-file", clientCA)
	}
	return flags
}
