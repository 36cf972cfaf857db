package httpapi

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pando/httpapi/stream"
)

// servePprof serves the profiles on connections like those of a member.
func servePprof(t *testing.T) (address string) {
	t.Helper()
	f := newFixture(t, func(c *MemberConfig) { c.Pprof, c.BodyTimeout = On, time.Minute })
	server := httptest.NewUnstartedServer(f.handler)
	server.Listener = stream.Listen(server.Listener, f.stallPolicy())
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func TestPprof(t *testing.T) {
	t.Run("a profile ends when its client goes away", func(t *testing.T) {
		address := servePprof(t)
		profile := func() int {
			resp, err := http.Get("http://" + address + "/debug/pprof/profile?seconds=1")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if _, err := io.ReadAll(resp.Body); err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode
		}
		// The long profile is refused if it begins while a short one runs. Then it is repeated.
		var conn net.Conn
		await(t, "the long profile to begin", func() bool {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(c, "GET /debug/pprof/profile?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if profile() == http.StatusInternalServerError {
				conn = c
				return true
			}
			_ = c.Close()
			return false
		})
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		await(t, "the profile to end after its client", func() bool { return profile() == http.StatusOK })
	})
	t.Run("responses are complete", func(t *testing.T) {
		address := servePprof(t)
		for _, path := range []string{"", "heap", "goroutine?debug=1", "heap?seconds=1", "nothing", "cmdline", "symbol", "trace?seconds=0.1"} {
			resp, err := http.Get("http://" + address + "/debug/pprof/" + path)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			want := http.StatusOK
			if path == "nothing" {
				want = http.StatusNotFound
			}
			if err != nil || resp.StatusCode != want || len(body) == 0 {
				t.Errorf("%s: %s, %d bytes, %v", path, resp.Status, len(body), err)
			}
			if origin := resp.Header.Get("Access-Control-Allow-Origin"); origin != "" {
				t.Errorf("%s: the scripts of %s may read it", path, origin)
			}
		}
	})
	t.Run("symbols are looked up by POST", func(t *testing.T) {
		resp, err := http.Post("http://"+servePprof(t)+"/debug/pprof/symbol", "text/plain", strings.NewReader("0x1"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("got %s", resp.Status)
		}
	})
}
