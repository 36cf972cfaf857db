package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

// hostFor returns a client host for which the URL is the first in order.
func hostFor(t testing.TB, e *endpoints, url string) string {
	t.Helper()
	for i := range 1000 {
		host := fmt.Sprintf("10.0.%d.%d", i/250, i%250)
		if list := e.inOrder(host); len(list) > 0 && list[0] == url {
			return host
		}
	}
	t.Fatalf("no client host has %s first", url)
	return ""
}

// send sends a request of a client host through the failover.
func send(t testing.TB, f *failover, host, method, body string) (int, error) {
	t.Helper()
	r := httptest.NewRequest(method, "http://proxy/v2/keys/x", strings.NewReader(body)).WithContext(t.Context())
	r.RequestURI, r.RemoteAddr = "", net.JoinHostPort(host, "1234")
	resp, err := f.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	_ = resp.Body.Close()
	return resp.StatusCode, nil
}

func TestFailover(t *testing.T) {
	for _, test := range []struct {
		name, method string
		first        func(t testing.TB) string
		passed       bool // the next member gets the request
	}{
		{"read, the member does not listen", "GET", closedServer, true},
		{"read, the connection breaks", "GET", breakingServer, true},
		{"HEAD, the connection breaks", "HEAD", breakingServer, true},
		{"write, the member does not listen", "PUT", closedServer, true},
		{"POST, the member does not listen", "POST", closedServer, true},
		{"DELETE, the member does not listen", "DELETE", closedServer, true},
		{"write, the connection breaks", "PUT", breakingServer, false},
		{"POST, the connection breaks", "POST", breakingServer, false},
		{"DELETE, the connection breaks", "DELETE", breakingServer, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			good, bad := newRecorder(t, respondWith("{}")), test.first(t)
			e := newEndpoints(time.Hour, time.Now)
			e.set([]string{good.URL, bad})
			failures := 0
			f := newFailover(Config{DialTimeout: testTimeout, Logger: zap.NewNop()}, e, func() { failures++ })
			status, err := send(t, f, hostFor(t, e, bad), test.method, "value=1")
			if test.passed {
				checkPassed(t, good, test.method, status, err)
			} else {
				checkNotPassed(t, good, err)
			}
			if got := e.available(); !slices.Equal(got, []string{good.URL}) || failures != 1 {
				t.Errorf("available %q after %d failures", got, failures)
			}
		})
	}
}

// checkPassed checks that the second member answered a request after the first one failed.
func checkPassed(t *testing.T, second *recorder, method string, status int, err error) {
	t.Helper()
	seen := second.requests()
	if err != nil || status != 200 || len(seen) != 1 {
		t.Fatalf("status %d, %v, the second member got %q", status, err, seen)
	}
	if !isRead(method) && !strings.HasSuffix(seen[0], "value=1") {
		t.Errorf("the second member got %q", seen)
	}
}

// checkNotPassed checks that a request failed with the first member, and that the error says that it may have been applied.
func checkNotPassed(t *testing.T, second *recorder, err error) {
	t.Helper()
	failed, ok := errors.AsType[*failedError](err)
	if seen := second.requests(); !ok || failed.tried != 1 || !failed.inDoubt || len(seen) > 0 {
		t.Fatalf("%v, the second member got %q", err, seen)
	}
	if !strings.HasPrefix(err.Error(), "httpproxy: unable to get response from 1 endpoint(s); the request was sent") {
		t.Errorf("%v", err)
	}
}

