package tree

import (
	"fmt"

	"github.com/tidwall/btree"
)

// DefaultMaxTxnOps is the usual limit of the operations of a KVTxn. See KVTxn.Check.
const DefaultMaxTxnOps = 128

// maxKVDepth is the largest number of transactions that are nested in each other. Those within DefaultMaxTxnOps have at most one more
// level than operations, because every level counts at least one operation.
const maxKVDepth = DefaultMaxTxnOps + 1

// CheckKV returns the error of an OpPut, OpDeleteRange, OpKV, OpLeaseGrant, OpLeaseRevoke or OpCompact that does not depend on the tree, or
// nil. A command with such an error must not be proposed. See KVTxn.Check for maxOps. It returns nil for other operations.
func (c *Command) CheckKV(maxOps int) *Error {
	switch c.Op {
	case OpPut:
		op := c.putOp()
		return op.checkPut()
	case OpDeleteRange:
		return checkKVKey(c.Path)
	case OpKV:
		return c.KV.Check(maxOps)
	case OpLeaseGrant:
		return checkGrant(c)
	}
	return nil
}

// Check returns the error of a transaction that does not depend on the tree, or nil. The transaction must not be executed then.
//
// A transaction, with those that are nested in it, may have maxOps operations: the longest list of compares or operations counts at each
// level. No key may be written twice, or written and removed, unless it happens in the two branches of one nested transaction. As in the
// reference, two such cases are allowed and executed in the order of the operations: a range without an end removes a written key, and a
// nested transaction removes a key that an earlier nested transaction has written.
func (t *KVTxn) Check(maxOps int) *Error {
	if err := t.checkFields(maxOps, 0); err != nil {
		return err
	}
	for _, list := range [...][]KVOp{t.Then, t.Else} {
		if _, err := writesOf(list); err != nil {
			return err
		}
	}
	return nil
}

