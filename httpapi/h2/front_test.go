package h2

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// waitLimit bounds what must happen at once, also on a loaded machine.
const waitLimit = 20 * time.Second

// client is a client of a Front. It writes its frames to sent, and send sends them.
type client struct {
	net.Conn
	*http2.Framer // writes to sent, reads from the connection
	sent          bytes.Buffer
}

// newFixture makes a Front with a time limit for frames, and a client that is connected to it. early are the first bytes that the client
// sends, and that were read before the Front gets the connection.
func newFixture(t *testing.T, timeout time.Duration, early []byte) (*Front, *client) {
	t.Helper()
	f := New(Config{FrameTimeout: timeout, MaxHeaderBytes: 1 << 20, AcceptTimeout: waitLimit})
	t.Cleanup(f.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // the connection stays open
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() }) // the test has ended
	if err := near.SetDeadline(time.Now().Add(waitLimit)); err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	f.Serve(far, early, nil)
	c := &client{Conn: near}
	c.Framer = http2.NewFramer(&c.sent, near)
	return f, c
}

// preface adds the preface and a SETTINGS frame to what the client sends.
func (c *client) preface(t *testing.T) {
	t.Helper()
	c.sent.WriteString(Preface)
	if err := c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}); err != nil {
		t.Fatal(err)
	}
}

// request adds the HEADERS of a request to what the client sends.
func (c *client) request(t *testing.T, contentType string) {
	t.Helper()
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", "/x"}, {":authority", "host"}} {
		_ = e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}) // a bytes.Buffer has no errors
	}
	if contentType != "" {
		_ = e.WriteField(hpack.HeaderField{Name: "content-type", Value: contentType}) // a bytes.Buffer has no errors
	}
	half := block.Len() / 2
	err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes()[:half]})
	if err = errors.Join(err, c.WriteContinuation(1, true, block.Bytes()[half:])); err != nil {
		t.Fatal(err)
	}
}

// data adds a DATA frame to what the client sends.
func (c *client) data(t *testing.T, text string) {
	t.Helper()
	if err := c.WriteData(1, false, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// ack returns the acknowledgement of SETTINGS.
func ack() []byte {
	var b bytes.Buffer
	_ = http2.NewFramer(&b, nil).WriteSettingsAck() // a bytes.Buffer has no errors
	return b.Bytes()
}

func (c *client) send(t *testing.T, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
}

// expectBytes accepts a connection, and reads from it what the server must see.
func expectBytes(t *testing.T, l net.Listener, want []byte) net.Conn {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the test has ended
	expectMore(t, c, want)
	return c
}

func expectMore(t *testing.T, c net.Conn, want []byte) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(waitLimit)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("the server reads %q, %v, want %q", got[:n], err, want)
	}
}

func TestContentType(t *testing.T) {
	for contentType, grpc := range map[string]bool{
		"application/grpc":                  true,
		"application/grpc+proto":            true,
		"Application/GRPC;charset=utf-8":    true,
		"application/grpc-web":              false,
		"application/json":                  false,
		"text/plain; x=application/grpc":    false,
		"":                                  false,
		"application/x-www-form-urlencoded": false,
	} {
		t.Run(contentType, func(t *testing.T) {
			f, c := newFixture(t, waitLimit, nil)
			c.preface(t)
			c.request(t, contentType)
			c.send(t, c.sent.Bytes())
			l := f.HTTP()
			if grpc {
				l = f.GRPC()
			}
			expectBytes(t, l, c.sent.Bytes())
		})
	}
}

// TestSettingsFirst is what grpc-go does: it sends no request before it has the SETTINGS of the server.
func TestSettingsFirst(t *testing.T) {
	f, c := newFixture(t, waitLimit, nil)
	c.preface(t)
	c.send(t, c.sent.Bytes())
	if frame, err := c.ReadFrame(); err != nil || frame.Header().Type != http2.FrameSettings {
		t.Fatalf("got %v, %v", frame, err)
	}
	c.send(t, ack())
	begin := c.sent.Len()
	c.request(t, "application/grpc")
	c.send(t, c.sent.Bytes()[begin:])
	server := expectBytes(t, f.GRPC(), c.sent.Bytes())
	c.send(t, ack()) // of the SETTINGS of the real server
	expectMore(t, server, ack())
}

// TestLateAck sends the acknowledgement after the request and a part of its body, in pieces.
func TestLateAck(t *testing.T) {
	for _, size := range []int{1, 7, 1 << 20} {
		f, c := newFixture(t, waitLimit, nil)
		c.preface(t)
		c.request(t, "")
		c.data(t, "one")
		first := len(c.sent.Bytes())
		c.data(t, "two")
		all := append(append(bytes.Clone(c.sent.Bytes()[:first]), ack()...), c.sent.Bytes()[first:]...)
		go func() {
			for piece := range slicesOf(all, size) {
				if _, err := c.Write(piece); err != nil {
					return // the reader reports what is missing
				}
			}
		}()
		server := expectBytes(t, f.HTTP(), c.sent.Bytes())
		c.send(t, ack())
		expectMore(t, server, ack())
	}
}

