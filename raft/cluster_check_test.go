package raft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"pando/tree"
)

// settle waits until all running members have the same log, applied, and wants
// all they hold to be the same to the byte.
func (c *cluster) settle() {
	c.t.Helper()
	var roomToDefer []string
	c.await("the members to come to the same index", func() bool {
		before := c.running()[0].node().Status().Applied
		if !c.level() {
			return false
		}
		roomToDefer = roomToDefer[:0]
		for _, r := range c.running() {
			roomToDefer = append(roomToDefer, r.hold())
		}
		// A write that its client has given up may still come, between two looks.
		return c.level() && c.running()[0].node().Status().Applied == before
	})
	for i, got := range roomToDefer {
		if got != roomToDefer[0] {
			c.t.Errorf("member %d and member %d differ:\n%.3000s\n---\n%.3000s", c.running()[0].id, c.running()[i].id, roomToDefer[0], got)
		}
	}
}

// level reports whether all running members are where their leader is.
func (c *cluster) level() bool {
	first := agreed(c.running())
	if first == nil {
		return false
	}
	want := first.node().Status()
	for _, r := range c.running() {
		s := r.node().Status()
		if s.Applied != want.Applied || s.Committed != want.Committed || s.Applied != s.Committed {
			return false
		}
		for _, m := range r.node().Members().List() {
			if m.Learner && c.isUp(m.Name) {
				return false
			}
		}
	}
	return true
}

func (c *cluster) isUp(name string) bool {
	return slices.ContainsFunc(c.running(), func(r *replica) bool { return r.name == name })
}

// hold is all that a member holds: the tree with all indexes, the counters, the
// history and the membership.
func (r *replica) hold() string {
	r.c.t.Helper()
	node := r.node()
	view := node.Tree().View()
	root, err := view.Get("/")
	if err != nil {
		r.c.t.Fatal(err)
	}
	b := fmt.Appendf(nil, "index %d nodes %d bytes %d counters %+v state %x\nmembers %s\n",
		view.Index(), view.Nodes(), view.Bytes(), view.Counters(), view.AppendState(nil), node.Members().Marshal())
	b = tree.EncodeGet(root, 0, tree.Deep).Append(b)
	for _, e := range r.history() {
		b = append(e.AppendJSON(b), '\n')
	}
	return string(b)
}

func (r *replica) history() []*tree.Event {
	r.c.t.Helper()
	store := r.node().Tree()
	w, err := store.Watch("/", tree.Recursive, max(1, store.View().OldestEvent()))
	if err != nil {
		r.c.t.Fatal(err)
	}
	defer w.Close()
	var events []*tree.Event
	for {
		e, err := w.Poll()
		if err != nil {
			r.c.t.Fatal(err)
		}
		if e == nil {
			return events
		}
		events = append(events, e)
	}
}

// load is clients who make keys in order, each with a value of its own, on
// whichever member answers, until they are told to end.
type load struct {
	c     *cluster
	dir   string // where its keys are
	group sync.WaitGroup
	stop  chan struct{}

	mu           sync.Mutex
	acknowledged map[string]string // value by path
	unknown      map[string]bool   // values of which nobody knows
}

const (
	loadDir        = "/load"
	clientPatience = time.Second
	// clientPause is the pause of a client after a request. Without it the clients would take the processors from members
	// that hold an election.
	clientPause = time.Millisecond
)

// newLoad starts clients; each turns to the next member after a failure.
func (c *cluster) newLoad(clients int, to ...*replica) *load {
	l := &load{
		c: c, dir: fmt.Sprintf("%s/%d", loadDir, len(c.loads)), stop: make(chan struct{}),
		acknowledged: map[string]string{}, unknown: map[string]bool{},
	}
	c.loads = append(c.loads, l)
	if len(to) == 0 {
		to = slices.Clone(c.members)
	}
	for i := range clients {
		l.group.Go(func() { l.client(i, to) })
	}
	return l
}

func (l *load) client(id int, to []*replica) {
	for i := 0; !closed(l.stop); i++ {
		node := to[id%len(to)].up.Load()
		if node == nil {
			id++
			<-time.After(time.Millisecond)
			continue
		}
		if !l.one(node, fmt.Sprintf("%d-%d-%d", id, i, time.Now().UnixNano())) {
			id++
		}
		<-time.After(clientPause)
	}
}

// one makes one key and notes what became of it.
func (l *load) one(node *Node, value string) bool {
	// A paused member answers nobody: its clients go elsewhere.
	ctx, cancel := context.WithTimeout(context.Background(), clientPatience)
	defer cancel()
	event, err := node.Propose(ctx, &tree.Command{Op: tree.OpCreateInOrder, Path: l.dir, Value: value})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.unknown[value] = true
		return false
	}
	path := event.Node().Path()
	if other, twice := l.acknowledged[path]; twice {
		l.c.t.Errorf("%s was acknowledged to %s and to %s", path, other, value)
	}
	l.acknowledged[path] = value
	return true
}

// count is how many were acknowledged so far.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acknowledged)
}

