package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

// handshakes is a fixture with certificates of clients.
type handshakes struct{ *fixture }

func newHandshakes(t *testing.T) handshakes {
	h := handshakes{newFixture(t)}
	h.issue("alice", Request{CommonName: "alice", Hosts: []string{"alice.example"}, Client: true})
	h.issueBy(newTestAuthority(t, "test CA"), "eve", Request{CommonName: "alice", Client: true})
	h.issue("sign", Request{CommonName: "sign", Hosts: []string{"localhost"}, Server: true})
	return h
}

// client returns the configuration of a client with a certificate, or without one if name is empty.
func (h handshakes) client(name string) *tls.Config {
	o := Options{Files: Files{CA: h.path("ca.pem")}}
	if name != "" {
		o.Cert, o.Key = h.path(name+".pem"), h.path(name+"-key.pem")
	}
	return h.open(o).ClientConfig()
}

// server returns the configuration of a server that requires certificates of clients, unless change removes the CA.
func (h handshakes) server(change func(*Options)) *tls.Config {
	o := h.options()
	change(&o)
	return h.open(o).ServerConfig("h2", "http/1.1")
}

// plain makes a server that requires no certificates.
func plain(o *Options) { o.CA = "" }

// TestClientCertificates connects clients with and without certificates to servers that check them.
func TestClientCertificates(t *testing.T) {
	h := newHandshakes(t)
	client, server := h.client, h.server
	alice := parse(t, h.read("alice.pem"))
	t.Run("without a client certificate", func(t *testing.T) {
		state, _ := mustConnect(t, client(""), server(plain))
		if state.Version != tls.VersionTLS13 || len(state.VerifiedChains) == 0 {
			t.Errorf("version %x, %d chains", state.Version, len(state.VerifiedChains))
		}
	})
	t.Run("a CA alone requires a client certificate", func(t *testing.T) {
		mustRefuse(t, client(""), server(func(*Options) {}), "client didn't provide a certificate")
		_, state := mustConnect(t, client("alice"), server(func(*Options) {}))
		if !state.PeerCertificates[0].Equal(alice) {
			t.Error("the server does not know the certificate of the client")
		}
	})
	t.Run("a certificate of another CA with the same name", func(t *testing.T) {
		mustRefuse(t, client("eve"), server(func(*Options) {}), "failed to verify")
	})
	t.Run("a certificate that is not for clients", func(t *testing.T) {
		mustRefuse(t, client("sign"), server(func(*Options) {}), "incompatible key usage")
	})
	t.Run("allowed names", func(t *testing.T) {
		mustConnect(t, client("alice"), server(func(o *Options) { o.AllowedCN = []string{"bob", "alice"} }))
		mustConnect(t, client("alice"), server(func(o *Options) { o.AllowedHostname = []string{"alice.example"} }))
		mustRefuse(t, client("alice"), server(func(o *Options) { o.AllowedCN = []string{"bob"} }),
			`not allowed: the common name is "alice", and it must be bob`)
		mustRefuse(t, client("alice"), server(func(o *Options) { o.AllowedHostname = []string{"bob.example"} }),
			"not allowed: it is for alice.example, and it must be for bob.example")
	})
}

// TestNegotiation connects clients and servers with different versions, suites and protocols.
func TestNegotiation(t *testing.T) {
	h := newHandshakes(t)
	client, server := h.client, h.server
	t.Run("versions", func(t *testing.T) {
		old := client("")
		old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		mustRefuse(t, old, server(plain), "unsupported versions")
		two := client("")
		two.MaxVersion = tls.VersionTLS12
		mustConnect(t, two, server(plain))
		mustRefuse(t, two, server(func(o *Options) { o.CA, o.MinVersion = "", tls.VersionTLS13 }), "unsupported versions")
		state, _ := mustConnect(t, client(""), server(func(o *Options) { o.CA, o.MaxVersion = "", tls.VersionTLS12 }))
		if state.Version != tls.VersionTLS12 {
			t.Errorf("version %x", state.Version)
		}
	})
	t.Run("cipher suites", func(t *testing.T) {
		const suite = tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
		state, _ := mustConnect(t, client(""), server(func(o *Options) {
			o.CA, o.MaxVersion, o.CipherSuites = "", tls.VersionTLS12, []uint16{suite}
		}))
		if state.CipherSuite != suite {
			t.Errorf("suite %x", state.CipherSuite)
		}
	})
	t.Run("HTTP/2 only with its suites", func(t *testing.T) {
		for suite, want := range map[uint16]string{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "h2", tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: "http/1.1",
		} {
			c := client("")
			c.NextProtos = []string{"h2", "http/1.1"}
			state, _ := mustConnect(t, c, server(func(o *Options) {
				o.CA, o.MaxVersion, o.CipherSuites = "", tls.VersionTLS12, []uint16{suite}
			}))
			if state.NegotiatedProtocol != want {
				t.Errorf("with %s: %s", tls.CipherSuiteName(suite), state.NegotiatedProtocol)
			}
		}
	})
	t.Run("a server with another name", func(t *testing.T) {
		c := client("")
		c.ServerName = "other.example"
		if _, _, err, _ := connect(t, c, server(plain)); err == nil || !strings.Contains(err.Error(), "not other.example") {
			t.Errorf("got %v", err)
		}
	})
}

