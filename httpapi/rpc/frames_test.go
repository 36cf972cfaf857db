package rpc

import (
	"bytes"
	"encoding/binary"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// rawClient is a client that sends arbitrary frames.
type rawClient struct {
	t      *testing.T
	net    net.Conn
	framer *http2.Framer
	block  bytes.Buffer
}

func dialRaw(t *testing.T, address string, settings ...http2.Setting) *rawClient {
	t.Helper()
	n, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() }) // the test is over
	if err := n.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	c := &rawClient{t: t, net: n, framer: http2.NewFramer(n, n)}
	c.framer.AllowIllegalWrites = true
	c.framer.ReadMetaHeaders = hpack.NewDecoder(headerTable, nil)
	if _, err := n.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	c.must(c.framer.WriteSettings(settings...))
	return c
}

func (c *rawClient) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// headers sends the headers of a call. fields are added, or replace default headers with the same names.
func (c *rawClient) headers(id uint32, method string, end bool, fields ...hpack.HeaderField) {
	c.t.Helper()
	c.block.Reset()
	e := hpack.NewEncoder(&c.block)
	all := append([]hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: "/a.B/" + method},
		{Name: ":authority", Value: "a"}, {Name: "content-type", Value: "application/grpc"},
	}, fields...)
	for _, f := range all {
		f.Sensitive = true
		c.must(e.WriteField(f))
	}
	c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: end}))
}

// message sends a message of n bytes.
func (c *rawClient) message(id uint32, n int, end bool) {
	c.t.Helper()
	value := append(binary.AppendUvarint([]byte{10}, uint64(n)), make([]byte, n)...)
	c.must(c.framer.WriteData(id, end, append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(value))), value...)))
}

// next returns the next frame that is not one of SETTINGS, WINDOW_UPDATE or an answered ping, or nil at the end of the connection.
func (c *rawClient) next() http2.Frame {
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return nil
		}
		switch frame.(type) {
		case *http2.SettingsFrame, *http2.WindowUpdateFrame, *http2.PingFrame:
			continue
		}
		return frame
	}
}

func field(f *http2.MetaHeadersFrame, name string) string {
	i := slices.IndexFunc(f.Fields, func(f hpack.HeaderField) bool { return f.Name == name })
	if i < 0 {
		return ""
	}
	return f.Fields[i].Value
}

// expectStatus reads DATA frames and then the trailers of a call, which must have the status. It returns the number of bytes of data.
func (c *rawClient) expectStatus(id uint32, code string) (received int) {
	c.t.Helper()
	for {
		switch f := c.next().(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamEnded() {
				if got := field(f, "grpc-status"); f.StreamID != id || got != code {
					c.t.Fatalf("the stream %d ends with %q, want %d with %q", f.StreamID, got, id, code)
				}
				return received
			}
		case *http2.DataFrame:
			received += len(f.Data())
		default:
			c.t.Fatalf("got %v before the end of the stream %d", f, id)
		}
	}
}

func (c *rawClient) expectGoAway(code http2.ErrCode) {
	c.t.Helper()
	if f, ok := c.next().(*http2.GoAwayFrame); !ok || f.ErrCode != code {
		c.t.Fatalf("got %v, want GOAWAY with %v", f, code)
	}
	if f := c.next(); f != nil {
		c.t.Fatalf("got %v after GOAWAY", f)
	}
}

func TestSendWindows(t *testing.T) {
	_, address, _ := serve(t, nil)
	const window, size = 1000, 5000
	c := dialRaw(t, address, http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	c.headers(1, "Echo", false)
	c.message(1, size, true)
	for received := 0; received < window; {
		switch f := c.next().(type) {
		case *http2.DataFrame:
			if received += len(f.Data()); received > window {
				t.Fatalf("got %d bytes in a window of %d", received, window)
			}
		case *http2.MetaHeadersFrame:
		default:
			t.Fatalf("got %v", f)
		}
	}
	c.headers(3, "Echo", false) // another stream is not blocked
	c.message(3, 10, true)
	c.expectStatus(3, "0")
	c.must(c.framer.WriteWindowUpdate(1, 1000))
	c.must(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: size}))
	if got := c.expectStatus(1, "0"); got < size-window {
		t.Errorf("the rest of the response has %d bytes", got)
	}
}

