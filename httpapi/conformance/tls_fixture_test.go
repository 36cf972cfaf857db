package conformance

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/http"
	"testing"
	"time"

	"pando/members/servertest"
)

// secureServer is a Pando process that serves clients at an http URL, which is Process.Client, and at an https URL.
type secureServer struct {
	*servertest.Process
	pki    *servertest.PKI
	secure string // the https URL
	server servertest.KeyPair
	alice  servertest.KeyPair // of a client
}

// startSecure starts a member whose https URL requires a certificate of each client. A flag in flags replaces the same flag.
func startSecure(t *testing.T, flags ...string) *secureServer {
	t.Helper()
	pki := servertest.NewPKI(t)
	s := &secureServer{pki: pki, server: pki.Issue(t, "server"), alice: pki.Issue(t, "alice")}
	m := servertest.NewMembers(t, "default")[0]
	s.secure = "https://" + servertest.FreeAddr(t)
	urls := m.ClientURL() + "," + s.secure
	all := append([]string{
		"--initial-cluster", servertest.InitialCluster([]servertest.Member{m}), "--enable-pprof",
		"--listen-client-urls", urls, "--advertise-client-urls", urls,
	}, pki.ServerFlags(s.server, pki.CA)...)
	s.Process = m.StartPando(t, append(all, flags...)...)
	s.AwaitServing()
	s.Client = m.ClientURL()
	return s
}

// addr returns the address of the https URL.
func (s *secureServer) addr() string { return servertest.URLHost(s.secure) }

// config returns the TLS configuration of alice, for HTTP/1.
func (s *secureServer) config(t testing.TB) *tls.Config {
	t.Helper()
	c := s.pki.ClientConfig(t, &s.alice)
	c.ServerName = "localhost"
	return c
}

// dial opens a TLS connection as alice.
func (s *secureServer) dial(t testing.TB) *tls.Conn {
	t.Helper()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: servertest.Timeout}, "tcp", s.addr(), s.config(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(4 * servertest.Timeout)); err != nil {
		t.Fatal(err)
	}
	return c
}

// keys returns a client of the https URL with HTTP/1.
func (s *secureServer) keys(t testing.TB) *servertest.KeyClient {
	t.Helper()
	k := servertest.NewKeyClient(t, s.secure)
	k.HTTP.Transport.(*http.Transport).TLSClientConfig = s.config(t)
	return k
}

// keys2 returns a client of the https URL with HTTP/2.
func (s *secureServer) keys2(t testing.TB) *servertest.KeyClient {
	t.Helper()
	return &servertest.KeyClient{Base: s.secure, HTTP: s.pki.HTTPClient(t, &s.alice)}
}

// readHead reads the head of a response and returns the status line.
func readHead(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	status := ""
	for {
		line, err := in.ReadString('\n')
		switch {
		case err != nil:
			t.Fatalf("after %q: %v", status, err)
		case line == "\r\n":
			return status
		case status == "":
			status = line
		}
	}
}
