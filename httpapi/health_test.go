package httpapi

import (
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

// unhealthyWire is the response of etcd 3.4.23 without a leader.
const unhealthyWire = "HTTP/1.1 503 Service Unavailable\r\n" +
	"Access-Control-Allow-Headers: accept, content-type, authorization\r\n" +
	"Access-Control-Allow-Methods: POST, GET, OPTIONS, PUT, DELETE\r\n" +
	"Access-Control-Allow-Origin: *\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\n" +
	"X-Content-Type-Options: nosniff\r\n" +
	"Date: D\r\n" +
	"Content-Length: 19\r\n" +
	"\r\n" +
	"{\"health\":\"false\"}\n"

var dateLine = regexp.MustCompile(`Date: [^\r]*`)

// healthOnTheWire returns the bytes of the response to GET /health.
func healthOnTheWire(t *testing.T, f *fixture) string {
	t.Helper()
	server := httptest.NewServer(f.handler)
	defer server.Close()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for b := make([]byte, 4096); !strings.Contains(string(got), "}"); {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := c.Read(b)
		if got = append(got, b[:n]...); err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
	}
	return dateLine.ReplaceAllString(string(got), "Date: D")
}

func TestHealth(t *testing.T) {
	t.Run("without a leader, like the reference", func(t *testing.T) {
		f := newFixture(t, nil)
		f.log.leaderless = true
		if got := healthOnTheWire(t, f); got != unhealthyWire {
			t.Errorf("got  %q\nwant %q", got, unhealthyWire)
		}
	})
	t.Run("before the member is ready", func(t *testing.T) {
		f := newFixture(t, func(c *MemberConfig) { c.Service.Ready = make(chan struct{}) })
		if got := healthOnTheWire(t, f); got != unhealthyWire {
			t.Errorf("got  %q\nwant %q", got, unhealthyWire)
		}
	})
	t.Run("while checkpoints fail", func(t *testing.T) {
		f := newFixture(t, func(c *MemberConfig) {
			c.Service.CheckpointFailing = func() (time.Time, error) { return time.Unix(0, 0), errors.New("input/output error") }
		})
		w := f.do("GET", "/health", "")
		want := `{"health":"false","reason":"checkpoints have failed since 1970-01-01T00:00:00Z, see the log"}` + "\n"
		if w.Code != 503 || w.Body.String() != want {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
	})
	t.Run("otherwise", func(t *testing.T) {
		if w := newFixture(t, nil).do("GET", "/health", ""); w.Code != 200 || w.Body.String() != `{"health":"true"}` {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
	})
}
