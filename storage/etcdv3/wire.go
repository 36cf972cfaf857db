package etcdv3

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMessage means that bytes are not the message that was expected.
var ErrMessage = errors.New("malformed message")

// field is one field of a message, of the types varint or bytes. text shares memory with the message.
type field struct {
	num    protowire.Number
	number uint64
	text   []byte
}

// eachField calls visit for each field of the types varint and bytes, in order. It skips other fields. It stops at the first error of
// visit, and returns ErrMessage for bytes that are no message.
func eachField(message []byte, visit func(field) error) error {
	for len(message) > 0 {
		num, typ, n := protowire.ConsumeTag(message)
		if n < 0 {
			return ErrMessage
		}
		message = message[n:]
		f, known := field{num: num}, true
		switch typ {
		case protowire.VarintType:
			f.number, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			f.text, n = protowire.ConsumeBytes(message)
		default:
			known = false
			n = protowire.ConsumeFieldValue(num, typ, message)
		}
		if n < 0 {
			return ErrMessage
		}
		message = message[n:]
		if !known {
			continue
		}
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}

// appendText appends a field of the type bytes. As in proto3, an empty text is left out.
func appendText(dst []byte, num protowire.Number, text string) []byte {
	if text == "" {
		return dst
	}
	return protowire.AppendString(protowire.AppendTag(dst, num, protowire.BytesType), text)
}

// appendInt appends a field of the type varint. As in proto3, a zero is left out.
func appendInt(dst []byte, num protowire.Number, n int64) []byte {
	if n == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, num, protowire.VarintType), uint64(n))
}

// appendMessage appends a field that is a message. An empty message is not left out.
func appendMessage(dst []byte, num protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, num, protowire.BytesType), message)
}
