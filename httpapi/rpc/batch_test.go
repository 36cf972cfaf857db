package rpc

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
)

// TestSendMessages sends batches of messages to a client that gives small windows. The bytes must arrive once and in order, although the
// sender uses its buffer again.
func TestSendMessages(t *testing.T) {
	const batches, window = 20, 3000
	sent := make(chan error, 1)
	methods := map[string]Method{"/a.B/Batches": {Stream: func(s grpc.ServerStream) error {
		b := make([]byte, 0, 2*MaxBatch)
		for i := range batches {
			b = b[:0]
			for range i {
				b = append(AppendMessageHead(b, 1000), bytes.Repeat([]byte{byte(i)}, 1000)...)
			}
			if err := s.(*stream).SendMessages(b); err != nil {
				sent <- err
				return err
			}
			clear(b[:cap(b)])
		}
		sent <- nil
		return nil
	}}}
	_, address, _ := serve(t, func(cfg *Config) { cfg.Methods = methods })
	c := dialRaw(t, address, http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	c.headers(1, "Batches", true)
	var got, want []byte
	for i := range batches {
		for range i {
			want = append(AppendMessageHead(want, 1000), bytes.Repeat([]byte{byte(i)}, 1000)...)
		}
	}
	for ended := false; !ended; {
		switch f := c.next().(type) {
		case *http2.DataFrame:
			got = append(got, f.Data()...)
			if n := len(f.Data()); n > 0 {
				c.must(c.framer.WriteWindowUpdate(0, uint32(n)))
				c.must(c.framer.WriteWindowUpdate(1, uint32(n)))
			}
		case *http2.MetaHeadersFrame:
			ended = f.StreamEnded()
		default:
			t.Fatalf("got %v", f)
		}
	}
	if err := <-sent; err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, want %d; %v", len(got), len(want), err)
	}
}