// checkFields checks the numbers of operations and the fields of each. depth is the number of transactions around this one.
func (t *KVTxn) checkFields(maxOps, depth int) *Error {
	ops := max(len(t.Compares), len(t.Then), len(t.Else))
	if ops > maxOps || depth >= maxKVDepth {
		return NewError(CodeTooManyOps, fmt.Sprintf("a transaction has more than %d operations", maxOps))
	}
	for i := range t.Compares {
		if err := t.Compares[i].check(); err != nil {
			return err
		}
	}
	for _, list := range [...][]KVOp{t.Then, t.Else} {
		for i := range list {
			if err := list[i].check(maxOps-ops, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *KVCompare) check() *Error {
	if err := checkKVKey(c.From); err != nil {
		return err
	}
	if c.Target > KVTargetLease || c.Result > KVNotEqual {
		return NewError(CodeInvalidCompare, fmt.Sprintf("target %d, result %d", c.Target, c.Result))
	}
	return nil
}

// check checks an operation of a transaction. maxOps is the limit for a nested transaction.
func (o *KVOp) check(maxOps, depth int) *Error {
	switch o.Kind {
	case KVPut:
		return o.checkPut()
	case KVDeleteRange:
		return checkKVKey(o.Keys.From)
	case KVRange:
		return o.Range.Check()
	case KVNested:
		return o.Txn.checkFields(maxOps, depth+1)
	}
	return NewError(CodeKeyMissing, "an operation of the transaction is empty")
}

// Check returns the error of a query that does not depend on the tree, or nil. The query must not be executed then.
func (q *RangeQuery) Check() *Error {
	if err := checkKVKey(q.From); err != nil {
		return err
	}
	if q.Sort > lastSortTarget || q.Order > lastSortOrder {
		return NewError(CodeInvalidSort, fmt.Sprintf("target %d, order %d", q.Sort, q.Order))
	}
	return nil
}

func (o *KVOp) checkPut() *Error {
	if err := checkKVKey(o.Key); err != nil {
		return err
	}
	switch {
	case o.IgnoreValue && o.Value != "":
		return NewError(CodeValueProvided, o.Key)
	case o.IgnoreLease && o.Lease != 0:
		return NewError(CodeLeaseProvided, o.Key)
	}
	return nil
}

// checkKVKey returns the error of a key, or of the first key of a range.
func checkKVKey(key string) *Error {
	switch {
	case key == "":
		return NewError(CodeEmptyKey, "")
	case len(key) > MaxKeyBytes:
		return NewError(CodeKeyTooLong, fmt.Sprintf("the key has %d bytes, but at most %d are allowed", len(key), MaxKeyBytes))
	}
	return nil
}

// kvWrites are the keys that a list of operations may write and the ranges that it may remove.
type kvWrites struct {
	puts    map[string]struct{}
	deletes rangeSet
}

// writesOf returns the writes of a list of operations. It returns CodeDuplicateKey if the list may write a key twice.
func writesOf(list []KVOp) (w kvWrites, err *Error) {
	w.puts = make(map[string]struct{})
	for i := range list {
		if list[i].Kind == KVDeleteRange {
			w.deletes.add(list[i].Keys)
		}
	}
	for i := range list {
		if list[i].Kind == KVNested {
			if err := w.addNested(list[i].Txn); err != nil {
				return w, err
			}
		}
	}
	for i := range list {
		if list[i].Kind != KVPut {
			continue
		}
		if err := w.addPut(list[i].Key, nil); err != nil {
			return w, err
		}
	}
	return w, nil
}

// addNested adds the writes of both branches of a nested transaction.
func (w *kvWrites) addNested(t *KVTxn) *Error {
	then, err := writesOf(t.Then)
	if err != nil {
		return err
	}
	otherwise, err := writesOf(t.Else)
	if err != nil {
		return err
	}
	for key := range then.puts {
		if err := w.addPut(key, nil); err != nil {
			return err
		}
	}
	for key := range otherwise.puts {
		if err := w.addPut(key, then.puts); err != nil {
			return err
		}
	}
	w.deletes.addAll(&then.deletes)
	w.deletes.addAll(&otherwise.deletes)
	return nil
}

// addPut adds a key. The key may be there already if it is one of the keys of except.
func (w *kvWrites) addPut(key string, except map[string]struct{}) *Error {
	if _, written := w.puts[key]; written {
		if _, ok := except[key]; !ok {
			return NewError(CodeDuplicateKey, key)
		}
	}
	if w.deletes.contains(key) {
		return NewError(CodeDuplicateKey, key)
	}
	w.puts[key] = struct{}{}
	return nil
}

// rangeSet is a set of keys, stored as ranges that do not overlap. The zero rangeSet is empty.
type rangeSet struct{ ranges *btree.BTreeG[KeyRange] }

// add adds the keys of a range. A range without an end adds none, as in the reference.
func (s *rangeSet) add(r KeyRange) {
	if r.To <= r.From {
		return
	}
	if s.ranges == nil {
		s.ranges = btree.NewBTreeGOptions(func(a, b KeyRange) bool { return a.From < b.From }, btree.Options{NoLocks: true})
	}
	var merged []KeyRange
	s.ranges.Descend(KeyRange{From: r.To}, func(other KeyRange) bool {
		if other.To < r.From {
			return false
		}
		merged = append(merged, other)
		return true
	})
	for _, other := range merged {
		s.ranges.Delete(other)
		r.From, r.To = min(r.From, other.From), max(r.To, other.To)
	}
	s.ranges.Set(r)
}

func (s *rangeSet) addAll(other *rangeSet) {
	if other.ranges != nil {
		other.ranges.Scan(func(r KeyRange) bool {
			s.add(r)
			return true
		})
	}
}

func (s *rangeSet) contains(key string) (found bool) {
	if s.ranges != nil {
		s.ranges.Descend(KeyRange{From: key}, func(r KeyRange) bool {
			found = key < r.To
			return false
		})
	}
	return found
}
