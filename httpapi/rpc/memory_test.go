package rpc

import (
	"encoding/binary"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"pando/httpapi/budget"
)

// reserved counts the bytes that are reserved in budgets.
type reserved struct{ bytes atomic.Int64 }

func (r *reserved) InFlight(n int64) { r.bytes.Add(n) }
func (*reserved) Overloaded()        {}

// newMemory returns budgets of so many bytes. At the end of the test nothing may be reserved.
func newMemory(t *testing.T, messages, streams, responses int64) Memory {
	r := new(reserved)
	t.Cleanup(func() {
		await(t, "no bytes are reserved", func() bool { return r.bytes.Load() == 0 })
	})
	return Memory{Messages: budget.New(messages, r), Streams: budget.New(streams, r), Responses: budget.New(responses, r)}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v there is no state in which %s", deadline, what)
		}
	}
}

// begin sends the first n bytes of a message of size bytes.
func (c *rawClient) begin(id uint32, size, n int) {
	c.t.Helper()
	head := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(size)), binary.AppendUvarint([]byte{10}, uint64(size-4))...)
	c.must(c.framer.WriteData(id, false, append(head, make([]byte, n-len(head))...)))
}

// more sends n bytes of a message and ends the stream.
func (c *rawClient) more(id uint32, n int) {
	c.t.Helper()
	for ; n > maxFrame; n -= maxFrame {
		c.must(c.framer.WriteData(id, false, make([]byte, maxFrame)))
	}
	c.must(c.framer.WriteData(id, true, make([]byte, n)))
}

// expectWindow reads until the client gets window for a stream.
func (c *rawClient) expectWindow(id uint32, n uint32) {
	c.t.Helper()
	for {
		f, err := c.framer.ReadFrame()
		if err != nil {
			c.t.Fatal(err)
		}
		if w, ok := f.(*http2.WindowUpdateFrame); ok && w.StreamID == id {
			if w.Increment != n {
				c.t.Errorf("the window grows by %d bytes, want %d", w.Increment, n)
			}
			return
		}
	}
}

// TestStreamMemory opens streams of several connections until there is no memory, ends one of them, and opens another.
func TestStreamMemory(t *testing.T) {
	var refused atomic.Int64
	_, address, _ := serve(t, func(c *Config) {
		c.Memory = newMemory(t, 1<<20, 4*reservationStep, 1<<20)
		c.Refused = func(r Refusal) {
			if r == NoMemory {
				refused.Add(1)
			}
		}
	})
	value := hpack.HeaderField{Name: "x", Value: strings.Repeat("x", 10_000)}
	var last *rawClient
	var id uint32
	for refused.Load() == 0 {
		last, id = dialRaw(t, address), 1
		for ; id < 20; id += 2 {
			last.headers(id, "EchoAll", false, value)
			last.message(id, 3, false)
			f, ok := last.next().(*http2.MetaHeadersFrame)
			if !ok || f.StreamEnded() && field(f, "grpc-status") != "8" {
				t.Fatalf("got %v", f)
			}
			if f.StreamEnded() {
				break
			}
			last.next() // the message
		}
	}
	last.next() // the end of the refused stream
	last.message(1, 0, true)
	last.expectEnd(1)
	last.headers(id+2, "Echo", false, value)
	last.message(id+2, 3, true)
	last.expectStatus(id+2, "0")
}

// TestIdleMemory checks that many connections without calls keep no memory that a busy one needs.
func TestIdleMemory(t *testing.T) {
	memory := budget.New(4*reservationStep, new(reserved))
	var idle [20]held
	for i := range idle {
		if !idle[i].grow(memory, freeBytes+100) {
			t.Fatalf("no memory for connection %d while the others are idle", i)
		}
		idle[i].shrink(freeBytes + 100)
	}
}

