package httpapi

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/stats"
)

// connPair is a conn and the client at its other end, over TCP.
func connPair(t *testing.T) (c *conn, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	served, err := Listen(l, testStalls(time.Minute)).Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		_ = served.Close()
	})
	return served.(*conn), client
}

func testStalls(timeout time.Duration) Stalls {
	return Stalls{Timeout: timeout, Metrics: stats.NewMetrics(stats.Build{}), Logger: zap.NewNop()}
}

// countedConn counts what reaches the socket.
type countedConn struct {
	net.Conn
	reads, deadlines int
}

func (c *countedConn) Read(p []byte) (int, error) {
	c.reads++
	return c.Conn.Read(p)
}

func (c *countedConn) SetReadDeadline(t time.Time) error {
	c.deadlines++
	return c.Conn.SetReadDeadline(t)
}

func (c *countedConn) SetWriteDeadline(t time.Time) error {
	c.deadlines++
	return c.Conn.SetWriteDeadline(t)
}

// TestConnSparesTheSocket has net/http serve requests, and counts what it costs
// beside the requests themselves.
func TestConnSparesTheSocket(t *testing.T) {
	c, client := connPair(t)
	counted := &countedConn{Conn: c.Conn}
	c.Conn = counted
	f := newFixture(t, nil)
	server := &http.Server{Handler: f.handler, ReadHeaderTimeout: time.Minute}
	returned := newReturned()
	defer returned.Close()
	go func() { _ = server.Serve(returned) }()
	defer server.Close()
	returned.conns <- c
	const requests = 20
	answers := bufio.NewReader(client)
	for range requests {
		mustSend(t, client, "PUT /v2/keys/a HTTP/1.1\r\nHost: x\r\nContent-Type: "+formType+"\r\nContent-Length: 7\r\n\r\nvalue=1")
		mustAnswer(t, answers)
	}
	_ = client.Close()
	_ = server.Close()
	// Each request is a read; the last one finds the client's end. The first deadline
	// of each kind is set, and the ones after it are later.
	if counted.reads > requests+1 || counted.deadlines > 2 {
		t.Errorf("%d requests took %d reads and %d deadlines of the socket", requests, counted.reads, counted.deadlines)
	}
}

func mustSend(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// mustAnswer reads an answer and gives its body.
func mustAnswer(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %q %v", resp.Status, body, err)
	}
	return string(body)
}

// scriptedConn gives a piece of text at each read.
type scriptedConn struct {
	net.Conn
	pieces []string
}

func (c *scriptedConn) Read(p []byte) (int, error) {
	if len(c.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.pieces[0])
	if c.pieces[0] = c.pieces[0][n:]; c.pieces[0] == "" {
		c.pieces = c.pieces[1:]
	}
	return n, nil
}

// TestConnLastByteOfABuffer has a buffered reader ask for a single byte, as the one
// of net/http does when all of its buffer but one byte is full.
func TestConnLastByteOfABuffer(t *testing.T) {
	want := strings.Repeat("x", 31) + "y" + strings.Repeat("z", 31) + "\n"
	c := &conn{Conn: &scriptedConn{pieces: []string{want[:31], want[31:63], want[63:]}}}
	in := bufio.NewReaderSize(c, 32)
	if _, err := in.Peek(32); err != nil {
		t.Fatal(err)
	}
	got, err := in.ReadString('\n')
	if got != want || err != nil {
		t.Errorf("got %q %v, want %q", got, err, want)
	}
}

// TestConnDeadlines checks that a deadline holds although the socket learns of it
// late, and that one which was called off does not.
func TestConnDeadlines(t *testing.T) {
	const short, long = 20 * time.Millisecond, 60 * time.Millisecond
	buf := make([]byte, 2)
	t.Run("a later one", func(t *testing.T) {
		c, _ := connPair(t)
		begin := time.Now()
		_ = c.SetReadDeadline(begin.Add(short))
		_ = c.SetReadDeadline(begin.Add(long))
		if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) < long {
			t.Errorf("%v after %v, want the deadline after %v", err, time.Since(begin), long)
		}
	})
	t.Run("an earlier one", func(t *testing.T) {
		c, _ := connPair(t)
		_ = c.SetReadDeadline(time.Now().Add(time.Hour))
		_ = c.SetReadDeadline(time.Now().Add(short))
		if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, want the deadline", err)
		}
	})
	t.Run("one that ends a read under way", func(t *testing.T) {
		c, _ := connPair(t)
		_ = c.SetDeadline(time.Now().Add(time.Hour))
		var reading sync.WaitGroup
		reading.Go(func() {
			if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v, want the deadline", err)
			}
		})
		_ = c.SetReadDeadline(time.Unix(1, 0))
		reading.Wait()
	})
	t.Run("one that was called off", func(t *testing.T) {
		c, client := connPair(t)
		_ = c.SetDeadline(time.Now().Add(short))
		_ = c.SetDeadline(time.Time{})
		var reading sync.WaitGroup
		reading.Go(func() {
			if n, err := c.Read(buf); n != 2 || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
		})
		<-time.After(long)
		mustSend(t, client, "ab")
		reading.Wait()
		if _, err := c.Write([]byte("cd")); err != nil {
			t.Error(err)
		}
	})
}
