package tree

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Op is what a command does.
type Op uint8

// The operations. Their numbers are on disk and on the wire: never reuse one.
const (
	// OpSet writes a file or makes a directory, whatever was there before.
	OpSet Op = 1
	// OpCreate makes a node and fails where one exists.
	OpCreate Op = 2
	// OpCreateInOrder makes a node named by its index below Path.
	OpCreateInOrder Op = 3
	// OpUpdate writes an existing node and keeps its createdIndex.
	OpUpdate Op = 4
	// OpCompareAndSwap writes a file when PrevValue and PrevIndex hold.
	OpCompareAndSwap Op = 5
	// OpDelete removes a node.
	OpDelete Op = 6
	// OpCompareAndDelete removes a file when PrevValue and PrevIndex hold.
	OpCompareAndDelete Op = 7
	// OpExpire removes what is due at the time of the batch, at most
	// ExpireLimit nodes in one command.
	OpExpire Op = 8
)

const lastOp = OpExpire

// Limits of a path. Bounding them keeps one request from costing more than it
// weighs: a listing repeats the whole path in every node below.
const (
	// MaxPathBytes is the length of the longest path that a command may name.
	MaxPathBytes = 16 << 10
	// MaxPathDepth is the number of components of the deepest path.
	MaxPathDepth = 1024
)

// ExpireLimit is how many nodes one OpExpire removes at most. What remains due
// is left to the next: a sweep must not outrun the watchers' history.
const ExpireLimit = 256

// ErrBadCommand is returned for bytes that are no encoded command.
var ErrBadCommand = errors.New("tree: not an encoded command")

// Command is one change asked for by a client, in the form in which it goes
// through the log.
type Command struct {
	Op   Op
	Path string
	// Value is what a file shall hold; without meaning for a directory.
	Value string
	// Dir asks for a directory, or allows to delete one.
	Dir bool
	// Recursive allows to delete a directory with all below it.
	Recursive bool
	// Refresh renews the TTL, keeps the value and wakes no watcher.
	Refresh bool
	// PrevValue must equal the file's value, unless it is empty.
	PrevValue string
	// PrevIndex must equal the file's modifiedIndex, unless it is zero.
	PrevIndex uint64
	// Expires is when the node shall vanish, in nanoseconds since 1970; zero
	// is never. The proposer computes it, for applying has no clock.
	Expires int64
}

const (
	flagDir = 1 << iota
	flagRecursive
	flagRefresh
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
	dst = append(dst, byte(c.Op), flags)
	dst = binary.AppendVarint(dst, c.Expires)
	dst = binary.AppendUvarint(dst, c.PrevIndex)
	dst = binary.AppendUvarint(dst, uint64(len(c.PrevValue)))
	dst = binary.AppendUvarint(dst, uint64(len(c.Path)))
	dst = binary.AppendUvarint(dst, uint64(len(c.Value)))
	dst = append(dst, c.PrevValue...)
	dst = append(dst, c.Path...)
	return append(dst, c.Value...)
}

// DecodeCommand reads one command from the head of src and returns the rest.
// Path and Value share one allocation of their own, so a node keeps alive
// just the bytes that it shows. src may be reused after the call.
func DecodeCommand(src []byte) (Command, []byte, error) {
	f, rest, err := readFields(src)
	if err != nil {
		return Command{}, nil, err
	}
	c := f.Command
	c.PrevValue = string(f.prevValue)
	both := string(f.both)
	c.Path, c.Value = both[:f.pathLen], both[f.pathLen:]
	if err := c.checkPath(c.Path); err != nil {
		return Command{}, nil, err
	}
	return c, rest, nil
}

// CheckCommand returns what DecodeCommand would leave of src, or its error. It
// copies no value.
func CheckCommand(src []byte) ([]byte, error) {
	f, rest, err := readFields(src)
	if err == nil {
		err = f.checkPath(string(f.both[:f.pathLen]))
	}
	return rest, err
}

// fields is a command whose texts still lie in the bytes that it was read from.
type fields struct {
	Command          // without its texts
	prevValue []byte // PrevValue
	both      []byte // Path and Value
	pathLen   uint64
}

func readFields(src []byte) (f fields, rest []byte, err error) {
	if len(src) < 2 {
		return f, nil, fmt.Errorf("%w: %d bytes", ErrBadCommand, len(src))
	}
	f.Op = Op(src[0])
	if f.Op == 0 || f.Op > lastOp {
		return f, nil, fmt.Errorf("%w: unknown operation %d", ErrBadCommand, f.Op)
	}
	flags := src[1]
	if flags >= flagRefresh<<1 {
		return f, nil, fmt.Errorf("%w: unknown flags %#x", ErrBadCommand, flags)
	}
	f.Dir, f.Recursive, f.Refresh = flags&flagDir != 0, flags&flagRecursive != 0, flags&flagRefresh != 0
	r := reader{src: src[2:]}
	f.Expires = r.varint()
	f.PrevIndex = r.uvarint()
	prevLen, pathLen, valueLen := r.uvarint(), r.uvarint(), r.uvarint()
	f.prevValue, f.pathLen = r.bytes(prevLen), pathLen
	if r.bad || pathLen > uint64(len(r.src)) || valueLen > uint64(len(r.src))-pathLen {
		return f, nil, fmt.Errorf("%w: cut short", ErrBadCommand)
	}
	f.both = r.bytes(pathLen + valueLen)
	return f, r.src, nil
}

func (c *Command) checkPath(path string) error {
	if c.Op != OpExpire && !ValidPath(path) {
		return fmt.Errorf("%w: path %.64q is not clean", ErrBadCommand, path)
	}
	return nil
}

// ValidPath reports whether p is a clean path within the limits.
func ValidPath(p string) bool {
	if p == "/" {
		return true
	}
	if len(p) == 0 || p[0] != '/' || len(p) > MaxPathBytes {
		return false
	}
	depth := 0
	for rest := p[1:]; ; depth++ {
		name, tail, more := cutName(rest)
		if name == "" || name == "." || name == ".." {
			return false
		}
		if !more {
			return depth < MaxPathDepth
		}
		rest = tail
	}
}
