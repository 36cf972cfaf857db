package httpapi

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// benchmarkClient is a client with few allocations: it reads into one buffer and parses nothing.
type benchmarkClient struct {
	net.Conn
	buf []byte
}

func newBenchmarkClient(b *testing.B, server *httptest.Server) *benchmarkClient {
	b.Helper()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	if server.TLS != nil {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	b.Cleanup(func() { _ = c.Close() })
	return &benchmarkClient{Conn: c, buf: make([]byte, 0, 4<<10)}
}

func (c *benchmarkClient) send(b *testing.B, request []byte) {
	if _, err := c.Write(request); err != nil {
		b.Fatal(err)
	}
}

// readTo reads until the bytes read end with a text.
func (c *benchmarkClient) readTo(b *testing.B, end []byte) {
	c.buf = c.buf[:0]
	for !bytes.HasSuffix(c.buf, end) {
		n, err := c.Read(c.buf[len(c.buf):cap(c.buf)])
		if err != nil {
			b.Fatal(err)
		}
		c.buf = c.buf[:len(c.buf)+n]
	}
}

var (
	endOfHead  = []byte("\r\n\r\n")
	endOfEvent = []byte("\n\r\n")
	endOfFirst = []byte("\n\n\r\n") // of the first piece of server-sent events, which follows the head at once
	endOfBody  = []byte("0\r\n\r\n")
)

// BenchmarkStreamEvent writes a key that continuous watches follow, and reads the event from each of them.
func BenchmarkStreamEvent(b *testing.B) {
	const json, sse = "GET /v2/keys/a?wait=true&stream=true HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /v2/keys/a?wait=true HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"
	for _, bc := range []struct {
		name    string
		streams int
		request string
		start   func(*httptest.Server)
	}{
		{"1 stream", 1, json, (*httptest.Server).Start},
		{"1 stream of server-sent events", 1, sse, (*httptest.Server).Start},
		{"1000 streams", 1000, json, (*httptest.Server).Start},
		{"1000 streams of server-sent events", 1000, sse, (*httptest.Server).Start},
		{"1 stream over TLS", 1, json, (*httptest.Server).StartTLS},
		{"100 streams over TLS", 100, json, (*httptest.Server).StartTLS},
	} {
		b.Run(bc.name, func(b *testing.B) {
			f := newFixture(b, nil)
			server := serveFixture(b, f, bc.start)
			var clients []*benchmarkClient
			for range bc.streams {
				c := newBenchmarkClient(b, server)
				c.send(b, []byte(bc.request))
				if bc.request == sse {
					c.readTo(b, endOfFirst)
				} else {
					c.readTo(b, endOfHead)
				}
				clients = append(clients, c)
			}
			await(b, "the watches", func() bool { return f.Service.Tree.Watchers() == bc.streams })
			body := "value=" + strings.Repeat("x", 256)
			b.ReportAllocs()
			for b.Loop() {
				f.do("PUT", "/v2/keys/a", body)
				for _, c := range clients {
					c.readTo(b, endOfEvent)
				}
			}
		})
	}
}

// BenchmarkLongPoll sends long polls on one connection, and receives the event of each.
func BenchmarkLongPoll(b *testing.B) {
	f := newFixture(b, nil)
	server := serveFixture(b, f, (*httptest.Server).Start)
	c := newBenchmarkClient(b, server)
	request := []byte("GET /v2/keys/a?wait=true HTTP/1.1\r\nHost: x\r\n\r\n")
	body := fmt.Sprint("value=", strings.Repeat("x", 256))
	b.ReportAllocs()
	for b.Loop() {
		c.send(b, request)
		c.readTo(b, endOfHead)
		f.do("PUT", "/v2/keys/a", body)
		c.readTo(b, endOfBody)
		for f.Service.Tree.Watchers() > 0 {
			runtime.Gosched()
		}
	}
}
