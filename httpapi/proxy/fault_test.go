package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
)

// TestMalformedRequests checks that a member is not excluded because of anything that a client sends.
func TestMalformedRequests(t *testing.T) {
	const chunked = "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n"
	for _, test := range []struct{ name, head, body, status string }{
		{"a trailer that the transport refuses", "PUT /v2/keys/x HTTP/1.1\r\n" + chunked + "Trailer: a b\r\n", "7\r\nvalue=1\r\n0\r\n\r\n",
			"200"},
		{"a trailer that is a header of framing", "PUT /v2/keys/x HTTP/1.1\r\n" + chunked + "Trailer: Content-Length\r\n",
			"7\r\nvalue=1\r\n0\r\n\r\n", "400"},
		{"a trailer that is sent", "PUT /v2/keys/x HTTP/1.1\r\n" + chunked + "Trailer: X-A\r\n", "7\r\nvalue=1\r\n0\r\nX-A: 1\r\n\r\n", "200"},
		{"a read with a body in chunks", "GET /v2/keys/x HTTP/1.1\r\n" + chunked, "7\r\nvalue=1\r\n0\r\n\r\n", "200"},
		{"a read with a bad chunk", "GET /v2/keys/x HTTP/1.1\r\n" + chunked, "zz\r\n", "400"},
		{"a write with a bad chunk", "PUT /v2/keys/x HTTP/1.1\r\n" + chunked, "3\r\nval\r\nzz\r\n", "400"},
		{"CONNECT", "CONNECT a:1 HTTP/1.1\r\n", "", "200"},
		{"a switch of protocols", "GET /v2/keys/x HTTP/1.1\r\nUpgrade: h\x80c\r\nConnection: Upgrade, close\r\n", "", "200"},
		{"an unknown method", "!#$%&'*+ /v2/keys/x HTTP/1.1\r\n", "", "200"},
	} {
		t.Run(test.name, func(t *testing.T) {
			member := newRecorder(t, respondWith("{}"))
			p := startProxy(t, newCluster(t, member.URL), nil)
			close := ""
			if !strings.Contains(test.head, "Connection: ") {
				close = "Connection: close\r\n"
			}
			got := exchange(t, p.Listener.Addr().String(), test.head+"Host: x\r\n"+close+"\r\n"+test.body)
			if !strings.HasPrefix(got, "HTTP/1.1 "+test.status) {
				t.Errorf("got %q", got)
			}
			if strings.Contains(got, "may have been carried out") {
				t.Errorf("in doubt about a request that was not sent: %q", got)
			}
			if len(p.endpoints.available()) != 1 {
				t.Error("the member is excluded")
			}
		})
	}
}

// roundTrip is a function as an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestOnlyIOErrorsExclude checks that a member is excluded only after an I/O error on a connection to it.
func TestOnlyIOErrorsExclude(t *testing.T) {
	request := func(method string) *http.Request {
		r := httptest.NewRequest(method, "http://proxy/v2/keys/x", strings.NewReader("value=1")).WithContext(t.Context())
		r.RequestURI = ""
		return r
	}
	newFor := func(urls ...string) *failover {
		e := newEndpoints(time.Hour, time.Now)
		e.set(urls)
		return newFailover(Config{DialTimeout: testTimeout, Logger: zap.NewNop()}, e, func() {})
	}
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		t.Run("the transport refuses a "+method, func(t *testing.T) {
			f := newFor(newRecorder(t, respondWith("{}")).URL)
			r := request(method)
			r.Header.Set("X-A", "a\nb")
			if _, err := f.RoundTrip(r); !errors.Is(err, errUnsendable) {
				t.Errorf("got %v", err)
			}
			if len(f.endpoints.available()) != 1 {
				t.Error("the member is excluded")
			}
		})
		t.Run("no descriptor is left for a "+method, func(t *testing.T) {
			f := newFor("http://a:1", "http://b:1")
			f.next = roundTrip(func(*http.Request) (*http.Response, error) {
				return nil, fmt.Errorf("dialing: %w", &net.OpError{Op: "dial", Net: "tcp", Err: syscall.EMFILE})
			})
			if _, err := f.RoundTrip(request(method)); !errors.Is(err, errNoResources) {
				t.Errorf("got %v", err)
			}
			if len(f.endpoints.available()) != 2 {
				t.Error("members are excluded")
			}
		})
		t.Run("the answer to a "+method+" comes before the request", func(t *testing.T) {
			for range 20 { // it may arrive before the request is sent, or while it is
				f := newFor(earlyServer(t))
				resp, err := f.RoundTrip(request(method))
				if err == nil {
					resp.Body.Close()
				}
				if errors.Is(err, errUnsendable) || len(f.endpoints.available()) != 1 {
					t.Fatalf("the request is refused or the member excluded: %v", err)
				}
			}
		})
		t.Run("the answer to a "+method+" is not HTTP", func(t *testing.T) {
			f := newFor(garbledServer(t))
			_, err := f.RoundTrip(request(method))
			failed, ok := errors.AsType[*failedError](err)
			if !ok || failed.inDoubt != (method == http.MethodPut) {
				t.Errorf("got %v", err)
			}
			if len(f.endpoints.available()) != 1 {
				t.Error("the member is excluded")
			}
		})
	}
}

