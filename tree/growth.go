package tree

import "slices"

// measuringEpoch is the first epoch of the stores that measure. No store that applies a log has reached it.
const measuringEpoch = 1 << 63

// Growth returns the number of bytes by which a command for a key, with an Op up to OpCompareAndDelete, an OpPut, an OpDeleteRange or an
// OpKV, would change View.Bytes, if it were executed in this view. It is negative if the tree would become smaller. For a command that
// would fail, and for one of another kind, Growth returns 0. It ignores PrevValue and PrevIndex: for a command whose comparison fails, it
// returns the growth after a comparison that succeeds. Nor does it look whether the history holds the revisions that an OpKV reads. The
// path of a v2 command must be valid. Growth takes as long as the execution.
func (v *View) Growth(c *Command) int64 {
	switch {
	case c.Op == OpPut, c.Op == OpDeleteRange, c.Op == OpKV:
		return v.growth(func(s *Store) *Error { return s.applyKV(c).Err })
	case c.Op.isV3():
		return 0
	}
	change := *c
	change.PrevValue, change.PrevIndex, change.Expires = "", 0, 0
	return v.growth(func(s *Store) *Error {
		_, err := s.change(&change)
		return err
	})
}

// TxnGrowth is Growth for a transaction. It returns 0 if a comparison of an operation fails, because the transaction would fail.
func (v *View) TxnGrowth(t *Txn) int64 {
	return v.growth(func(s *Store) *Error {
		_, err := s.applyTxn(&Txn{Compares: t.Compares, Then: withoutExpiries(t.Then), Else: withoutExpiries(t.Else)})
		return err
	})
}

// growth executes changes without TTLs in a store that only measures, and returns the number of bytes by which they change View.Bytes. It
// returns 0 after an error. Nothing in the view changes.
func (v *View) growth(execute func(*Store) *Error) int64 {
	s := &Store{root: v.root, plain: v.plain, index: v.index, revisions: v.revisions, leases: v.leases, epoch: measuringEpoch, measures: true}
	if err := execute(s); err != nil {
		return 0
	}
	return s.bytes() - v.Bytes()
}

// withoutExpiries returns a copy of a list of operations without their TTLs, which don't change sizes.
func withoutExpiries(list []Command) []Command {
	list = slices.Clone(list)
	for i := range list {
		list[i].Expires = 0
	}
	return list
}
