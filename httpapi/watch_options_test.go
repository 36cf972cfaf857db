package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pando/tree"
)

// watchServers are the ways to serve a watch: with a connection that is taken over, and with one that other requests share.
var watchServers = map[string]func(*httptest.Server){
	"HTTP/1.1": (*httptest.Server).Start,
	"HTTP/2": func(s *httptest.Server) {
		s.EnableHTTP2 = true
		s.StartTLS()
	},
}

// startWatch sends a request for a watch and returns its response.
func startWatch(t *testing.T, server *httptest.Server, target string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := server.Client()
	client.Timeout = 20 * time.Second // a wait that never ends fails
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// mustText reads as many bytes as want has, and compares.
func mustText(t *testing.T, in io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(in, got)
	if string(got[:n]) != want {
		t.Fatalf("got %q, %v, want %q", got[:n], err, want)
	}
}

const eventsType = "text/event-stream"

// sentEvent is the text of a server-sent event for a new file.
func sentEvent(key, value string, index int) string {
	node := fmt.Sprintf(`{"key":%q,"value":%q,"modifiedIndex":%d,"createdIndex":%d}`, key, value, index, index)
	return fmt.Sprintf("id: %d\ndata: {\"action\":\"create\",\"node\":%s}\n\n", index, node)
}

// TestServerSentEvents reads the stream that a browser's EventSource reads, and connects again as a browser does.
func TestServerSentEvents(t *testing.T) {
	for name, start := range watchServers {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			server := serveFixture(t, f, start)
			create := func(key, value string) { f.do("PUT", "/v2/keys"+key+"?prevExist=false", "value="+value) }
			resp := startWatch(t, server, "/v2/keys/a?wait=true&recursive=true", "Accept", eventsType)
			h := resp.Header
			if resp.StatusCode != http.StatusOK || h.Get("Content-Type") != eventsType || h.Get("Cache-Control") != "no-cache" {
				t.Errorf("got %s with %v", resp.Status, h)
			}
			mustText(t, resp.Body, "retry: 1000\nid: 1\n\n")
			create("/a/one", "1")
			create("/b", "elsewhere")
			create("/a/two", "2")
			mustText(t, resp.Body, sentEvent("/a/one", "1", 2)+sentEvent("/a/two", "2", 4))
			_ = resp.Body.Close()
			create("/a/three", "3")
			large := strings.Repeat("v", 100<<10)
			create("/a/large", large)
			resp = startWatch(t, server, "/v2/keys/a?wait=true&recursive=true&waitIndex=2", "Accept", eventsType, "Last-Event-ID", "4")
			mustText(t, resp.Body, "retry: 1000\nid: 4\n\n"+sentEvent("/a/three", "3", 5)+sentEvent("/a/large", large, 6))
		})
	}
}

// TestServerSentLoss checks that a client is sent an event if the history has lost events, at the beginning and later.
func TestServerSentLoss(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) {
		c.Service.Tree = tree.New(10)
		c.Service.Log.(*instantLog).tree = c.Service.Tree
	})
	server := serveFixture(t, f, (*httptest.Server).Start)
	for i := range 20 {
		f.do("PUT", fmt.Sprint("/v2/keys/", i), "value=1")
	}
	resp := startWatch(t, server, "/v2/keys/a?wait=true", "Accept", eventsType, "Last-Event-ID", "4")
	in := bufio.NewReader(resp.Body)
	got := ""
	for range 7 {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		got += line
	}
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(got, "retry: 1000\nid: ") ||
		!strings.Contains(got, "\n\nevent: cleared\nid: ") || !strings.Contains(got, `data: {"errorCode":401,`) {
		t.Errorf("got %s with\n%s", resp.Status, got)
	}
	f.do("PUT", "/v2/keys/a?prevExist=false", "value=1")
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "id: ") {
		t.Errorf("the next event begins with %q, %v", line, err)
	}
}

// TestWaitTimeout checks the response to a watch without an event.
func TestWaitTimeout(t *testing.T) {
	for name, start := range watchServers {
		f := newFixture(t, nil)
		server := serveFixture(t, f, start)
		for query, want := range map[string]int{
			"":                             http.StatusOK,
			"&timeoutStatus=200":           http.StatusOK,
			"&timeoutStatus=204":           http.StatusNoContent,
			"&stream=true":                 http.StatusOK,
			"&stream=true&recursive=true":  http.StatusOK,
			"&path=a&path=b":               http.StatusOK,
			"&timeoutStatus=204&path=/a/b": http.StatusNoContent,
		} {
			t.Run(name+query, func(t *testing.T) {
				for _, wait := range []string{"0", "0.05"} {
					resp := startWatch(t, server, "/v2/keys/none?wait=true&waitTimeout="+wait+query)
					body, err := io.ReadAll(resp.Body)
					if resp.StatusCode != want || len(body) > 0 || err != nil || resp.Header.Get("X-Etcd-Index") != "1" ||
						resp.Header.Get("X-Pando-Oldest-Index") == "" {
						t.Errorf("got %s, %q, %v with %v", resp.Status, body, err, resp.Header)
					}
				}
			})
		}
		await(t, "the end of all watches", func() bool { return f.Service.Tree.Watchers() == 0 })
		for _, query := range []string{"", "&timeoutStatus=204"} {
			t.Run(name+" with an event"+query, func(t *testing.T) {
				bodies := make(chan string, 1)
				go func() {
					resp := startWatch(t, server, "/v2/keys/a?wait=true&waitTimeout=20"+query)
					body, err := io.ReadAll(resp.Body)
					bodies <- fmt.Sprint(resp.StatusCode, string(body), err)
				}()
				await(t, "the watch", func() bool { return f.Service.Tree.Watchers() == 1 })
				f.do("PUT", "/v2/keys/a", "value=1")
				if got := <-bodies; !strings.HasPrefix(got, `200{"action":"set"`) || !strings.HasSuffix(got, "<nil>") {
					t.Errorf("got %s", got)
				}
				await(t, "the end of the watch", func() bool { return f.Service.Tree.Watchers() == 0 })
			})
		}
	}
}

