package conformance

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"pando/members/servertest"
)

// TestTLSIdleWatchers opens many watches over TLS and wakes all of them. A watch must not need much more memory than a plain one.
func TestTLSIdleWatchers(t *testing.T) {
	servertest.SkipShort(t, "it opens many connections")
	count := 2000
	if testing.Short() {
		count = 300
	}
	const most = 100 << 10 // bytes of a watch; the race detector multiplies the use of memory
	s := startSecure(t)
	before, memory := s.Footprint(), s.Memory()
	var all []*bufio.Reader
	for i := range count {
		conn := s.dial(t)
		mode := []string{"", "&stream=true"}[i%2]
		if _, err := io.WriteString(conn, servertest.GetRequest("/v2/keys/w?wait=true"+mode)); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReaderSize(conn, 1024)
		readHead(t, in)
		all = append(all, in)
	}
	servertest.Await(t, "the watches", func() bool { return s.Watchers() == count })
	each := (s.Memory() - memory) / int64(count)
	t.Logf("%d bytes and %.1f goroutines a watch", each, float64(s.Goroutines()-before.Goroutines)/float64(count))
	if each > most {
		t.Errorf("a watch needs %d bytes, want at most %d", each, most)
	}
	servertest.NewKeyClient(t, s.Client).Must(t, "PUT", "/w", servertest.Form("value", "for all"))
	for _, in := range all {
		if event := readEvent(t, in); event.Node.Value != "for all" {
			t.Fatalf("got %+v", event)
		}
	}
}

// TestTLSSlowReader opens a watch and does not read it. The server must close this connection, and serve other watches without delay.
func TestTLSSlowReader(t *testing.T) {
	const timeout = 2 * time.Second
	s := startSecure(t, "--client-stall-timeout", servertest.Itoa(timeout.Milliseconds()))
	before := s.Footprint()
	slow, good := s.dial(t), s.dial(t)
	for _, conn := range []net.Conn{slow, good} {
		if _, err := io.WriteString(conn, servertest.GetRequest("/v2/keys/w?wait=true&stream=true&recursive=true")); err != nil {
			t.Fatal(err)
		}
	}
	in := bufio.NewReader(good)
	readHead(t, in)
	servertest.Await(t, "the watches", func() bool { return s.Watchers() == 2 })
	client := servertest.NewKeyClient(t, s.Client)
	value := strings.Repeat("v", 60<<10)
	written := 0
	servertest.Await(t, "the slow reader to be cut off", func() bool {
		client.Must(t, "PUT", "/w/"+servertest.Itoa(written%5), servertest.Form("value", value))
		written++
		if event := readChunk(t, in); event.Node.Value != value {
			t.Fatal("the other watch has another value")
		}
		return strings.Contains(s.Get("/metrics"), "\npando_stalled_clients_total 1\n")
	})
	_ = good.Close()
	client.HTTP.CloseIdleConnections()
	s.AwaitFootprint(t, before)
	_ = slow.SetReadDeadline(time.Now().Add(servertest.Timeout))
	if _, err := io.Copy(io.Discard, slow); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection of the slow reader is open")
	}
}

// readChunk reads a chunk with an event, and the line end after it.
func readChunk(t *testing.T, in *bufio.Reader) *servertest.KeyAnswer {
	t.Helper()
	event := readEvent(t, in)
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return event
}

// TestTLSHTTP2Watches opens several watches on one connection of HTTP/2, beside other requests.
func TestTLSHTTP2Watches(t *testing.T) {
	const streams = 20
	s := startSecure(t)
	client := s.keys2(t)
	client.HTTP.Timeout = 0
	var bodies []*json.Decoder
	for range streams {
		resp, err := client.HTTP.Get(s.secure + "/v2/keys/w?wait=true&stream=true")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.ProtoMajor != 2 {
			t.Fatalf("the response has %s", resp.Proto)
		}
		bodies = append(bodies, json.NewDecoder(resp.Body))
	}
	servertest.Await(t, "the watches", func() bool { return s.Watchers() == streams })
	servertest.Await(t, "one connection for all watches", func() bool {
		return strings.Contains(s.Get("/metrics"), "\npando_connections{listener=\"client\"} 2\n") // the other is that of Get
	})
	for i := range 10 {
		client.Must(t, "PUT", "/w", servertest.Form("value", servertest.Itoa(i)))
		for _, body := range bodies {
			var event servertest.KeyAnswer
			if err := body.Decode(&event); err != nil || event.Node.Value != servertest.Itoa(i) {
				t.Fatalf("event %d: %+v, %v", i, event.Node, err)
			}
		}
	}
	t.Run("the client gives one up", func(t *testing.T) {
		resp, err := client.HTTP.Get(s.secure + "/v2/keys/other?wait=true")
		if err != nil {
			t.Fatal(err)
		}
		servertest.Await(t, "the watch", func() bool { return s.Watchers() == streams+1 })
		resp.Body.Close()
		servertest.Await(t, "the watch to be freed", func() bool { return s.Watchers() == streams })
	})
}

// TestTLSDescriptors opens more TLS connections than --max-connections allows. Those above the limit get a 503 over TLS.
func TestTLSDescriptors(t *testing.T) {
	const limit = 10
	s := startSecure(t, "--max-connections", servertest.Itoa(limit))
	var open []net.Conn
	for range limit - 1 { // one is for Get
		open = append(open, s.dial(t))
	}
	gauge := func(n int) string { return fmt.Sprintf("\npando_connections{listener=\"client\"} %d\n", n) }
	servertest.Await(t, "the connections", func() bool { return strings.Contains(s.Get("/metrics"), gauge(limit)) })
	servertest.Await(t, "a refusal", func() bool {
		open = append(open, s.dial(t)) // until all are in use
		conn := s.dial(t)
		defer conn.Close()
		// The server may have closed the connection. It serves the request if it has not accepted the last connection yet.
		_, _ = io.WriteString(conn, "GET /version HTTP/1.1\r\n"+servertest.HostHeader+servertest.CloseHeader+servertest.EndOfHead)
		answer, err := io.ReadAll(conn)
		if err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
		return strings.HasPrefix(string(answer), "HTTP/1.1 503 ") && strings.Contains(string(answer), "too many connections")
	})
	for _, conn := range open {
		conn.Close()
	}
	servertest.Await(t, "the connections to be closed", func() bool { return strings.Contains(s.Get("/metrics"), gauge(1)) })
}
