package rpc

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Message is a response that appends its own wire form. A method that reads the tree then needs no object for each key.
type Message interface {
	// Size returns the number of bytes that AppendTo appends, or more.
	Size() int
	// AppendTo appends the wire form of the message to b and returns the extended slice. It must not keep b, and must not wait. It is
	// called once, by the goroutine of the handler.
	AppendTo(b []byte) []byte
}

// MaxBatch is the number of bytes of messages that fit into one frame.
const MaxBatch = maxFrame

// AppendMessageHead appends the head of a message that is not compressed. The wire form of the message must follow.
func AppendMessageHead(b []byte, length int) []byte {
	return binary.BigEndian.AppendUint32(append(b, 0), uint32(length))
}

// MessageHead is the length of the head of a message.
const MessageHead = messageHead

// sizeOf returns the size of a Message or a proto.Message, or more.
func sizeOf(m any) (size int, err error) {
	defer recoverTo(&err)
	switch m := m.(type) {
	case Message:
		return m.Size(), nil
	case proto.Message:
		return proto.Size(m), nil
	}
	return 0, status.Error(codes.Internal, fmt.Sprintf("a response has the type %T, which has no wire form", m))
}

// appendMessage appends the wire form of a message. Callers must have called sizeOf for m without an error, and must not have changed m
// since.
func appendMessage(b []byte, m any) (extended []byte, err error) {
	defer recoverTo(&err)
	if m, ok := m.(Message); ok {
		return m.AppendTo(b), nil
	}
	return proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, m.(proto.Message))
}

// recoverTo turns a panic into an error: a message that can't be encoded must not end the process. Callers must defer it.
func recoverTo(err *error) {
	if p := recover(); p != nil {
		*err = status.Errorf(codes.Internal, "the server has a fault: encoding a response: %v", p)
	}
}

// Encode returns the wire form of a Message or a proto.Message.
func Encode(m any) ([]byte, error) {
	size, err := sizeOf(m)
	if err != nil {
		return nil, err
	}
	return appendMessage(make([]byte, 0, size), m)
}

// unmarshal decodes a request into v, a proto.Message.
func unmarshal(b []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("a request has the type %T, which has no wire form", v)
	}
	return proto.Unmarshal(b, m)
}
