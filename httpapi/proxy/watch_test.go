package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestEndOfAnswers checks what a client gets when its member goes away within an answer.
func TestEndOfAnswers(t *testing.T) {
	const poll, stream, list = "/v2/keys/x?wait=true", "/v2/keys/x?wait=true&stream=true", "/v2/keys/x?recursive=true"
	for _, test := range []struct {
		name, path, sent string
		complete         bool // the client sees no error
	}{
		{"a long poll before its event", poll, "", true},
		{"a long poll within its event", poll, `{"action":`, false},
		{"a long poll after its event", poll, "{}\n", true},
		{"a stream before its first event", stream, "", true},
		{"a stream between two events", stream, "{}\n{}\n", true},
		{"a stream within an event", stream, "{}\n{", false},
		{"a list before its first byte", list, "", false},
		{"a list at the end of a line", list, "{\n", false},
		{"wait has another value", "/v2/keys/x?wait=false", "", false},
		{"another path", "/v2/members?wait=true", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			member := newRecorder(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusOK)
				_, _ = io.WriteString(w, test.sent)
				_ = http.NewResponseController(w).Flush()
				abort(w, r)
			})
			p := startProxy(t, newCluster(t, member.URL), nil)
			var got []byte
			resp, err := http.Get(p.URL + test.path)
			if err == nil {
				defer resp.Body.Close()
				got, err = io.ReadAll(resp.Body)
			}
			if string(got) != test.sent || (err == nil) != test.complete {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestEndOfSilentAnswers(t *testing.T) {
	const poll, stream = "/v2/keys/x?wait=true", "/v2/keys/x?wait=true&stream=true"
	silent := func(sent string) http.HandlerFunc { // sends nothing more until the client goes away
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, sent)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}
	t.Run("the proxy's read timeout ends a long poll", func(t *testing.T) {
		p := startProxy(t, newCluster(t, newRecorder(t, silent("")).URL), func(c *Config) { c.ReadTimeout = time.Second })
		if got := do(t, http.MethodGet, p.URL+poll, nil); got.status != http.StatusOK || got.body != "" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a proxy that stops breaks the connection of a stream", func(t *testing.T) {
		p := startProxy(t, newCluster(t, newRecorder(t, silent("{}\n")).URL), nil)
		stopping, stop := context.WithCancel(t.Context())
		defer stop()
		server := httptest.NewUnstartedServer(p.Handler())
		server.Config.BaseContext = func(net.Listener) context.Context { return stopping }
		server.Start()
		defer server.Close()
		resp, err := http.Get(server.URL + stream)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewReader(resp.Body)
		if line, err := lines.ReadString('\n'); err != nil || line != "{}\n" {
			t.Fatalf("got %q, %v", line, err)
		}
		stop()
		if rest, err := io.ReadAll(lines); err == nil {
			t.Errorf("the stream ended without an error after %q", rest)
		}
	})
}