// TestLongMessages sends two messages while there is memory for one.
func TestLongMessages(t *testing.T) {
	const size = 1 << 20
	for name, method := range map[string]string{"call": "Yield", "stream": "EchoAll"} {
		t.Run(name, func(t *testing.T) {
			_, address, _ := serve(t, func(c *Config) { c.Memory = newMemory(t, size+messageHead, 1<<20, 1<<30) })
			c := dialRaw(t, address, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 4 * size})
			c.must(c.framer.WriteWindowUpdate(0, 4*size))
			for _, id := range []uint32{1, 3} {
				c.headers(id, method, false)
				c.begin(id, size, askBytes)
			}
			c.expectWindow(1, size+messageHead)
			c.more(1, size+messageHead-askBytes)
			c.expectWindow(3, size+messageHead) // before or after the end of the first
			c.more(3, size+messageHead-askBytes)
			c.expectEnd(3)
		})
	}
	t.Run("refused", func(t *testing.T) {
		_, address, _ := serve(t, func(c *Config) {
			c.Memory, c.MessageTimeout = newMemory(t, size, 1<<20, 1<<30), 200*time.Millisecond
		})
		holder := dialRaw(t, address)
		holder.headers(1, "EchoAll", false)
		holder.begin(1, size, askBytes)
		holder.expectWindow(1, size+messageHead)
		for _, method := range []string{"Echo", "EchoAll"} {
			c := dialRaw(t, address)
			c.headers(1, method, false)
			c.begin(1, size, askBytes)
			c.expectOneOf(1, "8", "0") // the holder is too slow
		}
	})
}

// expectEnd reads until a stream ends with success. It skips the frames of other streams.
func (c *rawClient) expectEnd(id uint32) {
	c.t.Helper()
	for {
		switch f := c.next().(type) {
		case nil:
			c.t.Fatal("the connection ends")
		case *http2.MetaHeadersFrame:
			if f.StreamID != id || !f.StreamEnded() {
				continue
			}
			if got := field(f, "grpc-status"); got != "0" {
				c.t.Errorf("the stream ends with %q", got)
			}
			return
		}
	}
}

// expectOneOf reads until the stream ends, with one of the statuses, or gets the window for its message.
func (c *rawClient) expectOneOf(id uint32, codes ...string) {
	c.t.Helper()
	for {
		f, err := c.framer.ReadFrame()
		if err != nil {
			c.t.Fatal(err)
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if got := field(f, "grpc-status"); got != codes[0] {
				c.t.Errorf("the stream ends with %q", got)
			}
			return
		case *http2.WindowUpdateFrame:
			if f.StreamID == id {
				return
			}
		}
	}
}

// TestSlowMessages checks that messages and frames must arrive in time, and that streams may be idle between messages.
func TestSlowMessages(t *testing.T) {
	var slow atomic.Int64
	_, address, _ := serve(t, func(c *Config) {
		c.Memory, c.MessageTimeout = newMemory(t, 4<<20, 1<<20, 1<<20), 100*time.Millisecond
		c.Refused = func(r Refusal) {
			if r == SlowMessage {
				slow.Add(1)
			}
		}
	})
	idle := dialRaw(t, address)
	idle.headers(1, "EchoAll", false)
	idle.message(1, 3, false)
	for name, send := range map[string]func(c *rawClient){
		"no message":        func(c *rawClient) { c.headers(1, "Echo", false) },
		"a part of a call":  func(c *rawClient) { c.headers(1, "Echo", false); c.begin(1, 100, 50) },
		"a part of a long":  func(c *rawClient) { c.headers(1, "Echo", false); c.begin(1, 1<<20, askBytes) },
		"a part in streams": func(c *rawClient) { c.headers(1, "Hang", false); c.headers(3, "EchoAll", false); c.begin(3, 100, 50) },
		"a head in streams": func(c *rawClient) { c.headers(1, "EchoAll", false); c.must(c.framer.WriteData(1, false, data(3))) },
	} {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, address)
			c.t = t
			send(c)
			f, ok := c.next().(*http2.MetaHeadersFrame)
			if !ok || field(f, "grpc-status") != "4" {
				t.Errorf("got %v", f)
			}
		})
	}
	for name, send := range map[string]func(c *rawClient){
		"a part of a frame": func(c *rawClient) {
			c.headers(1, "EchoAll", false)
			_, err := c.net.Write([]byte{0, 1, 0, 0, 0, 0, 0, 0, 1, 9})
			c.must(err)
		},
		"headers without an end": func(c *rawClient) {
			c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x88}}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, address)
			c.t = t
			send(c)
			c.expectGoAway(http2.ErrCodeEnhanceYourCalm)
		})
	}
	if got := slow.Load(); got != 7 {
		t.Errorf("%d slow messages are counted", got)
	}
	idle.message(1, 3, true)
	idle.expectStatus(1, "0")
}