func TestSmallHeaderTable(t *testing.T) {
	_, address, _ := serve(t, nil)
	for _, size := range []uint32{0, 60, 100, 4096, 1 << 20} {
		c := dialRaw(t, address, http2.Setting{ID: http2.SettingHeaderTableSize, Val: size})
		c.framer.ReadMetaHeaders.SetMaxDynamicTableSize(size)
		c.framer.ReadMetaHeaders.SetAllowedMaxDynamicTableSize(size)
		for i := range uint32(5) {
			c.headers(2*i+1, []string{"Echo", "Fail"}[i%2], false)
			c.message(2*i+1, 10, true)
			c.expectStatus(2*i+1, []string{"0", "15"}[i%2])
		}
	}
}

// fault is a violation of the protocol by a client: the frames, and the end of the stream or the connection that must follow.
type fault struct {
	send          func(c *rawClient)
	reset, goAway http2.ErrCode
}

func data(n int) []byte { return make([]byte, n) }

// faults are violations of the protocol by clients.
func faults() map[string]fault {
	return map[string]fault{
		"even stream":          {send: func(c *rawClient) { c.headers(2, "Echo", false) }, goAway: http2.ErrCodeProtocol},
		"idle stream":          {send: func(c *rawClient) { c.must(c.framer.WriteData(1, false, data(3))) }, goAway: http2.ErrCodeProtocol},
		"reset of idle stream": {send: func(c *rawClient) { c.must(c.framer.WriteRSTStream(1, 0)) }, goAway: http2.ErrCodeProtocol},
		"window of the connection": {send: func(c *rawClient) { c.must(c.framer.WriteWindowUpdate(0, 1<<31-1)) },
			goAway: http2.ErrCodeFlowControl},
		"window of a stream": {send: func(c *rawClient) {
			c.headers(1, "EchoAll", false)
			c.must(c.framer.WriteWindowUpdate(1, 1<<31-1))
		}, reset: http2.ErrCodeFlowControl},
		"long frame": {send: func(c *rawClient) {
			c.headers(1, "Echo", false)
			c.must(c.framer.WriteRawFrame(http2.FrameData, 0, 1, data(maxFrame+1)))
		}, goAway: http2.ErrCodeFrameSize},
		"settings": {send: func(c *rawClient) {
			c.must(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31}))
		}, goAway: http2.ErrCodeFlowControl},
		"settings twice": {send: func(c *rawClient) {
			one := http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1}
			c.must(c.framer.WriteSettings(one, one))
		}, goAway: http2.ErrCodeProtocol},
		"many settings": {send: func(c *rawClient) {
			all := make([]http2.Setting, maxSettings+1)
			for i := range all {
				all[i].ID = http2.SettingID(100 + i)
			}
			c.must(c.framer.WriteSettings(all...))
		}, goAway: http2.ErrCodeProtocol},
		"push": {send: func(c *rawClient) { c.must(c.framer.WriteRawFrame(http2.FramePushPromise, 4, 1, data(4))) },
			goAway: http2.ErrCodeProtocol},
		"upper case": {send: func(c *rawClient) { c.headers(1, "Echo", true, hpack.HeaderField{Name: "UPPER", Value: "x"}) },
			reset: http2.ErrCodeProtocol},
		"connection header": {send: func(c *rawClient) { c.headers(1, "Echo", true, hpack.HeaderField{Name: "connection", Value: "x"}) },
			reset: http2.ErrCodeProtocol},
		"long headers": {send: func(c *rawClient) {
			c.headers(1, "Echo", true, slices.Repeat([]hpack.HeaderField{{Name: "long", Value: strings.Repeat("x", 1000)}}, 10)...)
		}, reset: http2.ErrCodeFrameSize},
		"long header": {send: func(c *rawClient) {
			c.headers(1, "Echo", true, hpack.HeaderField{Name: "long", Value: strings.Repeat("x", 10<<10)})
		}, goAway: http2.ErrCodeCompression},
		"headers without an end": {send: func(c *rawClient) {
			c.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x88}}))
			for range 100 {
				if c.framer.WriteContinuation(1, false, make([]byte, 1000)) != nil {
					return // the connection is closed
				}
			}
		}, goAway: http2.ErrCodeProtocol},
		"too many streams": {send: func(c *rawClient) {
			c.headers(3, "EchoAll", false)
			c.headers(5, "EchoAll", false)
			c.headers(7, "Echo", false)
		}, reset: http2.ErrCodeRefusedStream},
		"data behind the end": {send: func(c *rawClient) {
			c.headers(1, "Hang", false)
			c.must(c.framer.WriteData(1, true, data(2)))
			c.must(c.framer.WriteData(1, true, data(2)))
		}, reset: http2.ErrCodeStreamClosed},
	}
}

