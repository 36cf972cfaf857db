package httpapi

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pando/tree"
)

// TestMovingIDs checks that the ID of server-sent events moves although none of the changes is sent, so that a client that connects again
// is not sent "cleared" for changes that do not concern it.
func TestMovingIDs(t *testing.T) {
	for name, start := range watchServers {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			server := serveFixture(t, f, start)
			set := func(key string) { f.do("PUT", "/v2/keys"+key, "value=1") }
			t.Run("heartbeat", func(t *testing.T) {
				target := "/v2/keys/a?wait=true&recursive=true&actions=delete&heartbeat=1"
				resp := startWatch(t, server, target, "Accept", eventsType, "Last-Event-ID", "1")
				mustText(t, resp.Body, "retry: 1000\nid: 1\n\n")
				set("/a/x") // 2
				set("/b")   // 3
				mustText(t, resp.Body, "id: 3\n\n:\n\n")
				set("/b") // 4
				mustText(t, resp.Body, "id: 4\n\n")
			})
			t.Run("end", func(t *testing.T) {
				set("/b") // 5
				resp := startWatch(t, server, "/v2/keys/a?wait=true&waitTimeout=0", "Accept", eventsType, "Last-Event-ID", "2")
				if body, err := io.ReadAll(resp.Body); string(body) != "retry: 1000\nid: 2\n\nid: 5\n\n" || err != nil {
					t.Errorf("got %q, %v", body, err)
				}
			})
			t.Run("index in the future", func(t *testing.T) {
				resp := startWatch(t, server, "/v2/keys/a?wait=true&waitTimeout=0", "Accept", eventsType, "Last-Event-ID", "50")
				if body, err := io.ReadAll(resp.Body); string(body) != "retry: 1000\nid: 50\n\n" || err != nil {
					t.Errorf("got %q, %v", body, err)
				}
			})
		})
	}
}

// TestStreamKeepsConnection checks that the connection of a stream that has ended after waitTimeout serves the next request.
func TestStreamKeepsConnection(t *testing.T) {
	f := newFixture(t, nil)
	server := serveFixture(t, f, (*httptest.Server).Start)
	client, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_ = client.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(client)
	for _, query := range []string{"waitTimeout=0.05", "waitTimeout=0", "waitTimeout=0.01&stream=false"} {
		if _, err := io.WriteString(client, "GET /v2/keys/a?wait=true&stream=true&"+query+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || len(body) > 0 {
			t.Fatalf("%s: got %q, %v", query, body, err)
		}
	}
}

// TestOldestIndex checks which responses have the index of the oldest event.
func TestOldestIndex(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) {
		c.Service.Tree = tree.New(3)
		c.Service.Log.(*instantLog).tree = c.Service.Tree
	})
	for range 9 { // 2 to 10
		f.do("PUT", "/v2/keys/a", "value=1")
	}
	for _, tc := range []struct {
		method, target string
		header         map[string]string
		want           string
	}{
		{"GET", "/v2/keys/a", nil, ""},
		{"GET", "/v2/keys/none", nil, ""},
		{"GET", "/v2/keys/a?wait=true&waitIndex=9", nil, ""},
		{"GET", "/v2/keys/a?wait=true&waitIndex=3", nil, ""},
		{"GET", "/v2/keys/a?keysOnly=true", nil, "8"},
		{"GET", "/v2/keys/none?keysOnly=true", nil, "8"},
		{"GET", "/v2/keys/a", map[string]string{"If-Match": `"3"`}, "8"},
		{"GET", "/v2/keys/a?wait=true&waitIndex=9&keysOnly=true", nil, "8"},
		{"GET", "/v2/keys/a?wait=true&waitIndex=3&keysOnly=true", nil, "8"},
		{"GET", "/v2/keys/a?wait=true&waitTimeout=0&timeoutStatus=204", nil, "8"},
		{"PUT", "/v2/keys/a?raw=true", map[string]string{"If-Match": `"3"`}, "8"},
		{"DELETE", "/v2/keys/a", map[string]string{"If-Match": `"3"`}, "8"},
	} {
		t.Run(strings.Join([]string{tc.method, tc.target}, " "), func(t *testing.T) {
			if got := f.ask(tc.method, tc.target, tc.header).Header().Get("X-Pando-Oldest-Index"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
