package tree

import (
	"encoding/binary"
	"fmt"

	"pando/tree/users"
)

// The flags of a command, but for the operations of the v3 API.
const (
	flagDir = 1 << iota
	flagRecursive
	flagRefresh
	flagAuthRevision
	flagFileOnly

	lastFlag = flagFileOnly
)

// flagIf returns the flag if the condition holds, and otherwise zero.
func flagIf(condition bool, flag byte) byte {
	if condition {
		return flag
	}
	return 0
}

// AppendCommand appends the encoding of c to dst.
func AppendCommand(dst []byte, c *Command) []byte {
	if c.Op.isV3() {
		return appendKVCommand(dst, c)
	}
	flags := flagIf(c.Dir, flagDir) | flagIf(c.Recursive, flagRecursive) | flagIf(c.Refresh, flagRefresh) |
		flagIf(c.AuthRevision != 0, flagAuthRevision) | flagIf(c.FileOnly, flagFileOnly)
	dst = append(dst, byte(c.Op), flags)
	dst = binary.AppendVarint(dst, c.Expires)
	dst = binary.AppendUvarint(dst, c.PrevIndex)
	if c.AuthRevision != 0 {
		dst = binary.AppendUvarint(dst, c.AuthRevision)
	}
	switch c.Op {
	case OpUsers:
		return appendChange(dst, users.AppendChange(nil, c.Change))
	case OpMirror:
		return appendChange(dst, appendMirrorChange(nil, c.Mirror))
	case OpTxn:
		return appendChange(dst, appendTxn(nil, c.Txn))
	}
	dst = binary.AppendUvarint(dst, uint64(len(c.PrevValue)))
	dst = binary.AppendUvarint(dst, uint64(len(c.Path)))
	dst = binary.AppendUvarint(dst, uint64(len(c.Value)))
	dst = append(dst, c.PrevValue...)
	dst = append(dst, c.Path...)
	return append(dst, c.Value...)
}

// appendChange appends the last fields of an OpUsers, OpMirror or OpTxn. The encoded Change, Mirror or Txn is the value.
func appendChange(dst, change []byte) []byte {
	dst = append(dst, 0, 0) // the lengths of PrevValue and Path
	dst = binary.AppendUvarint(dst, uint64(len(change)))
	return append(dst, change...)
}

// DecodeCommand decodes the command at the beginning of src and returns the bytes after
// it. The command shares no memory with src. Path and Value lie in one allocation, so
// that a node which keeps both keeps nothing else alive. Errors wrap ErrBadCommand.
func DecodeCommand(src []byte) (Command, []byte, error) {
	if len(src) > 0 && Op(src[0]).isV3() {
		return decodeKVCommand(src)
	}
	f, rest, err := readCommand(src)
	if err != nil {
		return Command{}, nil, err
	}
	if f.hasChange() {
		if err := f.decodeChange(); err != nil {
			return Command{}, nil, err
		}
		return f.Command, rest, nil
	}
	c, err := f.keyCommand()
	if err != nil {
		return Command{}, nil, err
	}
	return c, rest, nil
}

// keyCommand returns a command without a change.
func (f *fields) keyCommand() (Command, error) {
	c := f.Command
	c.PrevValue = string(f.prevValue)
	text := string(f.pathAndValue)
	c.Path, c.Value = text[:f.pathLen], text[f.pathLen:]
	return c, c.checkPath(c.Path)
}

// CheckCommand returns the level of the command (see Command.Level), and the same bytes and
// the same error as DecodeCommand, without copying the value.
func CheckCommand(src []byte) (level uint64, rest []byte, err error) {
	if len(src) > 0 && Op(src[0]).isV3() {
		if rest, err = checkKVCommand(src); err != nil {
			return 0, nil, err
		}
		return KVLevel, rest, nil
	}
	f, rest, err := readCommand(src)
	switch {
	case err != nil:
	case f.hasChange():
		err = f.decodeChange()
	default:
		err = f.checkPath(string(f.pathAndValue[:f.pathLen]))
	}
	if err != nil {
		return 0, nil, err
	}
	return f.Level(), rest, nil
}

// fields is a decoded command whose strings are still part of the source.
type fields struct {
	Command      // PrevValue, Path and Value are not set
	prevValue    []byte
	pathAndValue []byte
	pathLen      uint64 // length of the path in pathAndValue
}

// readCommand reads the fields of a command of the log.
func readCommand(src []byte) (f fields, rest []byte, err error) {
	f, rest, err = readFields(src)
	if err == nil && f.Op == OpGet {
		err = fmt.Errorf("%w: a read outside of a transaction", ErrBadCommand)
	}
	return f, rest, err
}

// readFields reads the fields of a command of the log or of an operation of a Txn.
func readFields(src []byte) (f fields, rest []byte, err error) {
	if len(src) < 2 {
		return f, nil, fmt.Errorf("%w: %d bytes", ErrBadCommand, len(src))
	}
	f.Op = Op(src[0])
	if f.Op == 0 || f.Op >= OpPut {
		return f, nil, fmt.Errorf("%w: unknown operation %d", ErrBadCommand, f.Op)
	}
	flags := src[1]
	if flags >= lastFlag<<1 {
		return f, nil, fmt.Errorf("%w: unknown flags %#x", ErrBadCommand, flags)
	}
	f.Dir, f.Recursive, f.Refresh = flags&flagDir != 0, flags&flagRecursive != 0, flags&flagRefresh != 0
	f.FileOnly = flags&flagFileOnly != 0
	r := decoder{src: src[2:]}
	f.Expires = r.varint()
	f.PrevIndex = r.uvarint()
	if flags&flagAuthRevision != 0 {
		f.AuthRevision = r.uvarint()
	}
	prevLen, pathLen, valueLen := r.uvarint(), r.uvarint(), r.uvarint()
	f.prevValue, f.pathLen = r.bytes(prevLen), pathLen
	if r.bad || pathLen > uint64(len(r.src)) || valueLen > uint64(len(r.src))-pathLen {
		return f, nil, fmt.Errorf("%w: cut short", ErrBadCommand)
	}
	f.pathAndValue = r.bytes(pathLen + valueLen)
	return f, r.src, nil
}

// hasChange reports whether the value of the command is an encoded Change, Mirror or Txn.
func (f *fields) hasChange() bool { return f.Op == OpUsers || f.Op == OpMirror || f.Op == OpTxn }

// decodeChange decodes the Change of an OpUsers, the Mirror of an OpMirror or the Txn of an OpTxn.
func (f *fields) decodeChange() (err error) {
	if len(f.prevValue) > 0 || f.pathLen > 0 {
		return fmt.Errorf("%w: a change of users, of a mirror or a transaction with a path or a previous value", ErrBadCommand)
	}
	switch f.Op {
	case OpUsers:
		f.Change, err = users.DecodeChange(f.pathAndValue)
	case OpMirror:
		f.Mirror, err = decodeMirrorChange(f.pathAndValue)
	default:
		f.Txn, err = decodeTxn(f.pathAndValue)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadCommand, err)
	}
	return nil
}

func (c *Command) checkPath(path string) error {
	if c.Op != OpExpire && !ValidPath(path) {
		return fmt.Errorf("%w: path %.64q is not clean", ErrBadCommand, path)
	}
	return nil
}