// slicesOf yields b in pieces.
func slicesOf(b []byte, size int) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			n := min(size, len(b))
			if !yield(b[:n]) {
				return
			}
			b = b[n:]
		}
	}
}

// TestEarlyBytes cuts what was read before Serve at every place.
func TestEarlyBytes(t *testing.T) {
	var bytesOf client
	bytesOf.Framer = http2.NewFramer(&bytesOf.sent, nil)
	bytesOf.preface(t)
	bytesOf.request(t, "application/grpc")
	bytesOf.data(t, "body")
	all := bytesOf.sent.Bytes()
	for cut := 3; cut <= len(all); cut += 5 {
		f, c := newFixture(t, waitLimit, bytes.Clone(all[:cut]))
		c.send(t, append(bytes.Clone(all[cut:]), ack()...))
		server := expectBytes(t, f.GRPC(), all)
		c.send(t, ack())
		expectMore(t, server, ack())
	}
}

func TestPing(t *testing.T) {
	f, c := newFixture(t, waitLimit, nil)
	c.preface(t)
	c.send(t, c.sent.Bytes())
	before := c.sent.Len()
	if err := c.WritePing(false, [8]byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	c.send(t, c.sent.Bytes()[before:])
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if ping, ok := frame.(*http2.PingFrame); ok {
			if !ping.IsAck() || ping.Data != [8]byte{1, 2, 3} {
				t.Fatalf("got %v", ping)
			}
			break
		}
	}
	c.sent.Truncate(before) // the server must not see the ping
	c.request(t, "application/grpc")
	c.send(t, c.sent.Bytes()[before:])
	expectBytes(t, f.GRPC(), c.sent.Bytes())
}

func TestClosed(t *testing.T) {
	const short = 50 * time.Millisecond
	for name, send := range map[string]func(t *testing.T, c *client){
		"no preface":        func(*testing.T, *client) {},
		"another preface":   func(_ *testing.T, c *client) { c.sent.WriteString("PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n") },
		"no SETTINGS":       func(_ *testing.T, c *client) { c.sent.WriteString(Preface) },
		"a part of a frame": func(t *testing.T, c *client) { c.preface(t); c.sent.Write([]byte{0, 0, 4}) },
		"GOAWAY": func(t *testing.T, c *client) {
			c.preface(t)
			if err := c.WriteGoAway(0, http2.ErrCodeNo, nil); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := newFixture(t, short, nil)
			send(t, c)
			c.send(t, c.sent.Bytes())
			if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection stays open")
			}
		})
	}
}

// TestIdle keeps a connection without a request open for longer than a frame may take. Close closes it.
func TestIdle(t *testing.T) {
	const short = 50 * time.Millisecond
	f, c := newFixture(t, short, nil)
	c.preface(t)
	c.send(t, c.sent.Bytes())
	c.expectFrames(t, "SETTINGS", "SETTINGS ack")
	_ = c.SetReadDeadline(time.Now().Add(4 * short)) // an error appears at the next read
	if frame, err := c.ReadFrame(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v, %v", frame, err)
	}
	f.Close()
	_ = c.SetReadDeadline(time.Now().Add(waitLimit)) // an error appears at the next read
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("Close leaves the connection open")
	}
	f.Serve(c.Conn, nil, nil)
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve after Close leaves the connection open: %v", err)
	}
}

// TestInvalidFrame passes the connection to the server of HTTP, which sends the error.
func TestInvalidFrame(t *testing.T) {
	f, c := newFixture(t, waitLimit, nil)
	c.preface(t)
	c.sent.Write([]byte{0, 0, 1, byte(http2.FrameSettings), 0, 0, 0, 0, 0, 0}) // SETTINGS of one byte
	c.send(t, c.sent.Bytes())
	expectBytes(t, f.HTTP(), c.sent.Bytes())
}

// TestLongHead sends a request whose head has no end, although its frames have no payload. The connection must not keep them all.
func TestLongHead(t *testing.T) {
	_, c := newFixture(t, time.Hour, nil)
	c.preface(t)
	if err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}}); err != nil {
		t.Fatal(err)
	}
	c.send(t, c.sent.Bytes())
	c.sent.Reset()
	for c.sent.Len() < 1<<20 {
		if err := c.WriteContinuation(1, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	for range 64 {
		if _, err := c.Write(c.sent.Bytes()); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			return
		}
	}
	t.Error("the connection is still open after 64 MiB")
}
