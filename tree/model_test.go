package tree

import (
	"fmt"
	"slices"
	"strings"

	"pando/tree/users"
)

// model is a simple implementation of the tree: a map from path to node, and a list of all
// events. Tests compare the Store with it.
type model struct {
	nodes   map[string]modelNode // the root included
	index   uint64
	events  []modelEvent      // events[i] has the index i+2
	size    uint64            // of the history
	counts  map[Op]*[2]uint64 // the numbers of commands that succeeded and that failed
	expired uint64
	users   *users.State // package users has its own model
	writes  users.Writes // the counts of the writes of OpUsers
	txn     *modelTxn    // the result of the last OpTxn; nil if it has failed
	numbers modelRevisions
	modelKeys
}

type modelNode struct {
	path, value       string
	dir               bool
	created, modified uint64
	version           uint64 // zero for a node that was written before revisions were counted; always 1 for a later directory
	expires           int64
}

type modelEvent struct {
	action  string
	refresh bool
	time    int64
	node    modelNode
	prev    *modelNode
	// gone are the paths of the nodes that were removed below a directory.
	gone []string
}

func newModel(historySize int) *model {
	return &model{
		nodes:  map[string]modelNode{"/": {path: "/", dir: true}},
		index:  1,
		size:   uint64(historySize),
		counts: map[Op]*[2]uint64{},
		users:  new(users.State),

		numbers:   modelRevisions{last: 1, at: map[uint64][2]uint64{0: {}}},
		modelKeys: newModelKeys(),
	}
}

// do applies one command and counts it.
func (m *model) do(now int64, c Command) (*modelEvent, *Error) {
	if c.Op == OpExpire {
		m.expire(now)
		return nil, nil
	}
	if stale := c.AuthRevision != m.users.Revision(); stale && (c.AuthRevision > 0 || m.users.Enabled()) {
		return nil, &Error{Code: CodeAuthChanged, Cause: "the users have changed since the command was authorized", Index: m.index}
	}
	switch c.Op {
	case OpUsers:
		return m.changeUsers(now, c.Change)
	case OpTxn:
		return nil, m.doTxn(now, c.Txn)
	}
	return m.change(now, c)
}

// change applies one command on a key and counts it.
func (m *model) change(now int64, c Command) (*modelEvent, *Error) {
	e, err := m.try(c)
	if m.counts[c.Op] == nil {
		m.counts[c.Op] = new([2]uint64)
	}
	if err != nil {
		err.Index = m.index
		m.counts[c.Op][1]++
		return nil, err
	}
	m.counts[c.Op][0]++
	return m.record(now, e), nil
}

func (m *model) record(now int64, e *modelEvent) *modelEvent {
	m.index++
	m.numbers.add(m.index, e)
	e.time = now
	e.node.modified = m.index
	m.events = append(m.events, *e)
	return e
}

// changeUsers executes an OpUsers. Each index that it takes has an event of the root.
func (m *model) changeUsers(now int64, c *users.Change) (e *modelEvent, err *Error) {
	next, outcome, failure := m.users.Apply(c)
	m.users = next
	w := outcome.Writes
	m.writes.Created += w.Created
	m.writes.CreateFailed += w.CreateFailed
	m.writes.Updated += w.Updated
	m.writes.Deleted += w.Deleted
	m.writes.DeleteFailed += w.DeleteFailed
	for range w.Created + w.Updated + w.Deleted {
		e = m.record(now, &modelEvent{action: "auth", node: modelNode{path: "/", dir: true, version: m.numbers.first()}})
	}
	if failure != nil {
		code := CodeUsersNotFound + Code(failure.Kind-users.NotFound)
		return nil, &Error{Code: code, Cause: failure.Text, Index: m.index}
	}
	return e, nil
}

func (m *model) try(c Command) (*modelEvent, *Error) {
	path := c.Path
	if c.Op == OpCreateInOrder {
		path = strings.TrimSuffix(path, "/") + fmt.Sprintf("/%020d", m.index+1)
	} else if path == "/" && c.Op == OpCompareAndDelete {
		return nil, &Error{Code: 102}
	} else if path == "/" {
		return nil, &Error{Code: 107, Cause: "/"}
	}
	old, err := m.at(path)
	switch c.Op {
	case OpSet, OpCreate, OpCreateInOrder:
		return m.write(c, path, old, err)
	}
	if err != nil {
		return nil, err
	}
	switch c.Op {
	case OpUpdate:
		return m.update(c, *old)
	case OpDelete:
		if old.dir && !c.Recursive {
			if !c.Dir {
				return nil, &Error{Code: 102, Cause: path}
			}
			if len(m.below(path)) > 0 {
				return nil, &Error{Code: 108, Cause: path}
			}
		}
		return m.drop("delete", *old), nil
	}
	if err := mismatch(c, *old); err != nil {
		return nil, err
	}
	if c.Op == OpCompareAndDelete {
		return m.drop("compareAndDelete", *old), nil
	}
	return m.rewrite("compareAndSwap", c, *old), nil
}

// at returns the node at a path, or an error about the first component that is missing or
// is a file.
func (m *model) at(path string) (*modelNode, *Error) {
	at := m.nodes["/"]
	for i := 1; path != "/" && i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		if !at.dir {
			return nil, &Error{Code: 104, Cause: at.path}
		}
		child, ok := m.nodes[path[:i]]
		if !ok {
			return nil, &Error{Code: 100, Cause: path[:i]}
		}
		at = child
	}
	return &at, nil
}

