package etcdv2

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// errMalformed means that bytes are not the message that was expected.
var errMalformed = errors.New("malformed message")

// field is one field of a message. Fields of the types varint, fixed32 and fixed64 have a number, those of the type bytes have
// bytes, which share memory with the message.
type field struct {
	num    protowire.Number
	typ    protowire.Type
	number uint64
	bytes  []byte
}

// eachField calls visit for each field of a message, in order. It stops at the first error of visit. For bytes that are no
// message, and for groups, it returns errMalformed.
func eachField(message []byte, visit func(field) error) error {
	for len(message) > 0 {
		num, typ, n := protowire.ConsumeTag(message)
		if n < 0 {
			return errMalformed
		}
		message = message[n:]
		f := field{num: num, typ: typ}
		switch typ {
		case protowire.VarintType:
			f.number, n = protowire.ConsumeVarint(message)
		case protowire.Fixed64Type:
			f.number, n = protowire.ConsumeFixed64(message)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(message)
			f.number = uint64(v)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(message)
		default:
			return errMalformed
		}
		if n < 0 {
			return errMalformed
		}
		message = message[n:]
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}

// scalars decodes a message whose fields below are all that matters: numbers[n] gets the number of field n, bytes[n] its
// bytes. Unknown fields are skipped. A known field of another type is an error.
func scalars(message []byte, numbers map[protowire.Number]*uint64, bytes map[protowire.Number]*[]byte) error {
	return eachField(message, func(f field) error {
		if p := numbers[f.num]; p != nil {
			if f.typ != protowire.VarintType {
				return errMalformed
			}
			*p = f.number
		}
		if p := bytes[f.num]; p != nil {
			if f.typ != protowire.BytesType {
				return errMalformed
			}
			*p = f.bytes
		}
		return nil
	})
}
