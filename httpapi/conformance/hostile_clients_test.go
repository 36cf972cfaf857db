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
	"sync"
	"testing"
	"time"

	"pando/httpapi"
	"pando/members/config"
	"pando/members/server"
	"pando/members/servertest"
)

// openWith opens a connection and sends a text on it.
func openWith(t *testing.T, addr, send string) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, servertest.Timeout)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, send); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// TestSlowSenders checks that the server closes connections whose headers or bodies arrive too slowly, and that a long poll that
// began before is not affected.
func TestSlowSenders(t *testing.T) {
	t.Parallel()
	p := servertest.Launch(t, t.TempDir(), "--enable-pprof")
	before := p.Footprint()
	poll := servertest.OpenConn(t, p.Addr(), servertest.GetRequest("/v2/keys/a?wait=true"))
	bodies := server.BodyTimeout
	if testing.Short() {
		bodies = 0
	}
	var group sync.WaitGroup
	for _, c := range []struct {
		name, send string
		dribble    string // sent repeatedly
		within     time.Duration
	}{
		{"nothing", "", "", httpapi.HeaderTimeout},
		{"half a request line", "GET /v2/ke", "", httpapi.HeaderTimeout},
		{"headers, one by one", "GET /version HTTP/1.1\r\n" + servertest.HostHeader, "X-A: b\r\n", httpapi.HeaderTimeout},
		{"form", "PUT /v2/keys/s HTTP/1.1\r\n" + servertest.HostHeader + servertest.FormHeader + "Content-Length: 1000\r\n\r\nvalue=", "x",
			bodies},
		{"form in chunks", "PUT /v2/keys/s HTTP/1.1\r\n" + servertest.HostHeader + servertest.FormHeader + servertest.ChunkedHeader + "\r\n",
			"1\r\nx\r\n", bodies},
		{"body of no form", "PUT /v2/keys/s HTTP/1.1\r\n" + servertest.HostHeader + "Content-Length: 1000\r\n\r\n", "x", bodies},
		{"body of a read", "GET /v2/keys/s HTTP/1.1\r\n" + servertest.HostHeader + "Content-Length: 1000\r\n\r\n", "x", bodies},
		{"body of a long poll", "GET /v2/keys/s?wait=true HTTP/1.1\r\n" + servertest.HostHeader + "Content-Length: 1000\r\n\r\n", "x", bodies},
		{"body for the version", "GET /version HTTP/1.1\r\n" + servertest.HostHeader + "Content-Length: 1000\r\n\r\n", "x", bodies},
		{"body of OPTIONS", "OPTIONS /v2/keys HTTP/1.1\r\n" + servertest.HostHeader + "Content-Length: 1000\r\n\r\n", "x", bodies},
		{"member", "POST /v2/members HTTP/1.1\r\n" + servertest.HostHeader + "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n",
			" ", bodies},
	} {
		if c.within == 0 {
			continue
		}
		group.Go(func() {
			begin := time.Now() // before the server begins to wait
			conn := openWith(t, p.Addr(), c.send)
			defer conn.Close()
			stop := make(chan struct{})
			defer close(stop)
			go dribble(conn, c.dribble, stop)
			_ = conn.SetReadDeadline(begin.Add(c.within + servertest.Timeout))
			answer, err := io.ReadAll(conn)
			if took := time.Since(begin); errors.Is(err, os.ErrDeadlineExceeded) || took < c.within-time.Second ||
				took > c.within+20*time.Second {
				t.Errorf("%s: after %v: %.200q, %v", c.name, took, answer, err)
			}
		})
	}
	group.Wait()
	servertest.NewKeyClient(t, p.Client).Must(t, "PUT", "/a", servertest.Form("value", "at last"))
	if event := readEvent(t, poll); event.Node.Value != "at last" {
		t.Errorf("the long poll returned %+v", event)
	}
	p.AwaitFootprint(
		t,
		servertest.Footprint{Goroutines: before.Goroutines + 4, Descriptors: before.Descriptors + 2},
	) // two connections remain open
}

// dribble sends a text every 300 ms until stop is closed.
func dribble(conn net.Conn, text string, stop chan struct{}) {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for text != "" {
		select {
		case <-stop:
			return
		case <-tick.C:
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
		}
	}
}

