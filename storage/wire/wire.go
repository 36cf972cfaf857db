// Package wire reads and writes the fields of protocol buffers, without generated types, for the packages that read and write the files of
// etcd. The functions keep no state: any goroutine may call them.
package wire

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMalformed means that bytes are not the message that was expected.
var ErrMalformed = errors.New("malformed message")

// Field is one field of a message.
type Field struct {
	Num    protowire.Number
	Type   protowire.Type
	Number uint64 // the value, if Type is varint, fixed32 or fixed64
	Bytes  []byte // the value, if Type is bytes; it shares memory with the message
}

// EachField calls visit for each field of a message, in order. A group is a field without a value. EachField stops at the first error of
// visit and returns it. For bytes that are no message it returns ErrMalformed.
func EachField(message []byte, visit func(Field) error) error {
	for len(message) > 0 {
		num, typ, n := protowire.ConsumeTag(message)
		if n < 0 {
			return ErrMalformed
		}
		message = message[n:]
		f := Field{Num: num, Type: typ}
		switch typ {
		case protowire.VarintType:
			f.Number, n = protowire.ConsumeVarint(message)
		case protowire.Fixed64Type:
			f.Number, n = protowire.ConsumeFixed64(message)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(message)
			f.Number = uint64(v)
		case protowire.BytesType:
			f.Bytes, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(num, typ, message)
		}
		if n < 0 {
			return ErrMalformed
		}
		message = message[n:]
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}

// Scalars stores the fields of a message: numbers[n] gets the number of field n, and bytes[n] its bytes, which share memory with the
// message. Other fields are skipped. For a message that has such a field with another type it returns ErrMalformed.
func Scalars(message []byte, numbers map[protowire.Number]*uint64, bytes map[protowire.Number]*[]byte) error {
	return EachField(message, func(f Field) error {
		if p := numbers[f.Num]; p != nil {
			if f.Type != protowire.VarintType {
				return ErrMalformed
			}
			*p = f.Number
		}
		if p := bytes[f.Num]; p != nil {
			if f.Type != protowire.BytesType {
				return ErrMalformed
			}
			*p = f.Bytes
		}
		return nil
	})
}

// AppendText appends a field of the type bytes. As in proto3, an empty text is left out.
func AppendText(dst []byte, num protowire.Number, text string) []byte {
	if text == "" {
		return dst
	}
	return protowire.AppendString(protowire.AppendTag(dst, num, protowire.BytesType), text)
}

// AppendInt appends a field of the type varint. As in proto3, a zero is left out.
func AppendInt(dst []byte, num protowire.Number, n int64) []byte {
	if n == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, num, protowire.VarintType), uint64(n))
}

// AppendMessage appends a field of the type bytes. An empty message is not left out.
func AppendMessage(dst []byte, num protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, num, protowire.BytesType), message)
}
