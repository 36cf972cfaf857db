package rpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"golang.org/x/net/http2"
)

// TestGoAwayIsRead checks that a client can read the last frames of a connection although it has sent more than the server reads.
func TestGoAwayIsRead(t *testing.T) {
	expectEOF := func(t *testing.T, c *rawClient) {
		t.Helper()
		for {
			if _, err := c.framer.ReadFrame(); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				t.Fatalf("got %v, want the end of the connection", err)
			}
		}
	}
	t.Run("after a violation", func(t *testing.T) {
		_, address, _ := serve(t, func(c *Config) { c.lingerTimeout = deadline })
		c := dialRaw(t, address)
		var all bytes.Buffer
		f := http2.NewFramer(&all, nil)
		f.AllowIllegalWrites = true
		c.must(f.WriteRawFrame(http2.FramePushPromise, 4, 1, data(4)))
		all.Write(make([]byte, 128<<10))
		_, err := c.net.Write(all.Bytes())
		c.must(err)
		if f, ok := c.next().(*http2.GoAwayFrame); !ok || f.ErrCode != http2.ErrCodeProtocol {
			t.Errorf("got %v", f)
		}
		expectEOF(t, c)
	})
	t.Run("at the end of the server", func(t *testing.T) {
		s, address, _ := serve(t, func(c *Config) { c.lingerTimeout = deadline })
		c := dialRaw(t, address)
		c.headers(1, "EchoAll", false)
		c.message(1, 3, false)
		for range 2 { // the headers and the message
			c.next()
		}
		done := make(chan error, 1)
		go func() { done <- s.Shutdown(context.Background()) }()
		if f, ok := c.next().(*http2.GoAwayFrame); !ok || f.ErrCode != http2.ErrCodeNo {
			t.Errorf("got %v", f)
		}
		c.must(c.framer.WritePing(true, drainPing))
		if f, ok := c.next().(*http2.GoAwayFrame); !ok || f.LastStreamID != 1 {
			t.Errorf("got %v", f)
		}
		c.must(c.framer.WriteData(1, true, nil))
		c.must(c.framer.WriteWindowUpdate(0, 1)) // the server may have closed the connection before
		expectEOF(t, c)
		c.must(c.net.Close())
		if err := <-done; err != nil {
			t.Errorf("Shutdown returns %v", err)
		}
	})
}
