package tree

import "slices"

// inOrderName is the length of the name that an OpCreateInOrder makes.
const inOrderName = 20

// Growth returns the number of bytes by which a command for a key, with an Op up to OpCompareAndDelete, would change View.Bytes. It is
// negative if the tree would become smaller. For a command that would fail, and for one of another kind, Growth returns 0. It ignores
// PrevValue and PrevIndex: for a command whose comparison fails, it returns the growth after a comparison that succeeds. The path must be
// valid.
func (v *View) Growth(c *Command) int64 {
	switch c.Op {
	case OpSet, OpCreate, OpUpdate, OpCompareAndSwap:
		return v.growthOfWrite(c)
	case OpCreateInOrder:
		dir := c.Path
		if dir == "/" {
			dir = ""
		}
		missing, blocked := v.missing(c.Path)
		if blocked {
			return 0
		}
		return missing + int64(len(dir)) + 1 + inOrderName + valueSize(c)
	case OpDelete, OpCompareAndDelete:
		return -v.sizeBelow(c)
	}
	return 0
}

// growthOfWrite is Growth for a command that stores a node at its path.
func (v *View) growthOfWrite(c *Command) int64 {
	old := v.Lookup(c.Path)
	switch {
	case old == nil && (c.Op == OpSet && c.Refresh || c.Op == OpUpdate || c.Op == OpCompareAndSwap):
		return 0 // there must be a node
	case old == nil:
		missing, blocked := v.missing(c.Path)
		if blocked {
			return 0
		}
		return missing + valueSize(c)
	case old.IsDir(), c.Op == OpCreate:
		return 0 // a directory has no value, and an existing node is an error for OpCreate
	case c.Op == OpSet:
		if c.Refresh && !c.Dir {
			return 0
		}
		return valueSize(c) - int64(len(old.Value()))
	case c.Refresh:
		return 0
	}
	return int64(len(c.Value) - len(old.Value()))
}

// valueSize returns the length of the value of a new node.
func valueSize(c *Command) int64 {
	if c.Dir {
		return 0
	}
	return int64(len(c.Value))
}

// missing returns the bytes of the paths that do not exist, from the first directory to the path itself. blocked is true if a file is in
// the place of a directory.
func (v *View) missing(path string) (bytes int64, blocked bool) {
	if path == "/" {
		return 0, false
	}
	at := v.root
	for end := 0; end < len(path); {
		start := end + 1
		name, _, _ := cutName(path[start:])
		end = start + len(name)
		if at != nil {
			if !at.IsDir() {
				return 0, true
			}
			at = at.directory().children.Get(name)
		}
		if at == nil {
			bytes += int64(end)
		}
	}
	return bytes, at != nil && !at.IsDir()
}

// sizeBelow returns the bytes that a removal removes; 0 if it would fail.
func (v *View) sizeBelow(c *Command) int64 {
	n := v.Lookup(c.Path)
	switch {
	case n == nil, c.Path == "/":
		return 0
	case !n.IsDir():
		return n.bytes()
	case c.Op == OpCompareAndDelete:
		return 0
	case c.Recursive, c.Dir && n.directory().children.Len() == 0:
		return n.bytes() + n.directory().bytes
	}
	return 0
}

// measuringEpoch is the first epoch of the stores of TxnGrowth. No store that applies a log has reached it.
const measuringEpoch = 1 << 63

// TxnGrowth returns the number of bytes by which a transaction would change View.Bytes, if it were executed in this view. It is negative if
// the tree would become smaller, and 0 if the transaction would fail. TxnGrowth takes as long as the execution.
func (v *View) TxnGrowth(t *Txn) int64 {
	s := &Store{root: v.root, index: v.index, epoch: measuringEpoch, measures: true}
	if _, err := s.applyTxn(&Txn{Compares: t.Compares, Then: withoutExpiries(t.Then), Else: withoutExpiries(t.Else)}); err != nil {
		return 0
	}
	return s.root.directory().bytes - v.Bytes()
}

// withoutExpiries returns a copy of a list of operations without their TTLs, which don't change sizes.
func withoutExpiries(list []Command) []Command {
	list = slices.Clone(list)
	for i := range list {
		list[i].Expires = 0
	}
	return list
}
