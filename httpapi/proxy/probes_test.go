package proxy

import (
	"net/http/httptest"
	"testing"
)

// TestProbes checks the probes that a proxy answers itself.
func TestProbes(t *testing.T) {
	for _, mode := range []Mode{ReadWrite, ReadOnly} {
		c := newCluster(t)
		p := startProxy(t, c, func(cfg *Config) { cfg.Mode = mode })
		expect := func(method, path string, code int, body string) {
			t.Helper()
			for _, h := range []string{"client", "metrics"} {
				w := httptest.NewRecorder()
				handler := p.Handler()
				if h == "metrics" {
					handler = p.MetricsHandler()
				}
				handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
				if w.Code != code || w.Body.String() != body {
					t.Errorf("%s %s on the %s URLs: %d %q", method, path, h, w.Code, w.Body)
				}
			}
		}
		expect("GET", "/livez", 200, "ok\n")
		expect("GET", "/readyz", 503, "[-]members failed: "+errNoMembers.Error()+"\n\n")
		expect("POST", "/readyz", 405, "Method Not Allowed\n")
		p.endpoints.set([]string{"http://127.0.0.1:1"})
		expect("GET", "/readyz?verbose", 200, "[+]members ok\nok\n")
		expect("GET", "/readyz/members", 200, "ok\n")
		expect("HEAD", "/readyz/members", 200, "ok\n") // net/http sends no body
		p.endpoints.fail("http://127.0.0.1:1")
		expect("GET", "/readyz", 503, "[-]members failed: "+errNoMembers.Error()+"\n\n")
	}
}