// TestHeartbeats checks what an idle stream sends.
func TestHeartbeats(t *testing.T) {
	for name, start := range watchServers {
		for accept, want := range map[string]string{"application/json": "\n\n", eventsType: "retry: 1000\nid: 1\n\n:\n\n:\n\n"} {
			t.Run(name+" "+accept, func(t *testing.T) {
				t.Parallel()
				server := serveFixture(t, newFixture(t, nil), start)
				began := time.Now()
				resp := startWatch(t, server, "/v2/keys/a?wait=true&stream=true&heartbeat=1", "Accept", accept)
				mustText(t, resp.Body, want)
				if took := time.Since(began); took < 2*time.Second {
					t.Errorf("two heartbeats came after %v", took)
				}
			})
		}
	}
}

// TestWatchedPaths checks that one stream has the events of several keys, each once and in order.
func TestWatchedPaths(t *testing.T) {
	f := newFixture(t, nil)
	server := serveFixture(t, f, (*httptest.Server).Start)
	create := func(key string) { f.do("PUT", "/v2/keys"+key+"?prevExist=false", "value=1") }
	create("/t/a/old")
	target := "/v2/keys/t?wait=true&recursive=true&path=/a&path=b/&path=a/old/&path=/_hidden"
	resp := startWatch(t, server, target, "Accept", eventsType, "Last-Event-ID", "1")
	for _, key := range []string{"/t/b/x", "/t/c", "/t/a/x", "/t/_hidden/y", "/t/a/old2"} {
		create(key)
	}
	mustText(t, resp.Body, "retry: 1000\nid: 1\n\n"+sentEvent("/t/a/old", "1", 2)+sentEvent("/t/b/x", "1", 3)+sentEvent("/t/a/x", "1", 5)+
		sentEvent("/t/_hidden/y", "1", 6)+sentEvent("/t/a/old2", "1", 7))
}

// TestWatchedActions checks that a watch gets only the actions that it asks for.
func TestWatchedActions(t *testing.T) {
	f := newFixture(t, nil)
	server := serveFixture(t, f, (*httptest.Server).Start)
	f.do("PUT", "/v2/keys/a", "value=1")    // 2
	f.do("PUT", "/v2/keys/a", "value=2")    // 3
	f.do("DELETE", "/v2/keys/a", "")        // 4
	f.do("POST", "/v2/keys/a", "value=one") // 5
	for query, want := range map[string]string{
		"actions=delete":               `{"action":"delete"`,
		"actions=expire,create":        `{"action":"create"`,
		"actions=update&waitTimeout=0": "",
	} {
		resp := startWatch(t, server, "/v2/keys/a?wait=true&recursive=true&waitIndex=2&"+query)
		if body, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(string(body), want) || want == "" && len(body) > 0 {
			t.Errorf("%s: got %q, %v", query, body, err)
		}
	}
}

// TestBadWatchOptions checks the errors of parameters.
func TestBadWatchOptions(t *testing.T) {
	f := newFixture(t, nil)
	for query, want := range map[string]string{
		"waitTimeout=soon":                            `\"waitTimeout\" is \"soon\": it must be a number of seconds from 0 to 86400`,
		"waitTimeout=-1":                              `from 0 to 86400`,
		"waitTimeout=NaN":                             `from 0 to 86400`,
		"waitTimeout=61&timeoutStatus=204":            `from 0 to 60`,
		"timeoutStatus=204":                           `needs \"waitTimeout\"`,
		"waitTimeout=1&timeoutStatus=404":             `must be 200 or 204`,
		"waitTimeout=1&timeoutStatus=204&stream=true": `can't be used with a stream`,
		"heartbeat=0.1":                               `from 1 to 3600`,
		"actions=set,remove":                          `\"actions\" has \"remove\"`,
		"path=" + strings.Repeat("a", 17<<10):         `must be the path of a key`,
		"x=1" + strings.Repeat("&path=a", 65):         `at most 64`,
	} {
		if got := f.do("GET", "/v2/keys/a?wait=true&"+query, "").Body.String(); !strings.Contains(got, want) {
			t.Errorf("%.60s: got %s, want %s", query, got, want)
		}
	}
	r := httptest.NewRequest("GET", "/v2/keys/a?wait=true", nil)
	r.Header.Set("Accept", eventsType)
	r.Header.Set("Last-Event-ID", "x")
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"errorCode":203`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
