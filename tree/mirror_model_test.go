package tree

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// mirrorRun is a store that is the source, and one that mirrors it by what clients of the source can see: the events that watchers get,
// the nodes that readers find, and the index.
type mirrorRun struct {
	t      *rapid.T
	size   int // of both histories
	now    int64
	model  *model // of the source, for the generators
	source *Store
	target *Store
	disk   *checkpoint
	last   *MirrorChange // the last change that was applied
	// reading is a read of the whole source that is not finished: nodes that are still to be sent. from is the index before it began.
	reading []NodeFields
	found   *View // the state that is read
	from    uint64
}

func newMirrorRun(t *rapid.T) *mirrorRun {
	size := rapid.SampledFrom([]int{3, 20, 1000}).Draw(t, "history")
	m := &mirrorRun{t: t, size: size, now: 100 * second, model: newModel(size), source: New(size), target: New(size), disk: newCheckpoint()}
	m.changeSource(5)
	// The target begins with the content of the source, like a cluster whose members were imported.
	disk := newCheckpoint()
	disk.write(m.source.TakeDelta())
	m.target = m.load(disk)
	m.target.Follow()
	m.disk.write(m.target.TakeAll())
	m.disk.writeNodes(m.target.View())
	return m
}

func (m *mirrorRun) load(disk *checkpoint) *Store {
	s, err := disk.load(m.size)
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

// changeSource applies up to this number of batches to the source. Each index is published by itself, as far as possible.
func (m *mirrorRun) changeSource(batches int) {
	for range rapid.IntRange(0, batches).Draw(m.t, "batches") {
		m.now = genNow(m.t, m.now)
		for _, c := range genBatch(m.t, m.model, m.now, 4) {
			switch {
			case c.Op == OpTxn:
				continue // an etcd has none
			case c.Refresh && (c.Expires == 0 || c.Op == OpCreate || c.Op == OpCreateInOrder):
				continue // a refresh by a client makes no node, and none that is permanent
			}
			_, _ = m.model.do(m.now, c)
			m.source.Apply(m.now, []Command{c})
			m.source.Announce()
		}
	}
}

// fieldsOf returns the fields of a node.
func fieldsOf(n *Node) NodeFields {
	return NodeFields{
		Path: n.Path(), Value: n.Value(), Dir: n.IsDir(), Created: n.CreatedIndex(), Modified: n.ModifiedIndex(), Expires: n.Expires(),
	}
}

// seenEvents returns the events of the source up to an index that watchers get, after the index of the target.
func (m *mirrorRun) seenEvents(to uint64) []EventFields {
	var events []EventFields
	for i := m.target.View().Index() + 1; i <= to; i++ {
		e := m.source.history.at(i)
		if e.refresh || e.action == ActionAuth {
			continue
		}
		f := EventFields{Action: e.action, Time: e.time, Node: fieldsOf(e.node)}
		if e.action.Removes() {
			f.Node.Value, f.Node.Expires = "", 0
		}
		if e.prev != nil {
			prev := fieldsOf(e.prev)
			f.Prev = &prev
		}
		events = append(events, f)
	}
	return events
}

// apply applies a change to the target, which must succeed. Sometimes it comes from the log, twice, or after another index.
func (m *mirrorRun) apply(c *MirrorChange) {
	commands := []Command{m.authorized(Command{Op: OpMirror, Mirror: c})}
	for range rapid.IntRange(0, 1).Draw(m.t, "late") {
		if m.last != nil && m.last.To != m.last.After {
			commands = append([]Command{m.authorized(Command{Op: OpMirror, Mirror: m.last})}, commands...)
		}
	}
	var encoded []byte
	for i := range commands {
		encoded = AppendCommand(encoded, &commands[i])
	}
	results := logEntry{now: m.now + 1000*second, commands: encoded}.apply(m.t, m.target)
	for i, r := range results {
		if i == len(results)-1 {
			if r.Err != nil || r.Event != nil {
				m.t.Fatalf("%+v: %+v", c, r)
			}
		} else if r.Err == nil || r.Err.Code != CodeMirrorIndex || r.Err.Index != c.After {
			m.t.Fatalf("a late change: %+v", r)
		}
	}
	if got := m.target.View().Index(); got != c.To {
		m.t.Fatalf("%+v: the index is %d", c, got)
	}
	m.last = c
}

// authorized returns the command with the revision of the target's users.
func (m *mirrorRun) authorized(c Command) Command {
	if c.AuthRevision = 0; m.target.View().Users().Enabled() {
		c.AuthRevision = m.target.View().Users().Revision()
	}
	return c
}

// follow brings the events up to an index. At the index of the source it also reads the nodes that have a TTL again.
func (m *mirrorRun) follow(to uint64) {
	if m.source.View().OldestEvent() > m.target.View().Index()+1 {
		m.readAll()
		return
	}
	m.apply(&MirrorChange{After: m.target.View().Index(), To: to, Events: m.seenEvents(to)})
	if to == m.source.View().Index() {
		m.apply(&MirrorChange{After: to, To: to, Nodes: m.refreshed()})
	}
}

// refreshed reads the nodes with a TTL again.
func (m *mirrorRun) refreshed() (nodes []NodeFields) {
	paths := map[string]bool{}
	for _, s := range []*Store{m.source, m.target} {
		for n := range s.View().Walk() {
			if n.Expires() != 0 {
				paths[n.Path()] = true
			}
		}
	}
	for path := range paths {
		if n := m.source.View().Lookup(path); n != nil {
			nodes = append(nodes, fieldsOf(n))
		}
	}
	return nodes
}

// readAll continues or begins a read of the whole source, for a target that has lost events.
func (m *mirrorRun) readAll() {
	if m.reading == nil {
		m.from = m.source.View().Index()
		m.changeSource(2) // while the source is read
		m.found, m.reading = m.source.View(), []NodeFields{}
		for n := range m.found.Walk() {
			m.reading = append(m.reading, fieldsOf(n))
		}
	}
	at := m.target.View().Index()
	n := rapid.IntRange(0, len(m.reading)).Draw(m.t, "part")
	c := &MirrorChange{After: at, To: at, Nodes: m.reading[:n]}
	if m.reading = m.reading[n:]; len(m.reading) == 0 {
		c.To, c.Reset, m.reading = m.from, true, nil
		for n := range m.target.View().Walk() {
			if m.found.Lookup(n.Path()) == nil {
				c.Removed = append(c.Removed, n.Path())
			}
		}
	}
	m.apply(c)
}

// restart replaces the target by what a checkpoint or a snapshot holds.
func (m *mirrorRun) restart() {
	if rapid.Bool().Draw(m.t, "checkpoint") {
		m.disk.write(m.target.TakeDelta())
		loaded := m.load(m.disk)
		if a, b := stateBytes(m.target), stateBytes(loaded); !bytes.Equal(a, b) {
			m.t.Fatalf("target %q\nloaded %q", a, b)
		}
		m.target = loaded
		return
	}
	disk := newCheckpoint()
	disk.write(m.target.TakeAll())
	disk.writeNodes(m.target.View())
	snapshot := m.load(disk)
	m.target = New(m.size)
	m.target.Replace(snapshot)
	m.disk = disk
}

// writeNodes stores all nodes: a delta of everything does not list them.
func (p *checkpoint) writeNodes(v *View) {
	clear(p.nodes)
	for n := range v.Walk() {
		p.nodes[n.Path()] = AppendNode(nil, n)
	}
}

// TestMirror changes a source at random and mirrors it in pieces, with windows that are lost, changes that come late, restarts and
// snapshots. Whenever the target has reached the index of the source, it must have the same tree, and watchers must get the same events.
// After the end it must do what a store of its own does.
func TestMirror(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMirrorRun(t)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			m.changeSource(4)
			if m.source.View().Index() == m.target.View().Index() {
				continue
			}
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				m.restart()
			case 1:
				m.checkRefused()
				m.target.StartRevisions() // they begin at the end
			default:
				if m.reading != nil {
					m.readAll()
					continue
				}
				m.follow(rapid.Uint64Range(m.target.View().Index()+1, m.source.View().Index()).Draw(t, "to"))
			}
		}
		m.catchUp()
		m.compare()
		m.end()
	})
}