// TestSessionTickets checks that a client can't resume a session where its certificate is checked: package tls would not verify the chain
// again.
func TestSessionTickets(t *testing.T) {
	for _, test := range []struct {
		name    string
		ca      bool
		resumed bool
	}{{"with client certificates", true, false}, {"without client certificates", false, true}} {
		for version, name := range map[uint16]string{tls.VersionTLS12: "1.2", tls.VersionTLS13: "1.3"} {
			t.Run(test.name+" and TLS "+name, func(t *testing.T) {
				f := newFixture(t)
				o := f.options()
				if !test.ca {
					o.CA = ""
				}
				server := f.open(o).ServerConfig()
				client := f.open(f.options()).ClientConfig()
				client.MaxVersion, client.ClientSessionCache = version, tls.NewLRUClientSessionCache(10)
				mustConnect(t, client, server)
				if state, _ := mustConnect(t, client, server); state.DidResume != test.resumed {
					t.Errorf("resumed: %v", state.DidResume)
				}
			})
		}
	}
}

// TestRevocation revokes certificates of a CA and of an intermediate CA.
func TestRevocation(t *testing.T) {
	f := newFixture(t)
	alice := f.issue("alice", Request{CommonName: "alice", Client: true})
	f.issue("bob", Request{CommonName: "bob", Client: true})
	f.revoke(1, alice)
	o := f.options()
	o.CRL = f.path("list.crl")
	server := f.open(o)
	client := func(name string) *tls.Config {
		return f.open(Options{Files: Files{CA: f.path("ca.pem"), Cert: f.path(name + ".pem"), Key: f.path(name + "-key.pem")}}).ClientConfig()
	}
	mustRefuse(t, client("alice"), server.ServerConfig(), "the certificate is revoked: CN=alice,O=Pando, by CN=test CA")
	_, state := mustConnect(t, client("bob"), server.ServerConfig())
	if err := server.CheckConnection(&state); err != nil {
		t.Error(err)
	}
	t.Run("the server's certificate", func(t *testing.T) {
		f.revoke(2, parse(t, f.read("server.pem")))
		c := client("bob")
		withList := f.open(Options{Files: Files{
			CA: f.path("ca.pem"), CRL: f.path("list.crl"), Cert: f.path("bob.pem"), Key: f.path("bob-key.pem"),
		}})
		mustConnect(t, c, server.ServerConfig())
		if _, _, err, _ := connect(t, withList.ClientConfig(), server.ServerConfig()); !errors.Is(err, ErrRevoked) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the same number of another CA", func(t *testing.T) {
		other := newTestAuthority(t, "other CA")
		chain := []*x509.Certificate{{SerialNumber: alice.SerialNumber}, other.Certificate()}
		if err := server.current.Load().revoked(chain); err != nil {
			t.Error(err)
		}
	})
	t.Run("the end of the CA", func(t *testing.T) {
		f.issue("carol", Request{CommonName: "carol", Client: true, ValidFor: 96 * time.Hour})
		_, state := mustConnect(t, client("carol"), server.ServerConfig())
		server.now = func() time.Time { return time.Now().Add(72 * time.Hour) }
		if err := server.CheckConnection(&state); err != nil {
			t.Error(err)
		}
		if err := server.CheckPeer(&state); !errors.Is(err, ErrExpired) {
			t.Errorf("between members: got %v", err)
		}
	})
	t.Run("the end of a certificate", func(t *testing.T) {
		server.now = func() time.Time { return time.Now().Add(48 * time.Hour) }
		if err := server.CheckConnection(&state); !errors.Is(err, ErrExpired) {
			t.Errorf("got %v", err)
		}
	})
}

