package tree

import (
	"encoding/binary"
	"errors"
	"fmt"

	"pando/tree/users"
)

// Op is the operation of a command.
type Op uint8

// The operations. Their numbers are stored on disk and sent to other members: the number
// of an operation must never change, and must never be used again.
const (
	// OpSet writes a file or makes a directory. It replaces a file at the path. It fails
	// if there is a directory.
	OpSet Op = 1
	// OpCreate makes a node. It fails if there is one.
	OpCreate Op = 2
	// OpCreateInOrder makes a node below Path. Its name is its index.
	OpCreateInOrder Op = 3
	// OpUpdate changes an existing node, which keeps its createdIndex.
	OpUpdate Op = 4
	// OpCompareAndSwap writes a file if PrevValue and PrevIndex match.
	OpCompareAndSwap Op = 5
	// OpDelete removes a node.
	OpDelete Op = 6
	// OpCompareAndDelete removes a file if PrevValue and PrevIndex match.
	OpCompareAndDelete Op = 7
	// OpExpire removes at most ExpireLimit nodes whose TTL has ended at the time of the
	// batch.
	OpExpire Op = 8
	// OpUsers changes users, roles or the auth switch. See Command.Change.
	OpUsers Op = 9
	// OpMirror brings a tree that follows a running etcd up to date. See Command.Mirror.
	OpMirror Op = 10
	// OpTxn executes several operations as one. See Command.Txn.
	OpTxn Op = 11
	// OpGet reads a node. It is an operation of a Txn, and never a command of its own.
	OpGet Op = 12
)

const lastOp = OpGet

// ExpireLimit is the largest number of nodes that one OpExpire removes. With more,
// watchers could not read all events before the history drops them. The next OpExpire
// removes the rest. The limit must not change: every member must apply an entry alike.
const ExpireLimit = 256

// ErrBadCommand is returned for bytes that are not an encoded command.
var ErrBadCommand = errors.New("tree: not an encoded command")

// Command is one change of the tree, as it is stored in the log.
type Command struct {
	Op   Op
	Path string
	// Value is the new content of a file. A directory has none.
	Value string
	// Dir makes a directory instead of a file, or allows OpDelete to remove an empty one.
	Dir bool
	// Recursive allows OpDelete to remove a directory with all nodes below it. The result of an OpGet then shows all nodes below a
	// directory.
	Recursive bool
	// Refresh sets the TTL and keeps the value. Watchers do not get the event.
	Refresh bool
	// FileOnly makes an OpUpdate of a directory fail with CodeUnauthorized. When the TTL of a
	// directory ends, everything below it is removed, and the sender has no right to that.
	FileOnly bool
	// PrevValue must be equal to the value of the file, unless it is empty.
	PrevValue string
	// PrevIndex must be equal to the modifiedIndex of the file, unless it is zero.
	PrevIndex uint64
	// Expires is the time at which the node is removed, in nanoseconds since 1970; zero
	// is never. It is computed before the command is proposed, because Apply reads no
	// clock.
	Expires int64
	// AuthRevision is the revision of the users for which the command was authorized, or
	// zero if auth was disabled. Apply refuses the command with CodeAuthChanged if the users
	// have another revision, or if AuthRevision is zero and auth is enabled. OpExpire needs
	// no authorization. It is zero in the operations of a Txn.
	AuthRevision uint64
	// Change is the change of an OpUsers, which has no Path. It is nil for any other
	// operation.
	Change *users.Change
	// Mirror is the change of an OpMirror, which has no Path. It is nil for any other operation.
	Mirror *MirrorChange
	// Txn is the transaction of an OpTxn, which has no Path. It is nil for any other operation.
	Txn *Txn
}

// UsersLevel is the lowest feature level of a cluster at which a command may be an OpUsers or
// have an AuthRevision or FileOnly. Programs of lower levels can't decode such a command.
const UsersLevel = 2

// Level returns the lowest feature level at which the command may enter the log.
func (c *Command) Level() uint64 {
	switch {
	case c.Op == OpTxn || c.Op == OpGet:
		return TxnLevel
	case c.Op == OpMirror:
		return MirrorLevel
	case c.Op == OpUsers && c.Change.Op.IsV3():
		return KVLevel
	case c.Op == OpUsers || c.AuthRevision != 0 || c.FileOnly:
		return UsersLevel
	}
	return 0
}

const (
	flagDir = 1 << iota
	flagRecursive
	flagRefresh
	flagAuthRevision
	flagFileOnly

	lastFlag = flagFileOnly
)

// AppendCommand appends the encoding of c to dst.
func AppendCommand(dst []byte, c *Command) []byte {
	var flags byte
	if c.Dir {
		flags |= flagDir
	}
	if c.Recursive {
		flags |= flagRecursive
	}
	if c.Refresh {
		flags |= flagRefresh
	}
	if c.AuthRevision != 0 {
		flags |= flagAuthRevision
	}
	if c.FileOnly {
		flags |= flagFileOnly
	}
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
	if f.Op == 0 || f.Op > lastOp {
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
