package tree

import (
	"fmt"
	"strings"
)

// indexReserve is the number of indexes below maxIndex that no change may use. No command takes more indexes than that.
const indexReserve = 1 << 32

// apply executes one command. A command that fails changes nothing; a failed OpUsers may take
// indexes.
func (s *Store) apply(c *Command) (r Result) {
	if c.Op == OpExpire {
		if s.index <= maxIndex-indexReserve {
			s.expire()
		}
		return r
	}
	if !s.isAuthorized(c) {
		r.Err = NewError(CodeAuthChanged, "the users have changed since the command was authorized")
		return r
	}
	switch {
	case s.index > maxIndex-indexReserve:
		r.Err = NewError(CodeRaftInternal, fmt.Sprintf(
			"the index of the tree is %d, near the largest possible one: move the keys into a new cluster", s.index))
	case c.Op == OpMirror:
		r.Err = s.applyMirror(c.Mirror)
	case s.follows():
		r.Err = NewError(CodeFollowing, "the cluster follows an etcd and takes no changes from clients")
	case c.Op == OpUsers:
		r.Event, r.Err = s.changeUsers(c.Change)
	case c.Op == OpTxn:
		r.Txn, r.Err = s.applyTxn(c.Txn)
	case c.Op.isV3():
		return s.applyKV(c)
	default:
		r.Event, r.Err = s.change(c)
	}
	return r
}

// change executes a command that changes one key, or an operation of a Txn that does.
func (s *Store) change(c *Command) (*Event, *Error) {
	if c.Path == "/" && c.Op != OpCreateInOrder {
		return nil, rootError(c.Op)
	}
	switch c.Op {
	case OpSet:
		return s.set(c)
	case OpCreate:
		return s.create(c, c.Path)
	case OpCreateInOrder:
		return s.createInOrder(c)
	case OpUpdate:
		return s.update(c)
	case OpCompareAndSwap:
		return s.compareAndSwap(c)
	case OpDelete:
		return s.delete(c)
	case OpCompareAndDelete:
		return s.compareAndDelete(c)
	}
	return nil, NewError(CodeRaftInternal, fmt.Sprintf("unknown operation %d", c.Op))
}

// rootError returns the error for a command that would change the root.
func rootError(op Op) *Error {
	if op == OpCompareAndDelete {
		return NewError(CodeNotFile, "")
	}
	return NewError(CodeRootReadOnly, "/")
}

func (s *Store) set(c *Command) (*Event, *Error) {
	prev, err := s.findForWrite(c.Path)
	if err != nil {
		return nil, err
	}
	value := c.Value
	if c.Refresh {
		if prev == nil {
			return nil, notFound(s.root, c.Path)
		}
		value = prev.Value()
	}
	if prev != nil && prev.IsDir() {
		return nil, NewError(CodeNotFile, c.Path)
	}
	return s.put(c, ActionSet, prev, s.newNode(c, c.Path, value)), nil
}

func (s *Store) create(c *Command, path string) (*Event, *Error) {
	prev, err := s.findForWrite(path)
	if err != nil {
		return nil, err
	}
	if prev != nil {
		return nil, NewError(CodeKeyExists, path)
	}
	return s.put(c, ActionCreate, nil, s.newNode(c, path, c.Value)), nil
}

// createInOrder creates a node whose name is its index. It returns an error if the path
// exceeds the limits: no command could name such a node, and no checkpoint could be
// loaded with it.
func (s *Store) createInOrder(c *Command) (*Event, *Error) {
	path := join(c.Path, fmt.Sprintf("%020d", s.index+1))
	if !ValidPath(path) {
		return nil, NewError(CodeInvalidField, fmt.Sprintf(
			"the path is longer than %d bytes or deeper than %d levels", MaxPathBytes, MaxPathDepth))
	}
	return s.create(c, path)
}