// readEvent reads the only chunk of a long poll's body.
func readEvent(t *testing.T, body *bufio.Reader) *servertest.KeyAnswer {
	t.Helper()
	if _, err := body.ReadString('\n'); err != nil { // the size
		t.Fatal(err)
	}
	text, err := body.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	answer := &servertest.KeyAnswer{}
	if err := json.Unmarshal([]byte(text), answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestClientsThatLeave closes connections at every stage of a request, with a FIN and with a reset.
func TestClientsThatLeave(t *testing.T) {
	p := servertest.Launch(t, t.TempDir(), "--enable-pprof")
	client := servertest.NewKeyClient(t, p.Client)
	value := strings.Repeat("x", 100<<10)
	for i := range 50 {
		client.Must(t, "PUT", fmt.Sprintf("/big/%d", i), servertest.Form("value", value))
	}
	client.HTTP.CloseIdleConnections()
	before := p.Footprint()
	for name, send := range map[string]string{
		"request line": "GET /v2/k",
		"headers":      "GET /v2/keys/a HTTP/1.1\r\nHost:",
		"body": "PUT /v2/keys/half HTTP/1.1\r\n" + servertest.HostHeader + servertest.FormHeader +
			"Content-Length: 1000\r\n\r\nvalue=1",
		"chunk": "PUT /v2/keys/half HTTP/1.1\r\n" + servertest.HostHeader + servertest.FormHeader + servertest.ChunkedHeader +
			"\r\n100\r\nvalue=1",
		"listing":              servertest.GetRequest("/v2/keys/?recursive=true"),
		"many listings":        strings.Repeat(servertest.GetRequest("/v2/keys/?recursive=true"), 20),
		"long poll":            servertest.GetRequest("/v2/keys/none?wait=true"),
		"long poll and more":   servertest.GetRequest("/v2/keys/none?wait=true") + servertest.GetRequest("/version"),
		"long poll with body":  "GET /v2/keys/none?wait=true HTTP/1.1\r\n" + servertest.HostHeader + "Content-Length: 10\r\n\r\n0123456789",
		"long poll, half body": "GET /v2/keys/none?wait=true HTTP/1.1\r\n" + servertest.HostHeader + "Content-Length: 10\r\n\r\n01234",
		"stream":               servertest.GetRequest("/v2/keys/none?wait=true&stream=true"),
		"stream from the past": servertest.GetRequest("/v2/keys/big?wait=true&stream=true&recursive=true&waitIndex=2"),
		"quorum read":          servertest.GetRequest("/v2/keys/?quorum=true&recursive=true"),
		"write":                "PUT /v2/keys/left?value=1 HTTP/1.1\r\n" + servertest.HostHeader + servertest.EndOfHead,
	} {
		t.Run(name, func(t *testing.T) {
			for i := range 20 {
				conn := openWith(t, p.Addr(), send)
				if i%2 == 0 {
					_ = conn.SetLinger(0) // a reset
				}
				if i%4 < 2 && strings.HasSuffix(send, "\r\n\r\n") {
					_ = conn.SetReadDeadline(time.Now().Add(servertest.Timeout))
					if _, err := conn.Read(make([]byte, 100)); err != nil {
						t.Error(err)
					}
				}
				conn.Close()
			}
			servertest.Await(t, "the watches to be freed", func() bool { return p.Watchers() == 0 })
			p.AwaitFootprint(t, before)
		})
	}
	if got, err := client.Do("GET", "/half", nil); err != nil || got.ErrorCode != 100 {
		t.Errorf("a write with an incomplete body was applied: %+v, %v", got, err)
	}
}

// TestManyWatchersDropped opens many watches and resets their connections, repeatedly.
func TestManyWatchersDropped(t *testing.T) {
	waves, each := 40, 1000
	if testing.Short() {
		waves, each = 8, 250
	}
	p := servertest.Launch(t, t.TempDir(), "--enable-pprof")
	client := servertest.NewKeyClient(t, p.Client)
	client.Must(t, "PUT", "/a", servertest.Form("value", "1"))
	client.HTTP.CloseIdleConnections()
	before := p.Footprint()
	var early int64
	for wave := range waves {
		conns := make([]*net.TCPConn, each)
		for i := range conns {
			query := []string{"", "&recursive=true", "&stream=true", "&recursive=true&stream=true"}[i%4]
			conns[i] = openWith(t, p.Addr(), servertest.GetRequest(fmt.Sprintf("/v2/keys/w/%d/%d?wait=true%s", wave%3, i, query)))
		}
		servertest.Await(t, "the watches", func() bool { return p.Watchers() == each })
		if memory := p.Memory(); wave == 2 {
			early = memory
		} else if wave > 2 && memory > early*3/2+32<<20 {
			t.Fatalf("wave %d: memory grew from %d to %d MiB", wave, early>>20, memory>>20)
		}
		for _, conn := range conns {
			_ = conn.SetLinger(0)
			conn.Close()
		}
		servertest.Await(t, "the watches to be freed", func() bool { return p.Watchers() == 0 })
	}
	t.Logf("%d watches, memory %d MiB in the third wave, %d MiB at the end", waves*each, early>>20, p.Memory()>>20)
	p.AwaitFootprint(t, before)
}

// TestAnnouncedBodies checks that a client that announces a large body and does not send it costs the server little memory.
func TestAnnouncedBodies(t *testing.T) {
	const clients = 400
	p := servertest.Launch(t, t.TempDir(), "--enable-pprof")
	before, memory := p.Footprint(), p.Memory()
	conns := make([]*net.TCPConn, clients)
	for i := range conns {
		conns[i] = openWith(
			t,
			p.Addr(),
			"PUT /v2/keys/a HTTP/1.1\r\n"+servertest.HostHeader+servertest.FormHeader+fmt.Sprintf(
				"Content-Length: %d\r\n\r\nvalue=",
				config.DefaultMaxRequestBytes,
			),
		)
	}
	const ended = 10 // more goroutines than may have ended since before
	servertest.Await(t, "the requests to begin", func() bool { return p.Goroutines() >= before.Goroutines+clients-ended })
	// The limit is a third of the announced bytes, because the race detector multiplies the use of memory.
	if grown := p.Memory() - memory; grown > clients*config.DefaultMaxRequestBytes/3 {
		t.Errorf("%d announced bodies took %d MiB", clients, grown>>20)
	} else {
		t.Logf("%d announced bodies took %d MiB", clients, grown>>20)
	}
	for _, conn := range conns {
		conn.Close()
	}
	p.AwaitFootprint(t, before)
}