// more waits until as many more were acknowledged.
func (l *load) more(n int) {
	l.c.t.Helper()
	want := l.count() + n
	l.c.await(fmt.Sprintf("%d more writes", n), func() bool { return l.count() >= want })
}

func (l *load) end() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.group.Wait()
}

// finish ends the load, and wants all that was acknowledged, to it and to those
// before it, in the tree of each running member, nothing twice, and nothing that
// nobody wrote.
func (l *load) finish() {
	l.c.t.Helper()
	l.end()
	l.c.settle()
	for _, r := range l.c.running() {
		for _, each := range l.c.loads {
			each.check(r)
		}
	}
	l.c.t.Logf("%d writes acknowledged, %d unknown", len(l.acknowledged), len(l.unknown))
}

func (l *load) check(r *replica) {
	l.c.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	view := r.node().Tree().View()
	for path, value := range l.acknowledged {
		if n, err := view.Get(path); err != nil || n.Value() != value {
			l.c.t.Errorf("member %d: %s=%s was acknowledged, and is lost or other: %v", r.id, path, value, err)
		}
	}
	seen := map[string]bool{}
	for _, value := range r.values(l.dir) {
		if seen[value] {
			l.c.t.Errorf("member %d: %s was applied twice", r.id, value)
		}
		seen[value] = true
	}
	known := map[string]bool{}
	for _, value := range l.acknowledged {
		known[value] = true
	}
	for value := range seen {
		if !known[value] && !l.unknown[value] {
			l.c.t.Errorf("member %d: nobody wrote %s", r.id, value)
		}
	}
}

// values are the values of the files in a directory.
func (r *replica) values(dir string) []string {
	r.c.t.Helper()
	n, err := r.node().Tree().View().Get(dir)
	if err != nil {
		return nil
	}
	return valuesBelow(n)
}

func valuesBelow(n *tree.Node) []string {
	var answer struct {
		Node struct{ Nodes []struct{ Value string } }
	}
	if err := json.Unmarshal(tree.EncodeGet(n, 0, tree.Shallow).Append(nil), &answer); err != nil {
		return []string{err.Error()} // nobody wrote that
	}
	values := make([]string, len(answer.Node.Nodes))
	for i, n := range answer.Node.Nodes {
		values[i] = n.Value
	}
	return values
}

// eventFollower watches one member and wants each event once, in the order
// of their indexes, or word that some can't be had.
type eventFollower struct {
	t      interface{ Errorf(string, ...any) }
	name   string
	node   *Node
	cancel context.CancelFunc
	group  sync.WaitGroup

	mu     sync.Mutex
	events map[uint64]string
	last   uint64
	gaps   int // how often it was told that it missed some
}

// firstEvent is the index of an empty tree's first event.
const firstEvent = 2

// follow watches the node's whole tree from its first event on.
func follow(r *replica) *eventFollower {
	ctx, cancel := context.WithCancel(context.Background())
	f := &eventFollower{t: r.c.t, name: r.name, node: r.node(), cancel: cancel, events: map[uint64]string{}, last: firstEvent - 1}
	f.group.Go(func() { f.run(ctx) })
	return f
}

func (f *eventFollower) run(ctx context.Context) {
	for ctx.Err() == nil {
		w, err := f.node.Tree().Watch("/", tree.Recursive, f.last+1)
		if err != nil {
			f.told(err)
			continue
		}
		for err == nil {
			var e *tree.Event
			if e, err = w.Next(ctx); err == nil {
				f.take(e)
			}
		}
		w.Close()
		if ctx.Err() == nil {
			f.told(err)
		}
	}
}

func (f *eventFollower) take(e *tree.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Index() != f.last+1 {
		f.t.Errorf("watcher on %s: event %d came after %d", f.name, e.Index(), f.last)
	}
	f.last = e.Index()
	f.events[e.Index()] = string(e.AppendJSON(nil))
}

// told takes the error that says that events were missed, and goes on where the
// history begins.
func (f *eventFollower) told(err error) {
	var e *tree.Error
	if !errors.As(err, &e) || e.Code != tree.CodeWatcherCleared && e.Code != tree.CodeHistoryCleared {
		f.t.Errorf("watcher on %s: %v", f.name, err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gaps++
	if e.Code == tree.CodeHistoryCleared {
		f.last = max(f.last, f.node.Tree().View().OldestEvent()-1)
	}
}

func (f *eventFollower) upTo() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// end waits until the watcher has come to the index, and stops it.
func (f *eventFollower) end(c *cluster, index uint64) {
	c.t.Helper()
	c.await(fmt.Sprintf("the watcher on %s to see event %d", f.name, index), func() bool { return f.upTo() >= index })
	f.cancel()
	f.group.Wait()
}

// sameEvents wants what the watchers saw to agree.
func sameEvents(c *cluster, list []*eventFollower) {
	c.t.Helper()
	all := map[uint64]string{}
	for _, f := range list {
		for index, event := range f.events {
			if other, known := all[index]; known && other != event {
				c.t.Errorf("event %d is\n%s\nto the watcher on %s and was\n%s", index, event, f.name, other)
			}
			all[index] = event
		}
	}
}
