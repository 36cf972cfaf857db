package httpapi

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"pando/httpapi/stream"
)

// sendUnfinished sends a request without the last byte of its body.
func sendUnfinished(t *testing.T, server *httptest.Server, form string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	mustSend(t, c, "PUT /v2/keys/a HTTP/1.1\r\nHost: x\r\nContent-Type: "+formType+"\r\n"+
		"Content-Length: "+strconv.Itoa(len(form)+1)+"\r\n\r\n"+form)
	return c
}

// TestBodiesThatNeverEnd uses up the bytes for large requests. A small request is still served. A large one waits, and gets a 503
// after a timeout.
func TestBodiesThatNeverEnd(t *testing.T) {
	form := url.Values{"value": {strings.Repeat("v", 500_000)}}.Encode()
	start := func(t *testing.T, body time.Duration) (*fixture, *httptest.Server) {
		f := newFixture(t, func(c *MemberConfig) { c.MaxInflightBytes, c.BodyTimeout = 1<<20, body })
		return f, serveFixture(t, f, (*httptest.Server).Start)
	}
	put := func(t *testing.T, server *httptest.Server, form string) (int, string) {
		resp, err := server.Client().Post(server.URL+"/v2/keys/q", formType, strings.NewReader(form))
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	t.Run("another request ends in time", func(t *testing.T) {
		f, server := start(t, time.Minute)
		holder := sendUnfinished(t, server, form)
		f.awaitMetric(t, "pando_inflight_bytes 917504")
		if status, body := put(t, server, "value=small"); status != http.StatusCreated {
			t.Errorf("a small request: %d %s", status, body)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if status, body := put(t, server, form); status != http.StatusCreated {
				t.Errorf("a large request: %d %.200s", status, body)
			}
		}()
		_ = holder.Close()
		<-done
		f.awaitMetric(t, "pando_inflight_bytes 0")
	})
	t.Run("no other request ends in time", func(t *testing.T) {
		f, server := start(t, time.Second) // enough to send the body
		reserved, err := f.budget.Reserve(1, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer reserved.Release()
		status, body := put(t, server, form)
		const want = `{"errorCode":300,"message":"Raft Internal Error",` +
			`"cause":"too many bytes of other requests and answers are in flight (--max-inflight-bytes); ` +
			`a change may have been made all the same","index":0}` + "\n"
		if status != http.StatusServiceUnavailable || body != want {
			t.Errorf("got %d %s", status, body)
		}
		f.awaitMetric(t, "pando_inflight_refused_total 1")
		f.awaitMetric(t, `pando_requests_total{operation="other",outcome="unavailable"} 1`)
	})
}

// TestBodyLimits checks the longest bodies without and with a configured limit. With a limit, an escaped byte counts as one byte.
func TestBodyLimits(t *testing.T) {
	random := make([]byte, 1<<20)
	for i := range random {
		random[i] = byte(i * i >> 3)
	}
	escaped := func(value string) string { return url.Values{"value": {value}}.Encode() }
	exactly := func(size int) string { return "value=" + strings.Repeat("v", size-len("value=")) }
	for _, tc := range []struct {
		name   string
		limit  int64
		form   string
		status int
	}{
		{"600 kB of Japanese text", 0, escaped(strings.Repeat("森林", 100_000)), 201},
		{"1 MB of random bytes", 0, escaped(string(random)), 201},
		{"the longest that the reference accepts", 0, exactly(10 << 20), 201},
		{"longer", 0, exactly(10<<20 + 1), 400},
		{"longer because it is escaped", 0, escaped(strings.Repeat("森", 1_200_000)), 400},
		{"within a limit", 1000, exactly(1000), 201},
		{"within a limit, escaped", 1000, escaped(strings.Repeat("\xff", 994)), 201},
		{"beyond a limit", 1000, exactly(1001), 413},
		{"beyond a limit, escaped", 1000, escaped(strings.Repeat("\xff", 995)), 413},
		{"beyond a large limit, escaped", 100_000, escaped(strings.Repeat("\xff", 99_995)), 413},
		{"within a large limit, escaped", 100_000, escaped(strings.Repeat("\xff", 99_994)), 201},
	} {
		for _, framing := range []string{"announced", "in chunks"} {
			t.Run(tc.name+", "+framing, func(t *testing.T) {
				f := newFixture(t, func(c *MemberConfig) { c.MaxRequestBytes = tc.limit })
				server := serveFixture(t, f, (*httptest.Server).Start)
				body := io.Reader(strings.NewReader(tc.form))
				if framing == "in chunks" {
					body = io.MultiReader(body)
				}
				resp, err := server.Client().Post(server.URL+"/v2/keys/q?noValueOnSuccess=true", formType, body)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				answer, _ := io.ReadAll(resp.Body)
				if resp.StatusCode != tc.status {
					t.Errorf("got %d %.300s", resp.StatusCode, answer)
				}
				if tc.status == 400 &&
					string(answer) != `{"errorCode":210,"message":"Invalid POST form","cause":"http: POST too large","index":0}`+"\n" {
					t.Errorf("got %s", answer)
				}
			})
		}
	}
}

// TestIncompleteBody checks that a write with an incomplete body changes nothing, whatever its content type. The reference deletes the
// value if the body is not a form.
func TestIncompleteBody(t *testing.T) {
	f := newFixture(t, nil)
	server := httptest.NewUnstartedServer(f.handler)
	server.Listener = stream.Listen(server.Listener, f.stallPolicy())
	server.Start()
	defer server.Close()
	if w := f.do("PUT", "/v2/keys/a", "value=kept"); w.Code != 201 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	for _, head := range []string{
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n",
		"Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n",
		"Content-Type: application/json\r\nContent-Length: 100\r\n",
		"Content-Length: 100\r\n",
		"Transfer-Encoding: chunked\r\n",
	} {
		for _, method := range []string{"PUT", "DELETE"} {
			c, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.WriteString(c, method+" /v2/keys/a HTTP/1.1\r\nHost: x\r\n"+head+"\r\n"); err != nil {
				t.Fatal(err)
			}
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(c)
			if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || !strings.Contains(string(answer), `"errorCode":210`) {
				t.Errorf("%s %q: %q, %v", method, head, answer, err)
			}
			_ = c.Close()
			if w := f.do("GET", "/v2/keys/a", ""); !strings.Contains(w.Body.String(), `"value":"kept"`) {
				t.Errorf("%s %q: the key is %s", method, head, w.Body)
			}
		}
	}
}
