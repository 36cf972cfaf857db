package rpc

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestCompression(t *testing.T) {
	_, address, _ := serve(t, nil)
	c := dialClient(t, address)
	compressed := grpc.UseCompressor(gzip.Name)
	var r wrapperspb.BytesValue
	t.Run("calls", func(t *testing.T) {
		for _, size := range []int{0, 1, 100_000, 3 << 20} {
			want := bytes.Repeat([]byte("ab"), size/2)
			for _, method := range []string{"Echo", "Yield", "Late"} {
				err := c.Invoke(testContext(t), "/a.B/"+method, wrapperspb.Bytes(want), &r, compressed)
				if err != nil || !bytes.Equal(r.Value, want) {
					t.Errorf("%s of %d bytes: got %d bytes, %v", method, size, len(r.Value), err)
				}
			}
		}
	})
	t.Run("too large", func(t *testing.T) {
		err := c.Invoke(testContext(t), "/a.B/Echo", wrapperspb.Bytes(make([]byte, 5<<20)), &r, compressed)
		const want = "grpc: received message after decompression larger than max 4194304"
		if status.Code(err) != codes.ResourceExhausted || status.Convert(err).Message() != want {
			t.Errorf("got %v", err)
		}
	})
	t.Run("stream", func(t *testing.T) {
		s, err := c.NewStream(testContext(t), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/a.B/EchoAll", compressed)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			exchange(t, s)
		}
	})
}

func TestBadCompression(t *testing.T) {
	_, address, _ := serve(t, nil)
	for name, test := range map[string]struct{ encoding, status string }{
		"no gzip": {"gzip", "13"},
		"other":   {"snappy", "12"},
		"none":    {"identity", "13"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, address)
			c.t = t
			c.headers(1, "Echo", false, hpack.HeaderField{Name: "grpc-encoding", Value: test.encoding})
			c.must(c.framer.WriteData(1, true, append(binary.BigEndian.AppendUint32([]byte{1}, 3), 1, 2, 3)))
			c.expectStatus(1, test.status)
		})
	}
}
