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

// settle waits until all running members have applied the same log, and checks that their state is the same to the
// byte.
func (c *cluster) settle() {
	c.t.Helper()
	var states []string
	c.await("the members to come to the same index", func() bool {
		before := c.running()[0].node().Status().Applied
		if !c.caughtUp() || c.raisesLevel() {
			return false
		}
		states = states[:0]
		for _, r := range c.running() {
			states = append(states, r.state())
		}
		// A write whose client has given up may still be applied between the comparisons.
		return c.caughtUp() && c.running()[0].node().Status().Applied == before
	})
	for i, got := range states {
		if got != states[0] {
			c.t.Errorf("member %d and member %d differ:\n%.3000s\n---\n%.3000s", c.running()[0].id, c.running()[i].id, states[0], got)
		}
	}
}

// raisesLevel reports whether the leader is still to raise the feature level: all members of the cluster run, and serve a
// higher one.
func (c *cluster) raisesLevel() bool {
	running := c.running()
	if len(running) < len(running[0].node().Members().List()) {
		return false
	}
	for _, r := range running {
		if n := r.node(); n.FeatureLevel() >= n.programLevel {
			return false
		}
	}
	return true
}

// caughtUp reports whether all running members have applied as much as their leader.
func (c *cluster) caughtUp() bool {
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

// state is everything that a member has: the tree with all indexes, the counters, the history and the members.
func (r *replica) state() string {
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
	b = view.Users().AppendHead(b)
	for key, record := range view.Users().Difference(nil) {
		b = append(append(append(b, key...), record...), '\n')
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

// load is a number of clients that create keys in order, each with a value of its own, on any member that answers.
type load struct {
	c        *cluster
	dir      string        // of its keys
	patience time.Duration // of a client that waits for an answer
	group    sync.WaitGroup
	stop     chan struct{}

	mu           sync.Mutex
	acknowledged map[string]string // value by path
	unknown      map[string]bool   // values of writes without an answer
}

const (
	loadDir = "/load"
	// clientPatience is the usual patience of a client. A paused member does not answer: its clients use another one.
	clientPatience = time.Second
	// clientPause is the pause of a client after a request. Without it the clients would take the processors from members
	// that hold an election.
	clientPause = time.Millisecond
)

// newLoad starts the clients. A client uses the next member after a failure.
func (c *cluster) newLoad(clients int, to ...*replica) *load {
	return c.newPatientLoad(clients, clientPatience, to...)
}

// newPatientLoad is newLoad with another patience.
func (c *cluster) newPatientLoad(clients int, patience time.Duration, to ...*replica) *load {
	l := &load{
		c: c, dir: fmt.Sprintf("%s/%d", loadDir, len(c.loads)), patience: patience, stop: make(chan struct{}),
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
		if !l.create(node, fmt.Sprintf("%d-%d-%d", id, i, time.Now().UnixNano())) {
			id++
		}
		<-time.After(clientPause)
	}
}

// create creates one key and records the outcome.
func (l *load) create(node *Node, value string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), l.patience)
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

// count is the number of acknowledged writes so far.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acknowledged)
}

// awaitMore waits for n more acknowledged writes. It fails the test if there is none for testTimeout.
func (l *load) awaitMore(n int) {
	l.c.t.Helper()
	for last, want := l.count(), l.count()+n; last < want; last = l.count() {
		l.c.await("another write", func() bool { return l.count() > last })
	}
}

func (l *load) end() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.group.Wait()
}

// finish ends the load. Then the tree of each running member must have everything that was acknowledged, to this load
// and to those before it, nothing twice, and no value that no client wrote.
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
			l.c.t.Errorf("member %d: %s=%s was acknowledged, and is lost or has another value: %v", r.id, path, value, err)
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
			l.c.t.Errorf("member %d: %s is the value of no write", r.id, value)
		}
	}
}

// values returns the values of the files in a directory.
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
		return []string{err.Error()} // not a value of any write
	}
	values := make([]string, len(answer.Node.Nodes))
	for i, n := range answer.Node.Nodes {
		values[i] = n.Value
	}
	return values
}

// eventWatcher watches one member. It must get each event once, in the order of their indexes, or an error that says
// that events were missed.
type eventWatcher struct {
	t      interface{ Errorf(string, ...any) }
	name   string
	node   *Node
	cancel context.CancelFunc
	group  sync.WaitGroup

	mu     sync.Mutex
	events map[uint64]string
	last   uint64
	gaps   int // how often events were missed
}

// firstEvent is the index of the first event in an empty tree.
const firstEvent = 2

// watch watches the whole tree of a member from its first event on.
func watch(r *replica) *eventWatcher {
	ctx, cancel := context.WithCancel(context.Background())
	f := &eventWatcher{t: r.c.t, name: r.name, node: r.node(), cancel: cancel, events: map[uint64]string{}, last: firstEvent - 1}
	f.group.Go(func() { f.run(ctx) })
	return f
}

func (f *eventWatcher) run(ctx context.Context) {
	for ctx.Err() == nil {
		w, err := f.node.Tree().Watch("/", tree.Recursive, f.last+1)
		if err != nil {
			f.missed(err)
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
			f.missed(err)
		}
	}
}

func (f *eventWatcher) take(e *tree.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Index() != f.last+1 {
		f.t.Errorf("watcher on %s: event %d came after %d", f.name, e.Index(), f.last)
	}
	f.last = e.Index()
	f.events[e.Index()] = string(e.AppendJSON(nil))
}

// missed takes the error that events were missed, and continues where the history begins.
func (f *eventWatcher) missed(err error) {
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

func (f *eventWatcher) upTo() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// end waits until the watcher has reached the index, and stops it.
func (f *eventWatcher) end(c *cluster, index uint64) {
	c.t.Helper()
	c.await(fmt.Sprintf("the watcher on %s to see event %d", f.name, index), func() bool { return f.upTo() >= index })
	f.cancel()
	f.group.Wait()
}

// sameEvents checks that the watchers got the same events.
func sameEvents(c *cluster, list []*eventWatcher) {
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