// TestSlowBodies checks that the proxy closes the connection of a client that announces a body and does not send it, and that the
// deadline applies only to the body.
func TestSlowBodies(t *testing.T) {
	member := newRecorder(t, respondWith("{}"))
	short := func(c *Config) { c.BodyTimeout = 50 * time.Millisecond; c.Metrics = respondWith("metrics") }
	for _, test := range []struct{ method, path, status string }{
		{"GET", "/v2/keys/x", "400"},
		{"GET", "/v2/keys/x?wait=true", "400"},
		{"PUT", "/v2/keys/x", "400"},
		{"OPTIONS", "/v2/keys/x", "200"},
		{"GET", "/metrics", "200"},
		{"GET", "/v2/config/local/proxy", "200"},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			p := startProxy(t, newCluster(t, member.URL), short)
			got := exchange(t, p.Listener.Addr().String(), test.method+" "+test.path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nva")
			if !strings.HasPrefix(got, "HTTP/1.1 "+test.status) {
				t.Errorf("got %q", got)
			}
			if test.status == "400" && !strings.Contains(got, "it took longer than 50ms") {
				t.Errorf("got %q", got)
			}
			if len(p.endpoints.available()) != 1 {
				t.Error("the member is excluded")
			}
		})
	}
	t.Run("a body that takes longer than ReadTimeout", func(t *testing.T) {
		p := startProxy(t, newCluster(t, member.URL), func(c *Config) { c.ReadTimeout = 50 * time.Millisecond })
		body, feed := io.Pipe()
		answered := make(chan struct{})
		go func() {
			for {
				select {
				case <-answered:
					_ = feed.Close()
					return
				case <-time.After(10 * time.Millisecond):
					_, _ = feed.Write([]byte("x"))
				}
			}
		}()
		got := do(t, http.MethodPut, p.URL+"/v2/keys/x", body)
		close(answered)
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, "it took longer than --proxy-read-timeout") {
			t.Errorf("got %+v", got)
		}
		if len(p.endpoints.available()) != 1 {
			t.Error("the member is excluded")
		}
	})
	t.Run("read-only PUT", func(t *testing.T) {
		p := startProxy(t, newCluster(t, member.URL), func(c *Config) { short(c); c.Mode = ReadOnly })
		got := exchange(t, p.Listener.Addr().String(), "PUT /v2/keys/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nva")
		if !strings.HasPrefix(got, "HTTP/1.1 501") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("an answer that takes longer than BodyTimeout", func(t *testing.T) {
		late := newRecorder(t, func(w http.ResponseWriter, r *http.Request) {
			<-time.After(800 * time.Millisecond)
			respondWith("late")(w, r)
		})
		p := startProxy(t, newCluster(t, late.URL), func(c *Config) { c.BodyTimeout = 500 * time.Millisecond })
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			if got := do(t, method, p.URL+"/v2/keys/x", strings.NewReader("value=1")); got.status != 200 || got.body != "late" {
				t.Errorf("%s: %+v", method, got)
			}
		}
	})
}

// TestLargeBodies checks that a body of any size is passed on while it arrives.
func TestLargeBodies(t *testing.T) {
	const part = 8 << 20 // more than all the buffers on the way
	half, total := make(chan struct{}), make(chan int64, 1)
	member := newMember(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.CopyN(io.Discard, r.Body, part/2)
		close(half)
		rest, _ := io.Copy(io.Discard, r.Body)
		total <- n + rest
		_, _ = io.WriteString(w, "{}")
	})
	p := startProxy(t, newCluster(t, member), nil)
	body, feed := io.Pipe()
	go func() {
		_, _ = feed.Write(make([]byte, part))
		<-half // the member has received half of the first part before the second is sent
		_, _ = feed.Write(make([]byte, part))
		_ = feed.Close()
	}()
	if got := do(t, http.MethodPut, p.URL+"/v2/keys/x", body); got.status != http.StatusOK {
		t.Errorf("got %+v", got)
	}
	if n := <-total; n != 2*part {
		t.Errorf("the member got %d bytes of %d", n, 2*part)
	}
}
