package httpapi

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/members/certs"
	"pando/members/servertest"
	"pando/stats"
)

// secureFixture is a Server with an https listener for clients, which requires certificates.
type secureFixture struct {
	*fixture
	server    *Server
	addr      string
	source    *certs.Source
	authority *certs.Authority
	dir       string
	config    *tls.Config // of a client without a certificate
}

// newSecureFixture starts a Server. change may modify the options of its certificates, and may be nil.
func newSecureFixture(t testing.TB, change func(*certs.Options)) *secureFixture {
	t.Helper()
	f := &secureFixture{fixture: newFixture(t, nil), dir: t.TempDir()}
	var err error
	if f.authority, err = certs.NewAuthority("test CA", time.Hour); err != nil {
		t.Fatal(err)
	}
	ca := &certs.Pair{Cert: f.authority.Pair().Cert, Key: f.authority.Pair().Key}
	if err := ca.Write(f.path("ca.pem"), f.path("ca-key.pem")); err != nil {
		t.Fatal(err)
	}
	f.issue(t, "server")
	options := certs.Options{
		Files:    certs.Files{Cert: f.path("server.pem"), Key: f.path("server-key.pem"), CA: f.path("ca.pem")},
		Interval: time.Millisecond,
	}
	if change != nil {
		change(&options)
	}
	if f.source, err = certs.Open(options, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	watching, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go f.source.Watch(watching)
	f.config = &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
	f.config.RootCAs.AddCert(f.authority.Certificate())
	f.serve(t)
	return f
}

// serve starts the Server. Its handler adds the common name of the client's certificate to each response.
func (f *secureFixture) serve(t testing.TB) {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = socket.Addr().String()
	f.server = NewServer(Config{
		StartTimeout: time.Minute, Metrics: stats.NewMetrics(stats.Build{}), BodyTimeout: time.Minute, StallTimeout: time.Minute,
		Connections: ConnectionLimits{Client: 100}, Logger: zap.NewNop(),
	})
	t.Cleanup(f.server.Close)
	f.server.Serve(Listeners{Client: []Listener{{Listener: socket, TLS: f.source}}})
	h := f.Handlers(func(func(string, http.HandlerFunc)) {})
	inner := h.Client
	h.Client = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
			w.Header().Set("Common-Name", r.TLS.VerifiedChains[0][0].Subject.CommonName)
		}
		inner.ServeHTTP(w, r)
	})
	f.server.Open(h)
}

func (f *secureFixture) path(name string) string { return filepath.Join(f.dir, name) }

// issue writes NAME.pem and NAME-key.pem.
func (f *secureFixture) issue(t testing.TB, name string) *certs.Pair {
	t.Helper()
	return f.issueFor(t, name, time.Hour)
}

