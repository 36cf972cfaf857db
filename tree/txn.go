package tree

import "fmt"

// TxnLevel is the lowest feature level of a cluster at which a command may be an OpTxn. Programs of lower levels can't decode such a
// command.
const TxnLevel = 4

// Txn is a transaction: operations that are executed as one, if conditions hold. It executes the operations of Then if all compares
// hold, and otherwise those of Else. If an operation fails, the whole transaction fails and changes nothing. All operations see the
// changes of those before them, and no reader sees a state between two of them.
//
// The operations are commands with the operations from OpSet to OpCompareAndDelete, and OpGet. Each change takes an index of its own and
// makes an event of its own, in the order of the list.
type Txn struct {
	Compares   []Compare
	Then, Else []Command
}

// CompareKind is the kind of a condition.
type CompareKind uint8

// The kinds. Their numbers are stored on disk and sent to other members: the number of a kind must never change, and must never be used
// again.
const (
	// CompareExists holds if there is a node at the path.
	CompareExists CompareKind = 1
	// CompareMissing holds if there is none.
	CompareMissing CompareKind = 2
	// CompareValue holds if there is a file with the value Value at the path. The value may be empty.
	CompareValue CompareKind = 3
	// CompareIndex holds if there is a node with the modifiedIndex Index at the path. That of a directory is the index of its creation.
	CompareIndex CompareKind = 4
)

// Compare is one condition of a Txn, on the node at a path.
type Compare struct {
	Kind  CompareKind
	Path  string
	Value string // of CompareValue
	Index uint64 // of CompareIndex
}

// holds reports whether the condition holds in a tree. A condition never fails: a path below a file has no node.
func (c *Compare) holds(root *Node) bool {
	n, _ := find(root, c.Path)
	switch c.Kind {
	case CompareMissing:
		return n == nil
	case CompareValue:
		return n != nil && !n.IsDir() && n.Value() == c.Value
	case CompareIndex:
		return n != nil && n.ModifiedIndex() == c.Index
	}
	return n != nil
}

// TxnResult is the outcome of an OpTxn that was executed. It never changes.
type TxnResult struct {
	succeeded bool
	index     uint64
	time      int64 // the time of the batch; TTLs are computed for this time
	results   []opResult
}

// opResult is the result of one operation of a transaction: an event, or the node that was read.
type opResult struct {
	event *Event
	node  *Node
	depth int // the number of levels below the node that the result shows
}

// Succeeded reports whether all compares held, so that Then was executed.
func (r *TxnResult) Succeeded() bool { return r.succeeded }

// Index returns the index of the tree after the transaction.
func (r *TxnResult) Index() uint64 { return r.index }

// Len returns the number of operations that were executed: all of Then or of Else.
func (r *TxnResult) Len() int { return len(r.results) }

// Event returns the event of an executed operation, by its place in Then or Else. It is nil for an OpGet.
func (r *TxnResult) Event(i int) *Event { return r.results[i].event }

// applyTxn executes an OpTxn. After an error the tree is as it was before, and nothing is counted.
func (s *Store) applyTxn(t *Txn) (*TxnResult, *Error) {
	r := &TxnResult{succeeded: true, time: s.now}
	list, name := t.Then, "then"
	for i := range t.Compares {
		if !t.Compares[i].holds(s.root) {
			r.succeeded, list, name = false, t.Else, "else"
			break
		}
	}
	before := s.savepoint()
	s.beginTxn()
	defer s.endTxn()
	r.results = make([]opResult, 0, len(list))
	for i := range list {
		result, err := s.applyTxnOp(&list[i], &before)
		if err != nil {
			s.rollBack(&before)
			return nil, NewError(err.Code, txnCause(name, i, list[i].Path, err.Cause))
		}
		r.results = append(r.results, result)
	}
	r.index = s.index
	return r, nil
}

// txnCause returns the cause of the error of a transaction: it names the operation that has failed.
func txnCause(list string, i int, path, cause string) string {
	text := fmt.Sprintf("%s[%d]: %s", list, i, path)
	if cause == "" || cause == path {
		return text
	}
	return text + ": " + cause
}

// applyTxnOp executes one operation of a transaction.
//
// Every change before the transaction, and the state that an OpGet has read, must be kept: the former until the transaction has
// succeeded, the latter until the response is encoded, which is after later commands of the batch were executed. So the operations
// after these points have epochs of their own: they clone the directories that they change, instead of changing them in place.
func (s *Store) applyTxnOp(c *Command, before *savepoint) (opResult, *Error) {
	if c.Op == OpGet {
		n, err := find(s.root, c.Path)
		if err != nil {
			return opResult{}, err
		}
		depth := Shallow
		if c.Recursive {
			depth = Deep
		}
		if n.IsDir() {
			s.epoch++
		}
		return opResult{node: n, depth: depth}, nil
	}
	if s.epoch == before.epoch {
		s.epoch++
	}
	if err := s.checkDir(c); err != nil {
		return opResult{}, err
	}
	event, err := s.change(c)
	s.counters.count(c.Op, err)
	return opResult{event: event}, err
}

// checkDir returns an error if an operation with Dir would replace a file. For a set with Refresh or an update it would: the reference
// loses the value then. A command of its own that is such a set is refused by package service, before it enters the log.
func (s *Store) checkDir(c *Command) *Error {
	if !c.Dir || c.Path == "/" || !(c.Op == OpSet && c.Refresh || c.Op == OpUpdate) {
		return nil
	}
	n, err := find(s.root, c.Path)
	switch {
	case err != nil:
		return err
	case !n.IsDir():
		return NewError(CodeNotDir, c.Path)
	case c.Op == OpSet:
		return NewError(CodeNotFile, c.Path)
	}
	return nil
}

// savepoint is the state of the current batch before a transaction.
type savepoint struct {
	root         *Node
	plain        *plainKeys
	index, epoch uint64
	revisions    revisions
	counters     Counters
	superseded   int64
	// The lengths of Store.batch and of the lists of dirtyPaths.
	batch, changed, removedDirs, keys int
	attachments                       int // the length of Store.attachments
}

// savepoint returns the current state, to which rollBack can return. Changes after it must have another epoch.
func (s *Store) savepoint() savepoint {
	return savepoint{
		root: s.root, plain: s.plain, index: s.index, epoch: s.epoch, revisions: s.revisions, counters: s.counters, superseded: s.superseded,
		batch: len(s.batch), changed: len(s.dirty.changed), removedDirs: len(s.dirty.removedDirs),
		attachments: len(s.attachments), keys: len(s.dirty.keys),
	}
}

// rollBack undoes all changes since the savepoint. Nothing refers to the nodes that they have made, so their epochs may be used again.
func (s *Store) rollBack(to *savepoint) {
	s.root, s.plain, s.index, s.epoch, s.revisions = to.root, to.plain, to.index, to.epoch, to.revisions
	s.counters, s.superseded = to.counters, to.superseded
	clear(s.batch[to.batch:])
	s.batch = s.batch[:to.batch]
	clear(s.dirty.changed[to.changed:])
	s.dirty.changed = s.dirty.changed[:to.changed]
	clear(s.dirty.removedDirs[to.removedDirs:])
	s.dirty.removedDirs = s.dirty.removedDirs[:to.removedDirs]
	clear(s.attachments[to.attachments:])
	s.attachments = s.attachments[:to.attachments]
	clear(s.dirty.keys[to.keys:])
	s.dirty.keys = s.dirty.keys[:to.keys]
}
