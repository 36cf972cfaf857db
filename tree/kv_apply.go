package tree

import "fmt"

// applyKV executes a command of the v3 API.
func (s *Store) applyKV(c *Command) (r Result) {
	s.startKeyHistory()
	if r.Err = s.checkLeases(c); r.Err != nil {
		return r
	}
	switch c.Op {
	case OpPut:
		op := c.putOp()
		if r.Err = s.checkPut(&op, s.current()); r.Err == nil {
			r.Event, r.Err = s.putValue(&op)
		}
	case OpDeleteRange:
		op := KVOp{Kind: KVDeleteRange, PrevKV: c.PrevKV, Keys: KeyRange{From: c.Path, To: c.Value}}
		s.beginTxn()
		defer s.endTxn()
		limit := newResultLimit(s.resultBytes)
		r.KV = &KVResult{Succeeded: true, Ops: []KVOpResult{s.deleteRange(&op, limit)}}
		r.KV.Revision = s.current().Revision()
		if limit.isExceeded() {
			r.KV.dropNodes()
		}
	case OpKV:
		r.KV, r.Err = s.applyKVTxn(c.KV)
	case OpLeaseGrant:
		r.Err = s.grantLease(c)
	case OpLeaseRevoke:
		r.Err = s.revokeLeases(c)
	case OpCompact:
		r.Err = s.compactHistory(c.Revision)
	default:
		r.Err = NewError(CodeRaftInternal, fmt.Sprintf("unknown operation %d", c.Op))
	}
	return r
}

// current returns the state of the keys in the current batch. It is valid until the next change.
func (s *Store) current() *View {
	s.keys.root, s.keys.plain, s.keys.index, s.keys.revisions = s.root, s.plain, s.index, s.revisions
	return &s.keys
}

// checkPut returns the error of a put in a state of the keys. The lease must exist; so must the key if its value or its lease is kept.
func (s *Store) checkPut(o *KVOp, keys KeyReader) *Error {
	if o.Lease != 0 && s.leases.get(o.Lease) == nil {
		return NewError(CodeLeaseNotFound, leaseCause(o.Lease))
	}
	if (o.IgnoreValue || o.IgnoreLease) && keys.Key(o.Key) == nil {
		return NewError(CodeKeyMissing, o.Key)
	}
	return nil
}

// putValue executes a put for which checkPut has returned no error.
func (s *Store) putValue(o *KVOp) (*Event, *Error) {
	prev, v3Only := s.findKey(o.Key)
	if prev == nil && (o.IgnoreValue || o.IgnoreLease) {
		return nil, NewError(CodeKeyMissing, o.Key) // an operation before it in the transaction has removed the key
	}
	key, value, lease, expires := o.Key, o.Value, o.Lease, int64(0)
	if o.IgnoreValue {
		key, value = prev.Path(), prev.Value()
	}
	if o.IgnoreLease {
		lease, expires = prev.Lease(), prev.Expires()
	}
	action, c := ActionSet, s.newNumbers(s.index+1)
	if prev != nil {
		action, c = ActionUpdate, s.nextNumbers(prev)
	}
	n := newNumberedFile(key, value, expires, lease, c)
	s.putKey(n)
	s.moveLease(prev, n)
	return s.emit(&Event{action: action, v3Only: v3Only, node: n, prev: prev}, nil), nil
}

// findKey returns the file of a key, or nil if there is none. v3Only reports whether v2 does not show the file: because it is a plain key,
// or because there is a directory at its path.
func (s *Store) findKey(key string) (file *Node, v3Only bool) {
	switch n := nodeAt(s.root, key); {
	case n == nil:
		return s.plain.nodes.Get(key), !isPathKey(key)
	case n.IsDir():
		return n.Shadowed(), true
	default:
		return n, false
	}
}
