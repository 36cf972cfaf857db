package tree

// applyKVTxn executes an OpKV. After an error the tree is as it was before.
func (s *Store) applyKVTxn(t *KVTxn) (*KVResult, *Error) {
	x := kvExecution{store: s, maxBytes: s.resultBytes}
	if err := x.plan(t, s.current()); err != nil {
		return nil, err
	}
	s.beginTxn()
	defer s.endTxn()
	if !x.keepsKeys || !x.deletes {
		return x.executeAll(t)
	}
	// An operation may remove a key that a later one must find.
	before := s.savepoint()
	s.epoch++
	r, err := x.executeAll(t)
	if err != nil {
		s.rollBack(&before)
	}
	return r, err
}

// ReadKV executes a transaction for which KVTxn.IsReadOnly is true, in the last published state. It returns an *Error of
// CodeResultTooLarge if the result has more than maxBytes, unless that is zero. Any goroutine may call it.
func (s *Store) ReadKV(t *KVTxn, maxBytes int64) (*KVResult, *Error) {
	x := kvExecution{store: s, view: s.View(), maxBytes: maxBytes}
	if err := x.plan(t, x.view); err != nil {
		err.Index = x.view.index
		return nil, err
	}
	r, err := x.executeAll(t)
	if err == nil && r.TooLarge {
		return nil, readTooLarge(maxBytes)
	}
	return r, err
}

// executeAll executes a transaction that is nested in no other one.
func (x *kvExecution) executeAll(t *KVTxn) (*KVResult, *Error) {
	r, err := x.execute(t)
	if err == nil && x.limit.isExceeded() {
		r.dropNodes()
	}
	return r, err
}

// kvExecution is the execution of one transaction with all transactions that are nested in it.
type kvExecution struct {
	store *Store
	view  *View // the state that a transaction reads that changes nothing; otherwise nil
	// branches are the results of the compares of the transactions that are executed, in the order of their execution.
	branches []bool
	// keepsKeys says that an executed put has IgnoreValue or IgnoreLease, and deletes that a range of keys is removed.
	keepsKeys, deletes bool
	maxBytes           int64        // of the result; 0 for no limit
	limit              *resultLimit // nil if there is no limit, or nothing that it bounds
}

// plan evaluates all compares, and checks all operations that will be executed, in the state of the keys before the transaction.
func (x *kvExecution) plan(t *KVTxn, keys KeyReader) *Error {
	x.evaluate(t, keys)
	executed := 0
	return x.check(t, keys, &executed)
}

// evaluate appends the results of the compares of t and of the transactions that it executes to branches.
func (x *kvExecution) evaluate(t *KVTxn, keys KeyReader) {
	succeeded := t.holds(keys)
	x.branches = append(x.branches, succeeded)
	list := t.branch(succeeded)
	for i := range list {
		if list[i].Kind == KVNested {
			x.evaluate(list[i].Txn, keys)
		}
	}
}

// check returns the error of the first operation that would fail. next is the place of the result for t in branches.
func (x *kvExecution) check(t *KVTxn, keys KeyReader, next *int) (err *Error) {
	list := t.branch(x.branches[*next])
	*next++
	for i := range list {
		switch o := &list[i]; o.Kind {
		case KVPut:
			x.keepsKeys = x.keepsKeys || o.IgnoreValue || o.IgnoreLease
			err = x.store.checkPut(o, keys)
		case KVDeleteRange:
			x.deletes = true
			x.bound()
		case KVRange:
			x.bound()
			if o.Range.Revision != 0 {
				_, err = x.keysAt(o.Range.Revision)
			}
		case KVNested:
			err = x.check(o.Txn, keys, next)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bound begins to count the bytes of the result.
func (x *kvExecution) bound() {
	if x.limit == nil {
		x.limit = newResultLimit(x.maxBytes)
	}
}

// branch returns the operations that are executed.
func (t *KVTxn) branch(succeeded bool) []KVOp {
	if succeeded {
		return t.Then
	}
	return t.Else
}

// execute executes the operations of a transaction. It takes its branch, and those of the nested transactions, from the beginning of
// branches.
func (x *kvExecution) execute(t *KVTxn) (*KVResult, *Error) {
	r := &KVResult{Succeeded: x.branches[0]}
	x.branches = x.branches[1:]
	list := t.branch(r.Succeeded)
	if len(list) > 0 {
		r.Ops = make([]KVOpResult, 0, len(list))
	}
	for i := range list {
		result, err := x.executeOp(&list[i])
		if err != nil {
			return nil, err
		}
		result.Kind, result.Revision = list[i].Kind, x.revision()
		r.Ops = append(r.Ops, result)
	}
	r.Revision = x.revision()
	return r, nil
}

func (x *kvExecution) executeOp(o *KVOp) (r KVOpResult, err *Error) {
	x.limit.take(resultOpBytes)
	switch o.Kind {
	case KVPut:
		e, err := x.store.putValue(o)
		if err != nil {
			return r, err
		}
		if o.PrevKV && e.prev != nil && x.limit.take(resultSize(e.prev)) {
			r.Prev = []*Node{e.prev}
		}
	case KVDeleteRange:
		return x.store.deleteRange(o, x.limit), nil
	case KVRange:
		keys, err := x.keysAt(o.Range.Revision)
		if err != nil {
			return r, err
		}
		r.Range = x.readRange(o.Range, keys)
	case KVNested:
		r.Txn, err = x.execute(o.Txn)
	}
	return r, err
}

// readRange executes a query, unless the limit of the result is exceeded already.
func (x *kvExecution) readRange(q *RangeQuery, keys KeyReader) RangeResult {
	if x.limit.isExceeded() {
		return RangeResult{}
	}
	return q.run(keys, x.limit)
}

// current returns the state of the keys in which the next operation is executed.
func (x *kvExecution) current() *View {
	if x.view != nil {
		return x.view
	}
	return x.store.current()
}

func (x *kvExecution) revision() uint64 { return x.current().Revision() }

// keysAt returns the state of the keys at a revision, or the current state if it is zero.
func (x *kvExecution) keysAt(revision uint64) (KeyReader, *Error) {
	switch {
	case revision == 0:
		return x.current(), nil
	case x.view == nil:
		return x.store.keysAt(revision)
	case revision > x.view.Revision():
		return nil, futureError(revision, x.view.Revision())
	}
	return x.store.At(revision)
}