func TestFaults(t *testing.T) {
	_, address, _ := serve(t, func(c *Config) { c.MaxStreams, c.MaxHeaderBytes = 2, 8<<10 })
	for name, test := range faults() {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, address)
			c.t = t
			test.send(c)
			if test.goAway != 0 {
				c.expectGoAway(test.goAway)
				return
			}
			for { // a stream may have had a response before
				f, ok := c.next().(*http2.RSTStreamFrame)
				if ok && f.ErrCode == test.reset {
					return
				} else if !ok && f == nil {
					t.Fatalf("no reset with %v", test.reset)
				}
			}
		})
	}
}

func TestBadMessages(t *testing.T) {
	_, address, _ := serve(t, nil)
	for name, test := range map[string]struct {
		data   []byte
		status string
	}{
		"none":       {nil, "13"},
		"incomplete": {[]byte{0, 0, 0, 0, 9, 1}, "13"},
		"compressed": {[]byte{1, 0, 0, 0, 1, 1}, "13"},
		"no message": {[]byte{0, 0, 0, 0, 1, 0xff}, "13"},
		"too long":   {[]byte{0, 0xff, 0, 0, 1}, "8"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, address)
			c.t = t
			c.headers(1, "Echo", false)
			c.must(c.framer.WriteData(1, true, test.data))
			c.expectStatus(1, test.status)
		})
	}
	t.Run("incomplete in a stream", func(t *testing.T) {
		c := dialRaw(t, address)
		c.t = t
		c.headers(1, "EchoAll", false)
		c.message(1, 3, false)
		c.must(c.framer.WriteData(1, true, []byte{0, 0, 0, 0, 9, 1}))
		if received := c.expectStatus(1, "13"); received == 0 {
			t.Error("the message before it is lost")
		}
	})
}

// TestMessageInParts sends a message byte by byte, and several calls in one write.
func TestMessageInParts(t *testing.T) {
	_, address, _ := serve(t, nil)
	c := dialRaw(t, address)
	c.headers(1, "Echo", false)
	message := append([]byte{0, 0, 0, 0, 5, 10, 3}, "abc"...)
	for i := range message {
		c.must(c.framer.WriteData(1, i == len(message)-1, message[i:i+1]))
	}
	if got := c.expectStatus(1, "0"); got != len(message) {
		t.Errorf("the response has %d bytes", got)
	}
}

func TestPings(t *testing.T) {
	_, address, _ := serve(t, func(c *Config) {
		c.PingMinTime, c.PingInterval, c.PingTimeout = time.Hour, 50*time.Millisecond, 50*time.Millisecond
	})
	t.Run("too many", func(t *testing.T) {
		c := dialRaw(t, address)
		c.t = t
		for range maxEarlyPings + 2 {
			c.must(c.framer.WritePing(false, [8]byte{1}))
		}
		c.expectGoAway(http2.ErrCodeEnhanceYourCalm)
	})
	t.Run("of a silent client", func(t *testing.T) {
		c := dialRaw(t, address)
		c.t = t
		if f := c.next(); f != nil {
			t.Errorf("got %v, want the end of the connection", f)
		}
	})
}
