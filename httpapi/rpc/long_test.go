package rpc

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
)

// TestLongResponses sends calls while a client gives no window for a long response. Short calls get their responses. A second long response
// is not encoded before the client has read or canceled the first.
func TestLongResponses(t *testing.T) {
	_, address, encoded := serve(t, nil)
	c := dialRaw(t, address)
	c.must(c.framer.WriteWindowUpdate(0, 1<<20)) // for the connection alone
	for id := uint32(1); id <= 3; id += 2 {
		c.headers(id, "Long", false)
		c.message(id, 0, true)
	}
	<-encoded
	for received := 0; received < initialWindow; {
		switch f := c.next().(type) {
		case *http2.DataFrame:
			received += len(f.Data())
		case *http2.MetaHeadersFrame:
		default:
			t.Fatalf("got %v", f)
		}
	}
	for id := uint32(5); id < 25; id += 2 {
		c.headers(id, "Echo", false)
		c.message(id, 10, true)
		c.expectStatus(id, "0")
	}
	c.headers(25, "Long", false)
	c.message(25, 0, true)
	c.must(c.framer.WriteRSTStream(25, http2.ErrCodeCancel)) // while it waits
	if len(encoded) > 0 {
		t.Error("a second long response was encoded")
	}
	c.must(c.framer.WriteRSTStream(1, http2.ErrCodeCancel))
	<-encoded
	if f, ok := c.next().(*http2.MetaHeadersFrame); !ok || f.StreamID != 3 {
		t.Errorf("got %v, want the second long response", f)
	}
}

// TestUnsentOfStream checks that the message of a stream does not delay long responses to calls.
func TestUnsentOfStream(t *testing.T) {
	c := newConn(New(Config{MaxMessageBytes: 1}), nil)
	c.initialWindow = 0
	for _, one := range []struct {
		method Method
		want   int
	}{
		{Method{Stream: func(grpc.ServerStream) error { return nil }}, 0},
		{Method{Unary: func(context.Context, func(any) error) (any, error) { return nil, nil }}, 100},
	} {
		s := newStream(c, 1, &head{method: one.method})
		c.sendEncoded(s, make([]byte, 100))
		if c.unsent != one.want {
			t.Errorf("%d bytes count, want %d", c.unsent, one.want)
		}
		if s.end(); c.unsent != 0 {
			t.Errorf("%d bytes count after the end", c.unsent)
		}
	}
}

// TestShrunkBuffer checks that the memory of a response is freed when the client has read most of it.
func TestShrunkBuffer(t *testing.T) {
	s := &stream{unsent: make([]byte, 1<<20), buffered: 1 << 20}
	s.unsent = s.unsent[1<<20-1:]
	if s.shrink(); cap(s.unsent) > 1<<10 || len(s.unsent) != 1 {
		t.Errorf("%d bytes are kept for %d", cap(s.unsent), len(s.unsent))
	}
}

// TestStalledCall checks that a call is reset if its client gives no window for the response. Other calls and streams of the connection go
// on.
func TestStalledCall(t *testing.T) {
	stalled := make(chan net.Conn, 10)
	_, address, encoded := serve(t, func(c *Config) {
		c.StallTimeout, c.Stalled = 200*time.Millisecond, func(n net.Conn) { stalled <- n }
	})
	c := dialRaw(t, address, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
	c.headers(1, "EchoAll", false)
	c.message(1, 10, false)
	c.headers(3, "Long", false)
	c.message(3, 0, true)
	<-encoded
	for {
		f := c.next()
		if f == nil {
			t.Fatal("the connection ends")
		}
		if reset, ok := f.(*http2.RSTStreamFrame); ok {
			if reset.StreamID != 3 || reset.ErrCode != http2.ErrCodeCancel {
				t.Errorf("got %v", reset)
			}
			break
		}
	}
	<-stalled
	c.must(c.framer.WriteWindowUpdate(1, 1000))
	c.must(c.framer.WriteData(1, true, nil))
	c.expectStatus(1, "0")
}

// TestAbandonedHandlers resets calls whose handlers do not return. New calls of the connection are then refused.
func TestAbandonedHandlers(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	var refused [RefusalCount]atomic.Int64
	_, address, _ := serve(t, func(c *Config) {
		c.Refused = func(r Refusal) { refused[r].Add(1) }
		c.Methods["/a.B/Deaf"] = Method{Unary: func(ctx context.Context, _ func(any) error) (any, error) {
			MayWait(ctx)
			<-release
			return text(""), nil
		}}
	})
	c := dialRaw(t, address)
	id := uint32(1)
	for range maxAbandoned + 1 {
		c.headers(id, "Deaf", false)
		c.message(id, 0, true)
		c.must(c.framer.WriteRSTStream(id, http2.ErrCodeCancel))
		id += 2
	}
	c.headers(id, "Echo", false)
	c.expectStatus(id, "8")
	if got := refused[TooManyAbandoned].Load(); got != 1 {
		t.Errorf("%d refused calls are counted", got)
	}
}