func TestFailoverEnds(t *testing.T) {
	t.Run("all members fail", func(t *testing.T) {
		e := newEndpoints(time.Hour, time.Now)
		e.set([]string{closedServer(t), breakingServer(t)})
		f := newFailover(Config{DialTimeout: testTimeout, Logger: zap.NewNop()}, e, func() {})
		if _, err := send(t, f, "10.0.0.1", "GET", ""); err == nil ||
			err.Error() != "httpproxy: unable to get response from 2 endpoint(s)" {
			t.Errorf("got %v", err)
		}
		if _, err := send(t, f, "10.0.0.1", "GET", ""); !errors.Is(err, errNoEndpoints) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("read timeout", func(t *testing.T) {
		release := make(chan struct{})
		hangs := newRecorder(t, func(http.ResponseWriter, *http.Request) { <-release })
		good := newRecorder(t, respondWith("{}"))
		defer close(release)
		e := newEndpoints(time.Hour, time.Now)
		e.set([]string{hangs.URL, good.URL})
		f := newFailover(Config{DialTimeout: testTimeout, ReadTimeout: time.Second, Logger: zap.NewNop()}, e, func() {})
		if status, err := send(t, f, hostFor(t, e, hangs.URL), "GET", ""); err != nil || status != 200 {
			t.Errorf("status %d, %v", status, err)
		}
	})
}

func TestBadGateway(t *testing.T) {
	p := startProxy(t, newCluster(t, closedServer(t)), nil)
	got := do(t, http.MethodGet, p.URL+"/v2/keys/x", nil)
	if got.status != 502 || got.body != `{"message":"httpproxy: unable to get response from 1 endpoint(s)"}` ||
		got.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("got %+v", got)
	}
}

// TestBodies checks that a member is not excluded because a client sent a bad body.
func TestBodies(t *testing.T) {
	const limit = 1000
	member := newMember(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > limit {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
	})
	p := startProxy(t, newCluster(t, member), nil)
	checkNotExcluded := func(t *testing.T) {
		t.Helper()
		if n := len(p.endpoints.available()); n != 1 {
			t.Error("the member is excluded")
		}
	}
	t.Run("the client closes the connection within the body", func(t *testing.T) {
		conn, err := net.Dial("tcp", p.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "PUT /v2/keys/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nvalue="); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err == nil && len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") &&
			!strings.HasPrefix(string(answer), "HTTP/1.1 502 ") {
			t.Errorf("got %q", answer)
		}
		checkNotExcluded(t)
	})
	for _, expect := range []string{"", "100-continue"} {
		t.Run("too large a body, Expect: "+expect, func(t *testing.T) {
			for range 20 {
				r, err := http.NewRequest(http.MethodPut, p.URL+"/v2/keys/x", strings.NewReader(strings.Repeat("x", 100*limit)))
				if err != nil {
					t.Fatal(err)
				}
				if expect != "" {
					r.Header.Set("Expect", expect)
				}
				resp, err := (&http.Transport{ExpectContinueTimeout: testTimeout, DisableKeepAlives: true}).RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusRequestEntityTooLarge {
					t.Errorf("got %s", resp.Status)
				}
			}
			checkNotExcluded(t)
		})
	}
}

func TestEndpoints(t *testing.T) {
	now := time.Unix(0, 0)
	e := newEndpoints(5*time.Second, func() time.Time { return now })
	urls := []string{"http://a:1", "http://b:1", "http://c:1"}
	if !e.set(urls) || e.set([]string{urls[2], urls[1], urls[0], urls[0]}) {
		t.Error("set does not report changes")
	}
	t.Run("one client stays with one member, many clients use all", func(t *testing.T) {
		first := map[string]int{}
		for i := range 300 {
			host := fmt.Sprint("10.0.0.", i)
			list := e.inOrder(host)
			if !slices.Equal(list, e.inOrder(host)) {
				t.Fatalf("the order for %s changes", host)
			}
			first[list[0]]++
		}
		for _, url := range urls {
			if first[url] < 50 {
				t.Errorf("%s gets %d of 300 clients", url, first[url])
			}
		}
	})
	t.Run("a member that fails is excluded for a while", func(t *testing.T) {
		order := e.inOrder("client")
		e.fail(order[0])
		e.fail("http://unknown:1")
		if got := e.inOrder("client"); !slices.Equal(got, order[1:]) {
			t.Errorf("got %q, want %q", got, order[1:])
		}
		now = now.Add(5*time.Second - 1)
		if len(e.available()) != 2 {
			t.Error("the member is available too early")
		}
		now = now.Add(1)
		if got := e.inOrder("client"); !slices.Equal(got, order) {
			t.Errorf("got %q, want %q", got, order)
		}
	})
	t.Run("the failure of a removed member is forgotten", func(t *testing.T) {
		e.fail(urls[0])
		e.set(urls[1:])
		e.set(urls)
		if len(e.available()) != 3 {
			t.Errorf("got %q", e.available())
		}
	})
}