// TestHandshake uses Handshake in an http.Transport, with a server at an IP address.
func TestHandshake(t *testing.T) {
	f := newFixture(t)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Listener = tls.NewListener(server.Listener, f.open(f.options()).ServerConfig("http/1.1"))
	server.Start()
	defer server.Close()
	source := f.open(f.options())
	transport := &http.Transport{DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return Handshake(ctx, conn, source.ClientConfig(), address, time.Minute)
	}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(strings.Replace(server.URL, "http:", "https:", 1))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Error(resp.Status)
	}
}

// TestExternalClientConfig connects to servers that do not belong to the cluster.
func TestExternalClientConfig(t *testing.T) {
	h := newHandshakes(t)
	source := func(change func(*Options)) *tls.Config {
		o := Options{Files: Files{CA: h.path("ca.pem"), Cert: h.path("alice.pem"), Key: h.path("alice-key.pem")}}
		if change != nil {
			change(&o)
		}
		return h.open(o).ExternalClientConfig()
	}
	t.Run("the CA in the file", func(t *testing.T) {
		_, state := mustConnect(t, source(nil), h.server(func(*Options) {}))
		if cn := state.PeerCertificates[0].Subject.CommonName; cn != "alice" {
			t.Errorf("the client has shown the certificate of %s", cn)
		}
	})
	t.Run("the names of clients do not apply", func(t *testing.T) {
		mustConnect(t, source(func(o *Options) { o.AllowedCN, o.AllowedHostname = []string{"bob"}, []string{"bob.example"} }), h.server(plain))
	})
	t.Run("another CA", func(t *testing.T) {
		other := newTestAuthority(t, "other CA")
		h.write("other.pem", other.Pair().Cert)
		mustRefuse(t, source(func(o *Options) { o.CA = h.path("other.pem") }), h.server(plain), "bad certificate")
	})
	t.Run("a self-signed certificate of the client", func(t *testing.T) {
		auto := Options{AutoDir: h.path("auto"), AutoHosts: []string{"localhost"}}
		mustRefuse(t, h.open(auto).ExternalClientConfig(), h.server(plain), "bad certificate")
	})
	t.Run("a revoked certificate", func(t *testing.T) {
		h.revoke(1, parse(t, h.read("server.pem")))
		c := source(func(o *Options) { o.CRL = h.path("list.crl") })
		if _, _, err, _ := connect(t, c, h.server(plain)); !errors.Is(err, ErrRevoked) {
			t.Errorf("got %v", err)
		}
	})
}

// TestAuto makes, keeps and renews a self-signed certificate.
func TestAuto(t *testing.T) {
	f := newFixture(t)
	now := time.Now()
	o := Options{AutoDir: f.path("auto"), AutoHosts: []string{"localhost", "10.1.2.3"}, Interval: time.Millisecond}
	openAt := func(later time.Duration) (*Source, *x509.Certificate) {
		s, err := open(o, zap.NewNop(), func() time.Time { return now.Add(later) })
		if err != nil {
			t.Fatal(err)
		}
		return s, s.current.Load().chain[0]
	}
	s, first := openAt(0)
	mustConnect(t, s.ClientConfig(), s.ServerConfig())
	if left := first.NotAfter.Sub(now); left < autoValidity-time.Minute || left > autoValidity+time.Minute {
		t.Errorf("valid for %v", left)
	}
	if _, same := openAt(autoValidity - autoRenewal - time.Hour); !same.Equal(first) {
		t.Error("the certificate was renewed too early")
	}
	if _, next := openAt(autoValidity - autoRenewal + time.Hour); next.Equal(first) {
		t.Error("the certificate was not renewed")
	}
	o.AutoHosts = append(o.AutoHosts, "new.example")
	s, other := openAt(0)
	if other.VerifyHostname("new.example") != nil {
		t.Error("the certificate was not renewed for a new host")
	}
	t.Run("while the process runs", func(t *testing.T) {
		s.now = func() time.Time { return now.Add(autoValidity - time.Hour) }
		s.poll()
		if s.current.Load().chain[0].Equal(other) {
			t.Error("the certificate was not renewed")
		}
	})
	t.Run("damaged", func(t *testing.T) {
		f.write("auto/key.pem", []byte("damaged"))
		openAt(0)
	})
	t.Run("only this user can read the files", func(t *testing.T) {
		for _, name := range []string{"auto/cert.pem", "auto/key.pem"} {
			if mode := f.mode(name); mode.Perm() != 0o600 {
				t.Errorf("%s has mode %v", name, mode)
			}
		}
	})
	t.Run("a directory that can't be made", func(t *testing.T) {
		o.AutoDir = f.path("ca.pem/auto")
		if _, err := Open(o, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "the self-signed certificate can't be made") {
			t.Errorf("got %v", err)
		}
	})
}
