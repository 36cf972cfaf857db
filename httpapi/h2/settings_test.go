package h2

import (
	"bytes"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// expectFrames reads frames of the Front and of the server.
func (c *client) expectFrames(t *testing.T, want ...string) {
	t.Helper()
	for i := range want {
		frame, err := c.ReadFrame()
		if err != nil {
			t.Fatalf("got %v, want %q", err, want[i])
		}
		got := frame.Header().Type.String()
		switch {
		case frame.Header().Type == http2.FrameSettings && frame.Header().Flags.Has(http2.FlagSettingsAck):
			got += " ack"
		case frame.Header().Type == http2.FramePing && frame.Header().Flags.Has(http2.FlagPingAck):
			got += " ack"
		}
		if got != want[i] {
			t.Fatalf("frame %d is %q, want %q", i, got, want[i])
		}
	}
}

// TestStrictClient waits for each answer of the Front before it sends the next frame.
func TestStrictClient(t *testing.T) {
	for _, contentType := range []string{"application/grpc", "text/plain"} {
		t.Run(contentType, func(t *testing.T) {
			f, c := newFixture(t, waitLimit, nil)
			begin := 0
			exchange := func(want ...string) {
				t.Helper()
				c.send(t, c.sent.Bytes()[begin:])
				begin = c.sent.Len()
				c.expectFrames(t, want...)
			}
			c.preface(t)
			exchange("SETTINGS", "SETTINGS ack")
			c.send(t, ack())
			mustWrite(t, c.WritePing(false, [8]byte{1}))
			exchange("PING ack")
			mustWrite(t, c.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 15}))
			exchange("SETTINGS ack")
			mustWrite(t, c.WriteGoAway(0, http2.ErrCodeNo, nil)) // gives the Front no reason to end the connection at once
			mustWrite(t, c.WritePing(false, [8]byte{2}))
			exchange("PING ack")
			c.request(t, contentType)
			c.send(t, c.sent.Bytes()[begin:])
			request := c.sent.Bytes()[begin:]

			l := f.HTTP()
			if contentType == "application/grpc" {
				l = f.GRPC()
			}
			want := client{}
			want.Framer = http2.NewFramer(&want.sent, nil)
			want.sent.WriteString(Preface)
			mustWrite(t, want.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20},
				http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 15}))
			want.sent.Write(request)
			server := expectBytes(t, l, want.sent.Bytes())
			frames := serverFrames(t, 2)
			if _, err := server.Write(frames); err != nil {
				t.Fatal(err)
			}
			c.expectFrames(t, "SETTINGS", "WINDOW_UPDATE", "DATA", "SETTINGS ack", "PING")
		})
	}
}

func mustWrite(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serverFrames returns what a server writes at the beginning of a connection. It has a number of acknowledgements.
func serverFrames(t *testing.T, acks int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := http2.NewFramer(&b, nil)
	mustWrite(t, w.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 100}))
	mustWrite(t, w.WriteWindowUpdate(0, 1000))
	if acks > 0 {
		mustWrite(t, w.WriteSettingsAck())
	}
	mustWrite(t, w.WriteData(1, false, ack())) // the payload is not a frame
	if acks > 1 {
		mustWrite(t, w.WriteSettingsAck())
	}
	mustWrite(t, w.WritePing(false, [8]byte{9}))
	return b.Bytes()
}

// writes is a connection that keeps each write.
type writes struct {
	net.Conn
	all [][]byte
}

func (w *writes) Write(p []byte) (int, error) {
	w.all = append(w.all, bytes.Clone(p))
	return len(p), nil
}

// TestWriteFilter cuts what the server writes into pieces. Only the first acknowledgement is missing on the other side, and after it
// each write is that of the server.
func TestWriteFilter(t *testing.T) {
	frames := serverFrames(t, 2)
	at := bytes.Index(frames, ack())
	want := slices.Concat(frames[:at], frames[at+frameHeader:])
	for size := 1; size <= len(frames)+1; size++ {
		w := &writes{}
		c := &Conn{Conn: w, written: new(ackFilter)}
		for piece := range slicesOf(frames, size) {
			if n, err := c.Write(piece); n != len(piece) || err != nil {
				t.Fatalf("pieces of %d: got %d, %v", size, n, err)
			}
		}
		if got := slices.Concat(w.all...); !bytes.Equal(got, want) {
			t.Fatalf("pieces of %d: the client reads %q, want %q", size, got, want)
		}
		if c.written != nil {
			t.Fatalf("pieces of %d: the filter is still there", size)
		}
		if size > len(frames) && len(w.all) != 1 {
			t.Errorf("one write has become %d", len(w.all))
		}
	}
	t.Run("afterwards", func(t *testing.T) {
		c := &Conn{Conn: discard{}}
		if n := testing.AllocsPerRun(100, func() { _, _ = c.Write(frames) }); n != 0 {
			t.Errorf("a write allocates %v times", n)
		}
	})
}

