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

	"pando/tree"
)

// TestLargeAnswers checks that a response that is written in pieces has the same bytes and length as one that is written at once,
// and that its connection stays open.
func TestLargeAnswers(t *testing.T) {
	f := newFixture(t, func(c *MemberConfig) { c.MaxRequestBytes = 20 << 20 })
	server := serveFixture(t, f, (*httptest.Server).Start)
	for _, key := range []string{"a", "b/c", "b/d"} {
		f.do("PUT", "/v2/keys/l/"+key, url.Values{"value": {strings.Repeat("é<\x00", 100<<10)}}.Encode())
	}
	node, err := f.Service.Tree.View().Get("/l")
	if err != nil {
		t.Fatal(err)
	}
	want := string(tree.EncodeGet(node, 0, tree.Deep).Append(nil))
	for _, method := range []string{"GET", "HEAD"} {
		r, err := http.NewRequest(method, server.URL+"/v2/keys/l?recursive=true", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.ContentLength != int64(len(want)) || resp.TransferEncoding != nil || resp.Close || err != nil {
			t.Errorf("%s: %d of %d bytes, %v, close %v, %v", method, resp.ContentLength, len(want), resp.TransferEncoding, resp.Close, err)
		}
		if method == "GET" && string(body) != want || method == "HEAD" && len(body) > 0 {
			t.Errorf("%s: a different body of %d bytes", method, len(body))
		}
	}
}

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
		f, server := start(t, 50*time.Millisecond)
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