// catchUp brings the target to the index of the source.
func (m *mirrorRun) catchUp() {
	for m.target.View().Index() < m.source.View().Index() || m.reading != nil {
		if m.reading != nil {
			m.readAll()
			continue
		}
		m.follow(m.source.View().Index())
	}
	at := m.target.View().Index()
	m.apply(&MirrorChange{After: at, To: at, Nodes: m.refreshed()})
}

// checkRefused applies a command of a client, which must change nothing, and the expiry of everything.
func (m *mirrorRun) checkRefused() {
	before := stateBytes(m.target)
	c := m.authorized(genCommand(m.t, m.model, m.now))
	results := m.target.Apply(math.MaxInt64, []Command{c, {Op: OpExpire}})
	m.target.Announce()
	if e := results[0].Err; c.Op != OpExpire && (e == nil || e.Code != CodeFollowing) {
		m.t.Fatalf("%+v was not refused: %v", c, e)
	}
	if after := stateBytes(m.target); !bytes.Equal(before, after) {
		m.t.Fatalf("%+v: before %q\nafter %q", c, before, after)
	}
}

// compare compares the target with the source.
func (m *mirrorRun) compare() {
	a, b := m.source.View(), m.target.View()
	yes := func() bool { return true }
	if !slices.Equal(a.HashRanges(nil, yes), b.HashRanges(nil, yes)) || a.Index() != b.Index() || b.Revision() != b.Index() ||
		a.root.directory().firstDue() != b.root.directory().firstDue() || b.NextExpiry() != 0 {
		m.t.Fatalf("source %d %s\ntarget %d %s", a.Index(), EncodeGet(a.root, m.now, Deep).Append(nil),
			b.Index(), EncodeGet(b.root, m.now, Deep).Append(nil))
	}
	for since := b.OldestEvent(); since <= b.Index()+1; since++ {
		for _, path := range []string{"/", "/a", "/_h", "/a/b"} {
			for _, scope := range []Scope{Exact, Recursive} {
				want, got := allEvents(m.t, m.source, path, scope, since), allEvents(m.t, m.target, path, scope, since)
				if want != got {
					m.t.Fatalf("%s since %d\nsource %s\ntarget %s", path, since, want, got)
				}
			}
		}
	}
}