// discard is a connection without another end.
type discard struct{ net.Conn }

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// TestMergedSettings sends several SETTINGS before the first request. The server reads them as one.
func TestMergedSettings(t *testing.T) {
	const table, window, frame, unknown = http2.SettingHeaderTableSize, http2.SettingInitialWindowSize, http2.SettingMaxFrameSize, 0x0a0a
	type settings []http2.Setting
	for name, test := range map[string]struct {
		frames []settings
		want   settings
	}{
		"one":   {[]settings{{{ID: unknown, Val: 1}, {ID: window, Val: 2}}}, settings{{ID: unknown, Val: 1}, {ID: window, Val: 2}}},
		"empty": {[]settings{{}, {}}, nil},
		"last value": {
			[]settings{{{ID: window, Val: 1}}, {{ID: frame, Val: 1 << 15}}, {{ID: window, Val: 3}}},
			settings{{ID: window, Val: 3}, {ID: frame, Val: 1 << 15}},
		},
		"small table": {[]settings{{{ID: table, Val: 0}}, {{ID: table, Val: 4096}}}, settings{{ID: table, Val: 0}}},
		"unknown":     {[]settings{{{ID: unknown, Val: 1}}, {{ID: window, Val: 2}, {ID: unknown, Val: 1}}}, settings{{ID: window, Val: 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			f, c := newFixture(t, waitLimit, nil)
			answers := []string{"SETTINGS"}
			c.sent.WriteString(Preface)
			for _, s := range test.frames {
				mustWrite(t, c.WriteSettings(s...))
				answers = append(answers, "SETTINGS ack")
			}
			rest := c.sent.Len()
			mustWrite(t, c.WriteWindowUpdate(0, 5))
			c.request(t, "")
			c.send(t, c.sent.Bytes())
			c.expectFrames(t, answers...)
			want := client{}
			want.Framer = http2.NewFramer(&want.sent, nil)
			want.sent.WriteString(Preface)
			mustWrite(t, want.WriteSettings(test.want...))
			expectBytes(t, f.HTTP(), append(want.sent.Bytes(), c.sent.Bytes()[rest:]...))
		})
	}
}

// TestInvalidBeforeRequest sends a frame that is invalid before the first request. The server of HTTP reads it and sends the error. The
// server's acknowledgement is removed only if the Front has sent one.
func TestInvalidBeforeRequest(t *testing.T) {
	for name, test := range map[string]struct {
		send  func(c *client) error
		first bool // the frame is sent in place of the SETTINGS
	}{
		"DATA":                      {send: func(c *client) error { return c.WriteData(1, true, nil) }},
		"RST_STREAM":                {send: func(c *client) error { return c.WriteRSTStream(1, http2.ErrCodeCancel) }},
		"WINDOW_UPDATE of a stream": {send: func(c *client) error { return c.WriteWindowUpdate(1, 1) }},
		"PRIORITY of itself":        {send: func(c *client) error { return c.WritePriority(1, http2.PriorityParam{StreamDep: 1}) }},
		"too large a window":        {send: func(c *client) error { return c.WriteWindowUpdate(0, 1<<31-1) }},
		"invalid setting": {send: func(c *client) error {
			return c.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 2})
		}},
		"setting twice": {send: func(c *client) error {
			return c.WriteSettings(http2.Setting{ID: http2.SettingEnablePush}, http2.Setting{ID: http2.SettingEnablePush})
		}},
		"no SETTINGS":      {first: true, send: func(c *client) error { return c.WritePing(false, [8]byte{}) }},
		"invalid SETTINGS": {first: true, send: func(c *client) error { return c.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize}) }},
		"ack first":        {first: true, send: func(c *client) error { return c.WriteSettingsAck() }},
	} {
		t.Run(name, func(t *testing.T) {
			f, c := newFixture(t, waitLimit, nil)
			want := []string{"SETTINGS", "SETTINGS ack", "SETTINGS", "WINDOW_UPDATE", "DATA"}
			if test.first {
				c.sent.WriteString(Preface)
				want = slices.Delete(want, 1, 2)
				want = slices.Insert(want, 3, "SETTINGS ack")
			} else {
				c.preface(t)
			}
			mustWrite(t, test.send(c))
			c.send(t, c.sent.Bytes())
			server := expectBytes(t, f.HTTP(), c.sent.Bytes())
			if _, err := server.Write(serverFrames(t, 1)); err != nil {
				t.Fatal(err)
			}
			c.expectFrames(t, want...)
		})
	}
}

// TestManySettings sends more SETTINGS and pings than a connection may keep. Each one is answered.
func TestManySettings(t *testing.T) {
	f, c := newFixture(t, waitLimit, nil)
	c.preface(t)
	begin := c.sent.Len()
	const rounds = maxWaiting / (frameHeader + 6)
	for range rounds {
		mustWrite(t, c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}))
		mustWrite(t, c.WritePing(false, [8]byte{}))
	}
	last := c.sent.Len()
	c.request(t, "application/grpc")
	go func() { _, _ = c.Write(c.sent.Bytes()) }() // the reader reports what is missing
	c.expectFrames(t, "SETTINGS", "SETTINGS ack")
	for range rounds {
		c.expectFrames(t, "SETTINGS ack", "PING ack")
	}
	expectBytes(t, f.GRPC(), slices.Concat(c.sent.Bytes()[:begin], c.sent.Bytes()[last:]))
}

// TestNoAnswersRead sends pings and reads none of the answers. The connection ends after the time limit of a frame.
func TestNoAnswersRead(t *testing.T) {
	_, c := newFixture(t, 200*time.Millisecond, nil)
	c.preface(t)
	_, _ = c.Write(c.sent.Bytes()) // an error appears at the next write
	c.sent.Reset()
	for c.sent.Len() < 1<<20 {
		mustWrite(t, c.WritePing(false, [8]byte{}))
	}
	for range 64 {
		if _, err := c.Write(c.sent.Bytes()); err != nil {
			return
		}
	}
	t.Error("the connection is still open after 64 MiB without a read")
}
