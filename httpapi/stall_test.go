package httpapi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// roundsConn takes at each write what a script says, and has its deadline pass.
type roundsConn struct {
	net.Conn
	rounds    []int
	deadlines []time.Time
}

func (c *roundsConn) Write(b []byte) (int, error) {
	n := c.rounds[0]
	if c.rounds = c.rounds[1:]; n == len(b) {
		return n, nil
	}
	return n, os.ErrDeadlineExceeded
}

func (c *roundsConn) SetWriteDeadline(t time.Time) error {
	c.deadlines = append(c.deadlines, t)
	return nil
}

func (c *roundsConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1234}
}

// TestConnStalls holds that a client which takes nothing is given up, and one that takes
// anything is not.
func TestConnStalls(t *testing.T) {
	for _, tc := range []struct {
		name   string
		rounds []int
		sent   int
		ended  bool
	}{
		{"takes all", []int{100}, 100, false},
		{"takes nothing", []int{0, 0, 0, 0}, 0, true},
		{"takes nothing any more", []int{60, 0, 0, 0, 0}, 60, true},
		{"takes little", []int{1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 97}, 100, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inner := &roundsConn{rounds: tc.rounds}
			core, logs := observer.New(zap.WarnLevel)
			stalls := testStalls(time.Hour)
			stalls.Logger = zap.New(core)
			c := &conn{Conn: inner, stalls: &stalls}
			n, err := c.Write(make([]byte, 100))
			if n != tc.sent || errors.Is(err, errStalled) != tc.ended || (err != nil) != tc.ended {
				t.Errorf("%d bytes, %v", n, err)
			}
			if said := logs.Len() == 1; said != tc.ended {
				t.Errorf("the log has %v", logs.All())
			}
			for _, at := range inner.deadlines {
				if until := time.Until(at); until < time.Hour/(stallRounds+1) || until > time.Hour/2 {
					t.Errorf("a deadline in %v", until)
				}
			}
		})
	}
	t.Run("a deadline that was asked for ends a write", func(t *testing.T) {
		inner := &roundsConn{rounds: []int{50}}
		stalls := testStalls(time.Hour)
		c := &conn{Conn: inner, stalls: &stalls}
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := c.Write(make([]byte, 100)); n != 50 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

// stallingServer serves with a short time for clients that take nothing.
func stallingServer(t *testing.T, start func(*httptest.Server)) (*fixture, *httptest.Server) {
	f := newFixture(t, func(c *Config) { c.StallTimeout, c.MaxRequestBytes = 200*time.Millisecond, 20<<20 })
	return f, serveFixture(t, f, start)
}

// notReading sends a request and reads nothing.
func notReading(t *testing.T, server *httptest.Server, target string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.(*net.TCPConn).SetReadBuffer(8 << 10)
	mustSend(t, c, "GET "+target+" HTTP/1.1\r\nHost: x\r\n\r\n")
	return c
}

// mustReach waits until a metric has reached a value.
func (f *fixture) mustReach(t *testing.T, metric string) {
	t.Helper()
	await(t, metric, func() bool { return strings.Contains(f.do("GET", "/metrics", "").Body.String(), "\n"+metric+"\n") })
}

// TestStalledClients has clients read nothing of a long answer and of a stream: their
// connections end, and everything that they held is free again.
func TestStalledClients(t *testing.T) {
	form := url.Values{"value": {strings.Repeat("v", 1<<20)}}.Encode()
	for _, what := range []string{"list", "stream of large events", "stream of small events", "long poll"} {
		t.Run(what, func(t *testing.T) {
			f, server := stallingServer(t, (*httptest.Server).Start)
			put := func(key, form string, times int) {
				for i := range times {
					f.do("PUT", fmt.Sprintf("/v2/keys/%s%d", key, i), form)
				}
			}
			switch what {
			case "list":
				put("l/", form, 20)
				notReading(t, server, "/v2/keys/l?recursive=true")
			case "long poll":
				notReading(t, server, "/v2/keys/l?wait=true&recursive=true")
				await(t, "the watch", func() bool { return f.Tree.Watchers() == 1 })
				put("l/", url.Values{"value": {strings.Repeat("v", 19<<20)}}.Encode(), 1)
			default:
				notReading(t, server, "/v2/keys/l?wait=true&stream=true&recursive=true")
				await(t, "the watch", func() bool { return f.Tree.Watchers() == 1 })
				if what == "stream of large events" {
					put("l/", form, 20)
				} else {
					put("l/", url.Values{"value": {strings.Repeat("v", 20<<10)}}.Encode(), 900)
				}
			}
			f.mustReach(t, "pando_stalled_clients_total 1")
			f.mustReach(t, "pando_inflight_bytes 0")
			await(t, "the watch to end", func() bool { return f.Tree.Watchers() == 0 })
		})
	}
}

// TestLargeEventOnTheWire holds that a large event looks like a small one: one chunk for each
// reader, whether its JSON is shared or not.
func TestLargeEventOnTheWire(t *testing.T) {
	value := strings.Repeat("é<", 200<<10)
	form := url.Values{"value": {value}}.Encode()
	for _, inflight := range []int64{64 << 20, 1 << 20} { // with room for the whole event, and without
		for _, query := range []string{"?wait=true", "?wait=true&stream=true", "?wait=true&waitIndex=2"} {
			t.Run(fmt.Sprint(inflight>>20, " MiB, ", query), func(t *testing.T) {
				f := newFixture(t, func(c *Config) { c.MaxInflightBytes, c.MaxRequestBytes = inflight, 20<<20 })
				server := serveFixture(t, f, (*httptest.Server).Start)
				past := strings.Contains(query, "waitIndex")
				if past {
					f.do("PUT", "/v2/keys/a", form)
				}
				client, err := net.Dial("tcp", server.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				_ = client.SetDeadline(time.Now().Add(time.Minute))
				mustSend(t, client, "GET /v2/keys/a"+query+" HTTP/1.1\r\nHost: x\r\n\r\n")
				if !past {
					await(t, "the watch", func() bool { return f.Tree.Watchers() == 1 })
					f.do("PUT", "/v2/keys/a", form)
				}
				in := bufio.NewReader(client)
				for line := ""; line != "\r\n"; {
					if line, err = in.ReadString('\n'); err != nil {
						t.Fatal(err)
					}
				}
				want := eventJSON(t, f, 2)
				if past && inflight == 1<<20 { // net/http makes a chunk of each piece
					mustChunks(t, in, want)
					return
				}
				if line, err := in.ReadString('\n'); line != fmt.Sprintf("%x\r\n", len(want)) {
					t.Fatalf("the chunk is said to have %q bytes of %x, %v", line, len(want), err)
				}
				got := make([]byte, len(want)+2)
				if _, err := io.ReadFull(in, got); err != nil || string(got) != want+"\r\n" {
					t.Fatalf("another event; %v", err)
				}
				if !strings.Contains(query, "stream") {
					end := make([]byte, 5)
					if _, err := io.ReadFull(in, end); err != nil || string(end) != "0\r\n\r\n" {
						t.Errorf("the answer ends with %q, %v", end, err)
					}
				}
			})
		}
	}
}

func eventJSON(t *testing.T, f *fixture, index int) string {
	t.Helper()
	w := f.do("GET", fmt.Sprint("/v2/keys/?recursive=true&wait=true&waitIndex=", index), "")
	return w.Body.String()
}

func mustChunks(t *testing.T, in *bufio.Reader, want string) {
	t.Helper()
	body, err := io.ReadAll(dechunked(in))
	if err != nil || string(body) != want {
		t.Errorf("another event; %v", err)
	}
}

// dechunked reads a chunked body.
func dechunked(in *bufio.Reader) io.Reader {
	resp, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), in)), nil)
	if err != nil {
		return strings.NewReader(err.Error())
	}
	return resp.Body
}
