package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/members/servertest"
)

// newSecureMember starts a member whose clients must have a certificate of the CA. It responds with what it has learned of the client.
func newSecureMember(t testing.TB, ca *servertest.PKI) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "certificate %s; Via %s; Authorization %s; body %s", r.TLS.PeerCertificates[0].Subject.CommonName,
			r.Header.Values("Via"), r.Header.Get("Authorization"), body)
	}))
	pair := ca.Issue(t, "member")
	config := ca.ClientConfig(t, &pair)
	s.TLS = &tls.Config{Certificates: config.Certificates, ClientCAs: config.RootCAs, ClientAuth: tls.RequireAndVerifyClientCert}
	s.StartTLS()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// TestSecureMembers passes requests on to members that require a certificate. The proxy must name itself in Via: otherwise a member
// would take the certificate of the proxy for that of the client.
func TestSecureMembers(t *testing.T) {
	ca := servertest.NewPKI(t)
	var current atomic.Pointer[tls.Config]
	use := func(name string) {
		pair := ca.Issue(t, name)
		current.Store(ca.ClientConfig(t, &pair))
	}
	use("proxy")
	p := startProxy(t, newCluster(t, newSecureMember(t, ca).URL), func(c *Config) {
		c.NewTLSConfig = func() *tls.Config { return current.Load().Clone() }
	})
	put := func(via string) string {
		t.Helper()
		r, err := http.NewRequest(http.MethodPut, p.URL+"/v2/keys/x", strings.NewReader("value=1"))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("u", "p")
		if via != "" {
			r.Header.Set("Via", via)
			r.Header.Set("Connection", "Via, Authorization-Info") // a client must not be able to remove Via
		}
		resp, err := p.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got := put(""); got != "certificate proxy; Via [1.1 pando]; Authorization Basic dTpw; body value=1" {
		t.Errorf("the member got %s", got)
	}
	if got := put("1.0 other"); !strings.Contains(got, "1.1 pando]") {
		t.Errorf("the member got %s", got)
	}
	use("renewed")
	p.CloseIdleConnections()
	if got := put(""); !strings.HasPrefix(got, "certificate renewed;") {
		t.Errorf("the member got %s", got)
	}
}

// TestHandshakeFails sends a write to a member whose certificate is not trusted. The next member must get it.
func TestHandshakeFails(t *testing.T) {
	trusted, other := servertest.NewPKI(t), servertest.NewPKI(t)
	pair := trusted.Issue(t, "proxy")
	good, bad := newSecureMember(t, trusted), newSecureMember(t, other)
	e := newEndpoints(time.Hour, time.Now)
	e.set([]string{good.URL, bad.URL})
	f := newFailover(Config{
		DialTimeout: testTimeout, Logger: zap.NewNop(), NewTLSConfig: func() *tls.Config { return trusted.ClientConfig(t, &pair) },
	}, e, func() {})
	if status, err := send(t, f, hostFor(t, e, bad.URL), http.MethodPut, "value=1"); status != http.StatusOK || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
	if got := e.available(); len(got) != 1 || got[0] != good.URL {
		t.Errorf("available %q", got)
	}
}

// startHTTP2 serves a proxy over TLS, and returns its URL and a client that uses HTTP/2.
func startHTTP2(t *testing.T, p *testProxy) (string, *http.Client) {
	t.Helper()
	s := httptest.NewUnstartedServer(p.Handler())
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	client := s.Client()
	client.Timeout = testTimeout
	return s.URL, client
}

// TestHTTP2 sends requests over HTTP/2 to a proxy, which passes them on over HTTP/1.1.
func TestHTTP2(t *testing.T) {
	events := make(chan string, 3)
	member := newMember(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			body, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %d %v", r.Proto, len(body), err)
			return
		}
		for event := range events {
			if event == "" {
				abort(w, r)
			}
			_, _ = io.WriteString(w, event) // an error means that the test has failed
			_ = http.NewResponseController(w).Flush()
		}
	})
	url, client := startHTTP2(t, startProxy(t, newCluster(t, member), nil))
	t.Run("a large body", func(t *testing.T) {
		r, err := http.NewRequest(http.MethodPut, url+"/v2/keys/x", strings.NewReader(strings.Repeat("v", 3<<20)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if want := fmt.Sprintf("HTTP/1.1 %d <nil>", 3<<20); err != nil || resp.ProtoMajor != 2 || string(text) != want {
			t.Errorf("%s: got %q, %v", resp.Proto, text, err)
		}
	})
	for name, test := range map[string]struct {
		last     string
		complete bool
	}{"a watch ends between two events": {"{}\n", true}, "a watch ends within an event": {"{", false}} {
		t.Run(name, func(t *testing.T) {
			events <- "{}\n"
			resp, err := client.Get(url + "/v2/keys/x?wait=true&stream=true")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			lines := bufio.NewReader(resp.Body)
			if line, err := lines.ReadString('\n'); err != nil || line != "{}\n" {
				t.Fatalf("got %q, %v", line, err)
			}
			events <- test.last
			events <- "" // the member goes away
			rest, err := io.ReadAll(lines)
			if string(rest) != test.last || (err == nil) != test.complete {
				t.Errorf("got %q, %v", rest, err)
			}
		})
	}
}