// allEvents returns the JSON of the events that a new watcher gets.
func allEvents(t *rapid.T, s *Store, path string, scope Scope, since uint64) string {
	w, err := s.Watch(path, scope, since)
	if err != nil {
		t.Fatalf("%s since %d: %v", path, since, err)
	}
	defer w.Close()
	var all []byte
	for {
		e, err := w.Poll()
		if err != nil {
			t.Fatalf("%s since %d: %v", path, since, err)
		}
		if e == nil {
			return string(all)
		}
		all = fmt.Appendf(all, "%d %s", e.Index(), e.AppendJSON(nil))
	}
}

// end takes over with an index that the source never had. The history of before must go on, and TTLs must end.
func (m *mirrorRun) end() {
	at := m.target.View().Index()
	to := at + rapid.Uint64Range(0, 2000).Draw(m.t, "skipped")
	before := map[uint64]string{}
	for since := m.target.View().OldestEvent(); since <= at+1; since++ {
		before[since] = allEvents(m.t, m.target, "/", Recursive, since)
	}
	ended := &MirrorChange{After: at, To: to, Phase: PhaseEnded}
	early := m.target.Apply(m.now, []Command{m.authorized(Command{Op: OpMirror, Mirror: ended})})
	if err := early[0].Err; err == nil || err.Code != CodeInvalidField {
		m.t.Fatalf("it ended without a fence: %v", err)
	}
	m.apply(&MirrorChange{After: at, To: at, Phase: PhaseFenced})
	m.apply(ended)
	if m.target.View().Mirror() != nil {
		m.t.Fatal("the end did not end it")
	}
	m.restart()
	started := m.target.View().revisions.started
	if r := m.target.View().revisions; r.counts != started || started && r.last != to {
		m.t.Fatalf("at the end, index %d: %+v", to, r)
	}
	for since, want := range before {
		if got := allEvents(m.t, m.target, "/", Recursive, since); got != want && since >= m.target.View().OldestEvent() {
			m.t.Fatalf("after the end, since %d\nbefore %s\nafter  %s", since, want, got)
		}
	}
	results := m.target.Apply(math.MaxInt64, []Command{{Op: OpExpire}, m.authorized(Command{Op: OpSet, Path: "/a-new-key"})})
	m.target.Announce()
	if results[1].Err != nil || m.target.View().NextExpiry() != 0 {
		m.t.Fatalf("after the end: %v; the next expiry is %d", results[1].Err, m.target.View().NextExpiry())
	}
	made := m.target.View().Lookup("/a-new-key")
	if made.ModRevision() != made.ModifiedIndex() || made.storedVersion() == 0 == started || m.target.View().Revision() != made.ModRevision() {
		m.t.Fatalf("index %d, revision %d, version %d; that of the tree is %d", made.ModifiedIndex(), made.ModRevision(),
			made.storedVersion(), m.target.View().Revision())
	}
	m.restart()
	if got := allEvents(m.t, m.target, "/a-new-key", Exact, max(at+1, m.target.View().OldestEvent())); got == "" {
		m.t.Fatal("the first event after the end is not in the history")
	}
}