// newNode returns the node that a set or a create stores.
func (s *Store) newNode(c *Command, path, value string) *Node {
	numbers := s.newNumbers(s.index + 1)
	if !c.Dir {
		return newNumberedFile(path, value, c.Expires, 0, numbers)
	}
	// A copy of the path: it shares memory with the value of the command, which a
	// directory must not keep alive.
	n := newDir(strings.Clone(path), newDirectory(path, s.epoch))
	n.setExpires(c.Expires)
	n.setNumbers(numbers)
	s.markChanged(n)
	return n
}

func (s *Store) update(c *Command) (*Event, *Error) {
	prev, err := find(s.root, c.Path)
	if err != nil {
		return nil, err
	}
	if !prev.IsDir() {
		return s.put(c, ActionUpdate, prev, s.newVersion(prev, c)), nil
	}
	switch {
	case c.Value != "":
		return nil, NewError(CodeNotFile, c.Path)
	case c.FileOnly:
		return nil, NewError(CodeUnauthorized, c.Path)
	}
	n := prev.withDirectory(prev.directory())
	n.setExpires(c.Expires)
	n.setImplied(false)
	s.markChanged(n)
	s.replace(prev, n, explicitParents)
	// The directory keeps its modifiedIndex. Only the event shows the new index.
	shown := n.alone()
	shown.setNumbers(s.nextNumbers(n))
	return s.emit(&Event{action: ActionUpdate, refresh: c.Refresh, node: shown, prev: prev.withoutChildren()}, nil), nil
}

func (s *Store) compareAndSwap(c *Command) (*Event, *Error) {
	prev, err := s.findMatching(c)
	if err != nil {
		return nil, err
	}
	return s.put(c, ActionCompareAndSwap, prev, s.newVersion(prev, c)), nil
}

// newVersion returns the node that replaces the file prev. It has the createdIndex of
// prev and the TTL and the value of the command. With Refresh it has the value of prev.
func (s *Store) newVersion(prev *Node, c *Command) *Node {
	path, value := c.Path, c.Value
	if c.Refresh {
		path, value = prev.Path(), prev.Value()
	}
	n := newFile(path, value, c.Expires, 0)
	n.setNumbers(s.nextNumbers(prev))
	return n
}

// findMatching returns the file at the path of a compare command. It fails if the file
// does not have the value and the index that the command expects.
func (s *Store) findMatching(c *Command) (*Node, *Error) {
	n, err := find(s.root, c.Path)
	if err != nil {
		return nil, err
	}
	if n.IsDir() {
		return nil, NewError(CodeNotFile, c.Path)
	}
	var failed []string
	if c.PrevValue != "" && c.PrevValue != n.Value() {
		failed = append(failed, fmt.Sprintf("[%s != %s]", c.PrevValue, n.Value()))
	}
	if c.PrevIndex != 0 && c.PrevIndex != n.ModifiedIndex() {
		failed = append(failed, fmt.Sprintf("[%d != %d]", c.PrevIndex, n.ModifiedIndex()))
	}
	if failed != nil {
		return nil, NewError(CodeCompareFailed, strings.Join(failed, " "))
	}
	return n, nil
}

func (s *Store) delete(c *Command) (*Event, *Error) {
	n, err := find(s.root, c.Path)
	if err != nil {
		return nil, err
	}
	if n.IsDir() && !c.Recursive {
		if !c.Dir {
			return nil, NewError(CodeNotFile, c.Path)
		}
		if n.Len() > 0 {
			return nil, NewError(CodeDirNotEmpty, c.Path)
		}
	}
	return s.remove(ActionDelete, n), nil
}

func (s *Store) compareAndDelete(c *Command) (*Event, *Error) {
	n, err := s.findMatching(c)
	if err != nil {
		return nil, err
	}
	return s.remove(ActionCompareAndDelete, n), nil
}

// findForWrite returns the node at path, or nil if there is none. It returns an error if
// no node can be stored at path, because a file is in the place of a directory.
func (s *Store) findForWrite(path string) (*Node, *Error) {
	n, err := find(s.root, path)
	if err != nil && err.Code != CodeKeyNotFound {
		return nil, err
	}
	return n, nil
}

// notFound returns the error for a path without a node.
func notFound(root *Node, path string) *Error {
	_, err := find(root, path)
	return err
}
