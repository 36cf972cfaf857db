package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

// fixture is a directory with a CA and files for TLS.
type fixture struct {
	t         *testing.T
	dir       string
	authority *Authority
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), authority: newTestAuthority(t, "test CA")}
	f.write("ca.pem", f.authority.Pair().Cert)
	f.issue("server", Request{CommonName: "server", Hosts: []string{"localhost", "127.0.0.1"}, Server: true, Client: true})
	return f
}

func newTestAuthority(t *testing.T, name string) *Authority {
	t.Helper()
	a, err := NewAuthority(name, 48*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (f *fixture) path(name string) string { return filepath.Join(f.dir, name) }

// write replaces a file by renaming a new one over it.
func (f *fixture) write(name string, content []byte) string {
	f.t.Helper()
	if err := writeFile(f.path(name), content, 0o600); err != nil {
		f.t.Fatal(err)
	}
	return f.path(name)
}

// issue writes a certificate and its key to NAME.pem and NAME-key.pem. It is valid for a day if the request does not say for how long.
func (f *fixture) issue(name string, r Request) *x509.Certificate {
	f.t.Helper()
	return f.issueBy(f.authority, name, r)
}

func (f *fixture) issueBy(a *Authority, name string, r Request) *x509.Certificate {
	f.t.Helper()
	if r.ValidFor == 0 {
		r.ValidFor = 24 * time.Hour
	}
	p, err := a.Issue(r)
	if err == nil {
		err = p.Write(f.path(name+".pem"), f.path(name+"-key.pem"))
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return parse(f.t, p.Cert)
}

// revoke writes a revocation list of the CA.
func (f *fixture) revoke(number int64, revoked ...*x509.Certificate) {
	f.t.Helper()
	list, err := f.authority.RevocationList(number, time.Hour, revoked...)
	if err != nil {
		f.t.Fatal(err)
	}
	f.write("list.crl", list)
}

// options returns the options of a server with client certificates.
func (f *fixture) options() Options {
	return Options{
		Files: Files{Cert: f.path("server.pem"), Key: f.path("server-key.pem"), CA: f.path("ca.pem")},
		Names: ClientFlags, Interval: time.Millisecond,
	}
}

func (f *fixture) open(o Options) *Source {
	f.t.Helper()
	s, err := Open(o, zap.NewNop())
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func parse(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fixture) read(name string) []byte {
	f.t.Helper()
	content, err := os.ReadFile(f.path(name))
	if err != nil {
		f.t.Fatal(err)
	}
	return content
}

// connect performs a handshake and sends a byte in each direction. It returns the errors and the states of client and server.
func connect(t *testing.T, client, server *tls.Config) (clientState, serverState tls.ConnectionState, clientErr, serverErr error) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			serverErr = err
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, serverErr = c.Read(make([]byte, 1)); serverErr == nil {
			_, serverErr = c.Write([]byte{1})
			serverState = c.(*tls.Conn).ConnectionState()
		}
	}()
	client = client.Clone()
	if client.ServerName == "" {
		client.ServerName = "localhost"
	}
	c, err := tls.Dial("tcp", l.Addr().String(), client)
	if err == nil {
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err = c.Write([]byte{1}); err == nil {
			var n int
			n, err = c.Read(make([]byte, 1)) // with TLS 1.3 the client learns only here that its certificate is refused
			if n > 0 {
				err = nil // with TLS 1.2 the end of the connection may come with the byte
			}
		}
		clientState = c.ConnectionState()
	}
	<-done
	return clientState, serverState, err, serverErr
}

// mustConnect is connect for configurations that fit.
func mustConnect(t *testing.T, client, server *tls.Config) (clientState, serverState tls.ConnectionState) {
	t.Helper()
	clientState, serverState, clientErr, serverErr := connect(t, client, server)
	if clientErr != nil || serverErr != nil {
		t.Fatalf("client %v, server %v", clientErr, serverErr)
	}
	return clientState, serverState
}

// mustRefuse is connect for a server that refuses the client with an error that contains want.
func mustRefuse(t *testing.T, client, server *tls.Config, want string) {
	t.Helper()
	_, _, clientErr, serverErr := connect(t, client, server)
	if clientErr == nil || serverErr == nil || !strings.Contains(serverErr.Error(), want) {
		t.Fatalf("client %v, server %v, want %s", clientErr, serverErr, want)
	}
}

// await polls until done returns true.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}
