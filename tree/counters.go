package tree

// Counters tells how often each kind of change was asked for, by outcome. It
// is part of the state: every member counts the same, and a restart loses
// nothing.
type Counters struct {
	Set, Create, Update, Delete      Outcomes
	CompareAndSwap, CompareAndDelete Outcomes
	// Expired is the number of nodes that a TTL took away; a directory counts
	// as one.
	Expired uint64
}

// Outcomes counts successes and failures.
type Outcomes struct{ OK, Failed uint64 }

func (o *Outcomes) count(err *Error) {
	if err != nil {
		o.Failed++
	} else {
		o.OK++
	}
}

// of gives the counter for an operation; nil for a sweep, which no client
// asks for.
func (c *Counters) of(op Op) *Outcomes {
	switch op {
	case OpSet:
		return &c.Set
	case OpCreate, OpCreateInOrder:
		return &c.Create
	case OpUpdate:
		return &c.Update
	case OpDelete:
		return &c.Delete
	case OpCompareAndSwap:
		return &c.CompareAndSwap
	case OpCompareAndDelete:
		return &c.CompareAndDelete
	}
	return nil
}

// all lists the numbers in the order in which they are stored.
func (c *Counters) all() []*uint64 {
	return []*uint64{
		&c.Set.OK, &c.Set.Failed, &c.Create.OK, &c.Create.Failed, &c.Update.OK, &c.Update.Failed,
		&c.Delete.OK, &c.Delete.Failed, &c.CompareAndSwap.OK, &c.CompareAndSwap.Failed,
		&c.CompareAndDelete.OK, &c.CompareAndDelete.Failed, &c.Expired,
	}
}
