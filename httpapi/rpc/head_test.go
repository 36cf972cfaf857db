package rpc

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestHeadsOfManyUsers sends the calls of many users on one connection, as a proxy does, with headers in all forms that HPACK and HTTP/2
// have: each call must have the metadata that it was sent with.
func TestHeadsOfManyUsers(t *testing.T) {
	_, address, _ := serve(t, nil)
	const seed, calls = 7, 3000
	random := rand.New(rand.NewPCG(seed, seed))
	c := dialRaw(t, address)
	encoder := hpack.NewEncoder(&c.block)
	sizes := []uint32{0, 100, 300, headerTable}
	for i := range uint32(calls) {
		id, user := 2*i+1, fmt.Sprint("user-", random.IntN(4))
		if random.IntN(20) == 0 {
			encoder.SetMaxDynamicTableSize(sizes[random.IntN(len(sizes))])
		}
		c.block.Reset()
		for _, f := range [][2]string{
			{":method", "POST"}, {":scheme", "http"}, {":path", "/a.B/Metadata"}, {":authority", "a"}, {"content-type", "application/grpc"},
			{"authorization", user},
		} {
			c.must(encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1], Sensitive: random.IntN(100) == 0}))
		}
		if random.IntN(50) == 0 {
			c.must(encoder.WriteField(hpack.HeaderField{Name: "other", Value: fmt.Sprint(i)}))
		}
		p := http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true}
		switch random.IntN(30) {
		case 0:
			p.PadLength = 5
		case 1:
			p.Priority = http2.PriorityParam{Weight: 3}
		case 2:
			p.BlockFragment, p.EndHeaders = p.BlockFragment[:1], false
		}
		c.must(c.framer.WriteHeaders(p))
		if !p.EndHeaders {
			c.must(c.framer.WriteContinuation(id, true, c.block.Bytes()[1:]))
		}
		request := append([]byte{0, 0, 0, 0, 15, 10, 13}, "authorization"...)
		c.must(c.framer.WriteData(id, true, request))
		if got := c.receiveText(id); got != user {
			t.Fatalf("call %d of %s has the metadata of %s", i, user, got)
		}
	}
}

// receiveText returns the text of a response, which it expects with success.
func (c *rawClient) receiveText(id uint32) (text string) {
	c.t.Helper()
	for {
		switch f := c.next().(type) {
		case *http2.DataFrame:
			text = string(f.Data()[messageHead+2:])
		case *http2.MetaHeadersFrame:
			if !f.StreamEnded() {
				continue
			}
			if got := field(f, "grpc-status"); f.StreamID != id || got != "0" {
				c.t.Fatalf("the stream %d ends with %q", f.StreamID, got)
			}
			return text
		default:
			c.t.Fatalf("got %v", f)
		}
	}
}