func (f *secureFixture) issueFor(t testing.TB, name string, validFor time.Duration) *certs.Pair {
	t.Helper()
	pair, err := f.authority.Issue(certs.Request{
		CommonName: name, Hosts: []string{"localhost"}, Server: true, Client: true, ValidFor: validFor,
	})
	if err == nil {
		err = pair.Write(f.path(name+".pem"), f.path(name+"-key.pem"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// dial connects as a client with a new certificate, or without one if name is empty.
func (f *secureFixture) dial(t testing.TB, name string, protocols ...string) *tls.Conn {
	t.Helper()
	config := f.config.Clone()
	config.NextProtos = protocols
	if name != "" {
		pair := f.issue(t, name)
		certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	c, err := tls.Dial("tcp", f.addr, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

// mustRead reads a response and returns it with its body.
func mustRead(t *testing.T, in *bufio.Reader) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// TestCertificateAfterLongPoll checks that the requests of a connection have the client's certificate, also after a long poll.
func TestCertificateAfterLongPoll(t *testing.T) {
	f := newSecureFixture(t, nil)
	c := f.dial(t, "alice")
	in := bufio.NewReader(c)
	for range 5 {
		mustSend(t, c, "GET /v2/keys/a?wait=true HTTP/1.1\r\nHost: x\r\n\r\n")
		await(t, "the watch", func() bool { return f.Service.Tree.Watchers() == 1 })
		f.do("PUT", "/v2/keys/a", "value=1")
		for _, next := range []string{"", "GET /v2/keys/a HTTP/1.1\r\nHost: x\r\n\r\n"} {
			mustSend(t, c, next)
			resp, body := mustRead(t, in)
			if resp.Header.Get("Common-Name") != "alice" || !strings.Contains(body, `"key":"/a"`) {
				t.Fatalf("%v %s", resp.Header, body)
			}
		}
	}
}

// TestRefusalAfterReload checks that a client over the limit of connections is refused with the newest certificate: the one of the start
// may have expired.
func TestRefusalAfterReload(t *testing.T) {
	f := newSecureFixture(t, func(o *certs.Options) { o.CA = "" })
	for range 100 { // the limit
		c, err := tls.Dial("tcp", f.addr, f.config)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	reloaded := make(chan struct{}, 10)
	f.source.OnChange(func() { reloaded <- struct{}{} })
	f.issue(t, "server")
	<-reloaded
	transport := &http.Transport{TLSClientConfig: f.config.Clone(), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get("https://" + f.addr + "/version")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable || response.ProtoMajor != 1 {
		t.Errorf("%s %s", response.Proto, response.Status)
	}
	if !response.TLS.PeerCertificates[0].Equal(servertest.Certificate(t, f.path("server.pem"))) {
		t.Error("the server showed its old certificate")
	}
}

// TestRevokedConnections checks that connections are closed when their certificate is revoked, and that others stay open.
func TestRevokedConnections(t *testing.T) {
	list := func(f *secureFixture, number int64, revoked ...*x509.Certificate) {
		text, err := f.authority.RevocationList(number, time.Hour, revoked...)
		if err == nil {
			err = (&certs.Pair{Cert: text, Key: text}).Write(f.path("list.crl"), f.path("unused"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	f := newSecureFixture(t, nil)
	list(f, 1)
	withList, err := certs.Open(certs.Options{
		Files: certs.Files{
			Cert: f.path("server.pem"), Key: f.path("server-key.pem"), CA: f.path("ca.pem"), CRL: f.path("list.crl"),
		},
		Interval: time.Millisecond,
	}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	go withList.Watch(t.Context())
	f.source = withList
	f.serve(t)
	idle, watching, other := f.dial(t, "alice"), f.dial(t, "bob"), f.dial(t, "carol")
	two := f.dial(t, "dave", "h2")
	mustSend(t, watching, "GET /v2/keys/a?wait=true HTTP/1.1\r\nHost: x\r\n\r\n")
	await(t, "the watch", func() bool { return f.Service.Tree.Watchers() == 1 })
	var revoked []*x509.Certificate
	for _, name := range []string{"alice", "bob", "dave"} {
		revoked = append(revoked, leafOf(t, f.path(name+".pem"), f.path(name+"-key.pem")))
	}
	list(f, 2, revoked...)
	for _, c := range []net.Conn{idle, watching, two} {
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Error("a connection with a revoked certificate is open")
		}
	}
	await(t, "the watch to be freed", func() bool { return f.Service.Tree.Watchers() == 0 })
	mustSend(t, other, "GET /v2/keys/ HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, _ := mustRead(t, bufio.NewReader(other)); resp.Header.Get("Common-Name") != "carol" {
		t.Errorf("%v", resp.Header)
	}
}

func leafOf(t *testing.T, certFile, keyFile string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

// TestSecureShutdown checks that a shutdown ends idle connections, handshakes and watches over TLS.
func TestSecureShutdown(t *testing.T) {
	f := newSecureFixture(t, func(o *certs.Options) { o.CA = "" })
	idle, watching := f.dial(t, ""), f.dial(t, "")
	raw, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(time.Minute))
	mustSend(t, watching, "GET /v2/keys/a?wait=true HTTP/1.1\r\nHost: x\r\n\r\n")
	await(t, "the watch", func() bool { return f.Service.Tree.Watchers() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	begin := time.Now()
	if err := f.server.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	for _, c := range []net.Conn{idle, watching, raw} {
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("a connection is open: %v", err)
		}
	}
	if took := time.Since(begin); took > handshakeTimeout-time.Second {
		t.Errorf("the shutdown took %v", took)
	}
}

// BenchmarkRequestTLS sends GET requests on one connection.
func BenchmarkRequestTLS(b *testing.B) {
	f := newSecureFixture(b, func(o *certs.Options) { o.CA = "" })
	f.do("PUT", "/v2/keys/a", "value="+strings.Repeat("x", 256))
	c := &benchmarkClient{Conn: f.dial(b, ""), buf: make([]byte, 0, 4<<10)}
	request := []byte("GET /v2/keys/a HTTP/1.1\r\nHost: x\r\n\r\n")
	end := []byte("}}\n")
	b.ReportAllocs()
	for b.Loop() {
		c.send(b, request)
		c.readTo(b, end)
	}
}
