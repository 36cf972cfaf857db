package stream

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
)

// connPair returns a conn and the client at its other end, over TCP.
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
	served, err := Listen(l, testPolicy(time.Minute)).Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		_ = served.Close()
	})
	return served.(*conn), client
}

func testPolicy(timeout time.Duration) StallPolicy {
	return StallPolicy{Timeout: timeout, Metrics: &counters{}, Logger: zap.NewNop()}
}

// countedConn counts the reads and deadlines of the socket.
type countedConn struct {
	net.Conn
	reads, deadlines atomic.Int64
}

func (c *countedConn) Read(p []byte) (int, error) {
	c.reads.Add(1)
	return c.Conn.Read(p)
}

func (c *countedConn) SetReadDeadline(t time.Time) error {
	c.deadlines.Add(1)
	return c.Conn.SetReadDeadline(t)
}

func (c *countedConn) SetWriteDeadline(t time.Time) error {
	c.deadlines.Add(1)
	return c.Conn.SetWriteDeadline(t)
}

// TestConnSystemCalls counts how often net/http reaches the socket while it serves requests with a body and a deadline for it.
func TestConnSystemCalls(t *testing.T) {
	c, client := connPair(t)
	counted := &countedConn{Conn: c.Conn}
	c.Conn = counted
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.Copy(w, r.Body)
		_ = control.SetReadDeadline(time.Time{})
	})}
	conns := newKeepAlive()
	defer conns.Close()
	go func() { _ = server.Serve(conns) }()
	defer server.Close()
	conns.conns <- c
	const requests = 20
	in := bufio.NewReader(client)
	for range requests {
		mustSend(t, client, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\nvalue=1")
		if body := mustReceive(t, in); body != "value=1" {
			t.Fatalf("got %q", body)
		}
	}
	_ = client.Close()
	_ = server.Close()
	// Each request needs one read, and the last read finds that the client has closed the connection. The socket gets the first
	// read deadline and the first write deadline; all others are later.
	if reads, deadlines := counted.reads.Load(), counted.deadlines.Load(); reads > requests+1 || deadlines > 2 {
		t.Errorf("%d requests took %d reads and %d deadlines of the socket", requests, reads, deadlines)
	}
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

// TestConnReadOfOneByte reads a conn through a bufio.Reader whose buffer has room for one byte, as it happens in net/http. The byte
// must not get lost.
func TestConnReadOfOneByte(t *testing.T) {
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

// TestConnDeadlines checks that read deadlines apply, although a conn sets them on the socket late, and that removed ones do not.
func TestConnDeadlines(t *testing.T) {
	const short, long = 20 * time.Millisecond, 60 * time.Millisecond
	buf := make([]byte, 2)
	t.Run("a later deadline replaces an earlier one", func(t *testing.T) {
		c, _ := connPair(t)
		begin := time.Now()
		_ = c.SetReadDeadline(begin.Add(short))
		_ = c.SetReadDeadline(begin.Add(long))
		if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) < long {
			t.Errorf("Read ended with %v after %v, want the deadline after %v", err, time.Since(begin), long)
		}
	})
	t.Run("an earlier deadline replaces a later one", func(t *testing.T) {
		c, _ := connPair(t)
		_ = c.SetReadDeadline(time.Now().Add(time.Hour))
		_ = c.SetReadDeadline(time.Now().Add(short))
		if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read ended with %v, want the deadline", err)
		}
	})
	t.Run("a deadline applies to a read under way", func(t *testing.T) {
		c, _ := connPair(t)
		_ = c.SetDeadline(time.Now().Add(time.Hour))
		var reading sync.WaitGroup
		reading.Go(func() {
			if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read ended with %v, want the deadline", err)
			}
		})
		_ = c.SetReadDeadline(time.Unix(1, 0))
		reading.Wait()
	})
	t.Run("a removed deadline does not apply", func(t *testing.T) {
		c, client := connPair(t)
		_ = c.SetDeadline(time.Now().Add(short))
		_ = c.SetDeadline(time.Time{})
		var reading sync.WaitGroup
		reading.Go(func() {
			if n, err := c.Read(buf); n != 2 || err != nil {
				t.Errorf("Read returned %d, %v", n, err)
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
