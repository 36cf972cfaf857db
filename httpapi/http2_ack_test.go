package httpapi

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"pando/httpapi/h2"
)

// TestSettingsAcks counts the acknowledgements that a client gets for its SETTINGS before and after the first request. Clients end a
// connection on which more arrive than they have sent SETTINGS.
func TestSettingsAcks(t *testing.T) {
	f := newFixture(t, nil)
	_, url := startServer(t, f, f.grpc)
	for _, contentType := range []string{"application/grpc", "text/plain"} {
		t.Run(contentType, func(t *testing.T) {
			c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }() // the test has ended
			if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			mustSend(t, c, h2.Preface)
			framer := http2.NewFramer(c, c)
			acks := 0
			settings := func() {
				t.Helper()
				if err := framer.WriteSettings(); err != nil {
					t.Fatal(err)
				}
				awaitFrame(t, framer, &acks, func(h http2.FrameHeader) bool {
					return h.Type == http2.FrameSettings && h.Flags.Has(http2.FlagSettingsAck)
				})
			}
			settings()
			settings()
			var block bytes.Buffer
			e := hpack.NewEncoder(&block)
			for _, field := range [][2]string{
				{":method", "POST"}, {":scheme", "http"}, {":path", "/x/y"}, {":authority", "host"}, {"content-type", contentType}, {"te", "trailers"},
			} {
				_ = e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}) // a bytes.Buffer has no errors
			}
			err = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
			if err != nil {
				t.Fatal(err)
			}
			awaitFrame(t, framer, &acks, func(h http2.FrameHeader) bool { return h.Flags.Has(http2.FlagHeadersEndStream) && h.StreamID == 1 })
			settings()
			if err := framer.WritePing(false, [8]byte{1}); err != nil {
				t.Fatal(err)
			}
			awaitFrame(t, framer, &acks, func(h http2.FrameHeader) bool { return h.Type == http2.FramePing })
			if acks != 3 {
				t.Errorf("3 SETTINGS got %d acknowledgements", acks)
			}
		})
	}
}

// awaitFrame reads frames up to one for which match returns true. It acknowledges SETTINGS, and adds the acknowledgements in the frames to
// acks.
func awaitFrame(t *testing.T, framer *http2.Framer, acks *int, match func(http2.FrameHeader) bool) {
	t.Helper()
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := frame.(*http2.SettingsFrame); ok {
			if s.IsAck() {
				*acks++
			} else if err := framer.WriteSettingsAck(); err != nil {
				t.Fatal(err)
			}
		}
		if match(frame.Header()) {
			return
		}
	}
}
