package tree

import "pando/tree/users"

// Counters are the numbers of commands, by operation and outcome. They are part of the
// state: they are the same on every member, and a restart does not reset them.
type Counters struct {
	Set, Create, Update, Delete      Outcomes
	CompareAndSwap, CompareAndDelete Outcomes
	// Expired is the number of nodes that were removed at the end of their TTL. The nodes
	// below a removed directory do not count.
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

// count counts the outcome of a command. A command that fails with CodeAuthChanged or
// CodeFollowing is not counted: it was not executed, and will be proposed again or forwarded.
func (c *Counters) count(op Op, err *Error) {
	if err != nil && (err.Code == CodeAuthChanged || err.Code == CodeFollowing) {
		return
	}
	if o := c.of(op); o != nil {
		o.count(err)
	}
}

// countWrites counts the writes of an OpUsers as if clients had made them. The reference does so.
func (c *Counters) countWrites(w users.Writes) {
	c.Create.OK += uint64(w.Created)
	c.Create.Failed += uint64(w.CreateFailed)
	c.Update.OK += uint64(w.Updated)
	c.Delete.OK += uint64(w.Deleted)
	c.Delete.Failed += uint64(w.DeleteFailed)
}

// of returns the counter of an operation. It returns nil for OpExpire and OpGet, which are not
// counted, for OpUsers, which countWrites counts, for OpMirror, whose events countEvent
// counts, and for OpTxn, whose operations are counted if it is executed.
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

// countEvent counts an event of an OpMirror, as the source has counted it.
func (c *Counters) countEvent(a Action) {
	switch a {
	case ActionSet:
		c.Set.OK++
	case ActionCreate:
		c.Create.OK++
	case ActionUpdate:
		c.Update.OK++
	case ActionCompareAndSwap:
		c.CompareAndSwap.OK++
	case ActionDelete:
		c.Delete.OK++
	case ActionCompareAndDelete:
		c.CompareAndDelete.OK++
	case ActionExpire:
		c.Expired++
	}
}

// all returns pointers to all numbers, in the order in which they are stored.
func (c *Counters) all() []*uint64 {
	return []*uint64{
		&c.Set.OK, &c.Set.Failed, &c.Create.OK, &c.Create.Failed, &c.Update.OK, &c.Update.Failed,
		&c.Delete.OK, &c.Delete.Failed, &c.CompareAndSwap.OK, &c.CompareAndSwap.Failed,
		&c.CompareAndDelete.OK, &c.CompareAndDelete.Failed, &c.Expired,
	}
}