// write executes set and create.
func (m *model) write(c Command, path string, old *modelNode, err *Error) (*modelEvent, *Error) {
	if err != nil && (err.Code != 100 || c.Op == OpSet && c.Refresh) {
		return nil, err
	}
	n := modelNode{
		path: path, value: c.Value, dir: c.Dir, created: m.index + 1, modified: m.index + 1, version: m.numbers.first(), expires: c.Expires,
	}
	if old != nil {
		if c.Op != OpSet {
			return nil, &Error{Code: 105, Cause: path}
		}
		if old.dir {
			return nil, &Error{Code: 102, Cause: path}
		}
		if c.Refresh {
			n.value = old.value
		}
	}
	if n.dir {
		n.value = ""
	}
	for i := 1; i < len(path); i++ {
		if _, ok := m.nodes[path[:i]]; path[i] == '/' && !ok {
			m.nodes[path[:i]] = modelNode{path: path[:i], dir: true, created: m.index + 1, modified: m.index + 1, version: m.numbers.first()}
		}
	}
	m.nodes[path] = n
	m.makeExplicit(parent(path))
	action := "create"
	if c.Op == OpSet {
		action = "set"
	}
	return &modelEvent{action: action, refresh: c.Refresh, node: n, prev: old}, nil
}

func (m *model) update(c Command, old modelNode) (*modelEvent, *Error) {
	if !old.dir {
		return m.rewrite("update", c, old), nil
	}
	if c.Value != "" {
		return nil, &Error{Code: 102, Cause: c.Path}
	}
	if c.FileOnly {
		return nil, &Error{Code: 110, Cause: c.Path}
	}
	n := old
	n.expires = c.Expires
	m.nodes[n.path] = n // keeps its modifiedIndex; the event shows the new one
	n.version = m.numbers.first()
	m.makeExplicit(n.path)
	return &modelEvent{action: "update", refresh: c.Refresh, node: n, prev: &old}, nil
}

func (m *model) rewrite(action string, c Command, old modelNode) *modelEvent {
	n := old
	n.modified, n.version, n.expires = m.index+1, m.numbers.after(old), c.Expires
	if !c.Refresh {
		n.value = c.Value
	}
	m.nodes[n.path] = n
	return &modelEvent{action: action, refresh: c.Refresh, node: n, prev: &old}
}

func mismatch(c Command, n modelNode) *Error {
	if n.dir {
		return &Error{Code: 102, Cause: c.Path}
	}
	var why []string
	if c.PrevValue != "" && c.PrevValue != n.value {
		why = append(why, "["+c.PrevValue+" != "+n.value+"]")
	}
	if c.PrevIndex != 0 && c.PrevIndex != n.modified {
		why = append(why, fmt.Sprintf("[%d != %d]", c.PrevIndex, n.modified))
	}
	if len(why) > 0 {
		return &Error{Code: 101, Cause: strings.Join(why, " ")}
	}
	return nil
}

func (m *model) drop(action string, old modelNode) *modelEvent {
	shown := modelNode{path: old.path, dir: old.dir, created: old.created, version: m.numbers.after(old)}
	e := &modelEvent{action: action, prev: &old, node: shown}
	e.gone = m.below(old.path)
	for _, path := range e.gone {
		m.forget(path)
	}
	m.removeNode(old.path)
	return e
}

// forget removes a node and its shadowed file.
func (m *model) forget(path string) {
	delete(m.nodes, path)
	delete(m.shadowed, path)
	delete(m.implied, path)
}

// removeNode removes a node without children. Its shadowed file takes its place. Otherwise the implied directories that become empty are
// removed.
func (m *model) removeNode(path string) {
	file, shadows := m.shadowed[path]
	m.forget(path)
	if shadows {
		m.nodes[path] = file
		return
	}
	if dir := parent(path); m.implied[dir] && len(m.below(dir)) == 0 {
		m.removeNode(dir)
	}
}

// makeExplicit makes a directory and those above it explicit.
func (m *model) makeExplicit(dir string) {
	for ; dir != "/"; dir = parent(dir) {
		delete(m.implied, dir)
	}
}

func (m *model) expire(now int64) {
	for range ExpireLimit {
		_, first := m.totals("/")
		if first.isZero() || first.at > now {
			return
		}
		if path, shadowed := strings.CutSuffix(first.path, "/"); shadowed {
			m.recordKey(now, m.deleteKey(path))
		} else {
			m.record(now, m.drop("expire", m.nodes[path]))
		}
		m.expired++
	}
}

// below returns the sorted paths of all nodes below a directory.
func (m *model) below(dir string) []string {
	var found []string
	for path := range m.nodes {
		if strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/") && path != "/" {
			found = append(found, path)
		}
	}
	slices.Sort(found)
	return found
}

// oldest returns the index of the oldest event in the history.
func (m *model) oldest() uint64 {
	if m.index <= m.size+1 {
		return 2
	}
	return m.index - m.size + 1
}

// outcomes returns the sum of the counts of some operations.
func (m *model) outcomes(ops ...Op) Outcomes {
	var sum Outcomes
	for _, op := range ops {
		if n := m.counts[op]; n != nil {
			sum.OK += n[0]
			sum.Failed += n[1]
		}
	}
	return sum
}

func (m *model) counters() Counters {
	c := Counters{
		Set: m.outcomes(OpSet), Create: m.outcomes(OpCreate, OpCreateInOrder), Update: m.outcomes(OpUpdate),
		Delete: m.outcomes(OpDelete), CompareAndSwap: m.outcomes(OpCompareAndSwap),
		CompareAndDelete: m.outcomes(OpCompareAndDelete), Expired: m.expired,
	}
	c.Create.OK += uint64(m.writes.Created)
	c.Create.Failed += uint64(m.writes.CreateFailed)
	c.Update.OK += uint64(m.writes.Updated)
	c.Delete.OK += uint64(m.writes.Deleted)
	c.Delete.Failed += uint64(m.writes.DeleteFailed)
	return c
}
