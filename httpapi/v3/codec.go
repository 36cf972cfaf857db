package v3

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// A response, or a message of a stream, has one of these forms:
//
//   - a generated message
//   - a Message, which appends its wire form. So a method that reads the tree need not make an object for each key.
//   - a Buffers, whose parts are sent as they are. So many watchers can share the encoding of an event.

// Message is a response that appends its own wire form.
type Message interface {
	// Size returns the number of bytes that AppendTo appends, or more.
	Size() int
	// AppendTo appends the wire form of the message to b and returns the extended slice. It must not keep b. It is called once, by the
	// goroutine of the method, or by that of SendMsg.
	AppendTo(b []byte) []byte
}

// Buffers is a response that is encoded already. The parts may be shared: mem.SliceBuffer for bytes that are never changed and that the
// garbage collector frees, or other buffers with one reference for each response. grpc-go frees them when it has written them or has given
// up.
type Buffers mem.BufferSlice

// Decoder is a request that reads its own wire form. It must not keep b.
type Decoder interface {
	Decode(b []byte) error
}

// codec is the codec of all messages.
type codec struct{}

// generated is the codec of generated messages.
var generated = encoding.GetCodecV2(proto.Name)

// Name returns the name that is a part of the content type.
func (codec) Name() string { return proto.Name }

// Marshal returns the wire form of a response. The buffers of large responses are used again.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	switch v := v.(type) {
	case Message:
		size := v.Size()
		if mem.IsBelowBufferPoolingThreshold(size) {
			return mem.BufferSlice{mem.SliceBuffer(v.AppendTo(make([]byte, 0, size)))}, nil
		}
		pool := mem.DefaultBufferPool()
		buffer := pool.Get(size)
		*buffer = v.AppendTo((*buffer)[:0])
		return mem.BufferSlice{mem.NewBuffer(buffer, pool)}, nil
	case Buffers:
		return mem.BufferSlice(v), nil
	}
	return generated.Marshal(v)
}

// Unmarshal decodes a request into v.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	d, ok := v.(Decoder)
	if !ok {
		return generated.Unmarshal(data, v)
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	return d.Decode(buffer.ReadOnlyData())
}
