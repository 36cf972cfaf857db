package tree

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The encoding of a Txn is that of its compares, of Then and of Else, each with the number of its elements in front. An operation has the
// encoding of a command.

var (
	errTxnCut   = errors.New("a transaction is cut short, or has more bytes behind it")
	errTxnValue = errors.New("a compare of a transaction has an unknown kind or a path that is not clean")
	errTxnOp    = errors.New("a transaction has an operation that is not allowed in it, or one with an authorization of its own")
)

// appendTxn appends the encoding of t to dst.
func appendTxn(dst []byte, t *Txn) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(t.Compares)))
	for i := range t.Compares {
		dst = appendCompare(dst, &t.Compares[i])
	}
	for _, list := range [...][]Command{t.Then, t.Else} {
		dst = binary.AppendUvarint(dst, uint64(len(list)))
		for i := range list {
			dst = AppendCommand(dst, &list[i])
		}
	}
	return dst
}

func appendCompare(dst []byte, c *Compare) []byte {
	dst = append(dst, byte(c.Kind))
	dst = binary.AppendUvarint(dst, uint64(len(c.Path)))
	dst = append(dst, c.Path...)
	switch c.Kind {
	case CompareValue:
		dst = binary.AppendUvarint(dst, uint64(len(c.Value)))
		dst = append(dst, c.Value...)
	case CompareIndex:
		dst = binary.AppendUvarint(dst, c.Index)
	}
	return dst
}

// decodeTxn decodes a transaction. It shares no memory with src.
func decodeTxn(src []byte) (*Txn, error) {
	t, r := &Txn{}, decoder{src: src}
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		c := Compare{Kind: CompareKind(r.octet()), Path: r.lengthPrefixed()}
		switch c.Kind {
		case CompareExists, CompareMissing:
		case CompareValue:
			c.Value = r.lengthPrefixed()
		case CompareIndex:
			c.Index = r.uvarint()
		default:
			return nil, errTxnValue
		}
		if !ValidPath(c.Path) {
			return nil, errTxnValue
		}
		t.Compares = append(t.Compares, c)
	}
	for _, list := range [...]*[]Command{&t.Then, &t.Else} {
		for n := r.uvarint(); n > 0 && !r.bad; n-- {
			c, rest, err := decodeTxnOp(r.src)
			if err != nil {
				return nil, err
			}
			*list = append(*list, c)
			r.src = rest
		}
	}
	if r.bad || len(r.src) > 0 {
		return nil, errTxnCut
	}
	return t, nil
}

// decodeTxnOp decodes the operation at the beginning of src, and returns the bytes after it.
func decodeTxnOp(src []byte) (Command, []byte, error) {
	f, rest, err := readFields(src)
	if err != nil {
		return Command{}, nil, err
	}
	if !f.Op.inTxn() || f.AuthRevision != 0 {
		return Command{}, nil, errTxnOp
	}
	c, err := f.keyCommand()
	if err != nil {
		return Command{}, nil, fmt.Errorf("in a transaction: %w", err)
	}
	return c, rest, nil
}

// inTxn reports whether a Txn may have the operation.
func (op Op) inTxn() bool { return op >= OpSet && op <= OpCompareAndDelete || op == OpGet }
