package storage

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

// raftNode is a member of a cluster in the model of the raft paper.
type raftNode struct {
	term, vote uint64
	log        []uint64 // the term of each entry, from the first on
	commit     uint64
	leads      bool
}

func (n *raftNode) clone() raftNode {
	c := *n
	c.log = slices.Clone(n.log)
	return c
}

// see raises the term of a node to that of a message.
func (n *raftNode) see(term uint64) {
	if term > n.term {
		n.term, n.vote, n.leads = term, 0, false
	}
}

func (n *raftNode) lastTerm() uint64 {
	if len(n.log) == 0 {
		return 0
	}
	return n.log[len(n.log)-1]
}

// commonLog is the number of entries that two nodes have in common.
func commonLog(a, b *raftNode) int {
	n := min(len(a.log), len(b.log))
	for i := range n {
		if a.log[i] != b.log[i] {
			return i
		}
	}
	return n
}

// savedWrite is the place of the records of a synced write.
type savedWrite struct {
	path       string
	start, end int64
	known      bool // state.db was written after it, so it can't be torn
}

// logHistory is a cluster of three nodes, with elections, lost messages and deposed leaders. Its
// first node writes its log to a disk.
type logHistory struct {
	*member
	r       *rand.Rand
	nodes   [3]raftNode
	disk0   raftNode // the first node as it is on disk
	before  raftNode // the same before the last synced write
	durable uint64   // commit index as of the last synced write
	writes  []savedWrite
}

func newLogHistory(t testing.TB, seed uint64) *logHistory {
	return &logHistory{member: newMember(t), r: rand.New(rand.NewPCG(seed, 16))}
}

func (h *logHistory) step() {
	h.t.Helper()
	switch h.r.IntN(12) {
	case 0, 1:
		h.elect()
	case 2, 3, 4, 5:
		h.replicate()
	case 6, 7:
		h.propose()
	case 8, 9:
		h.advanceCommit()
	case 10:
		h.takeCheckpoint()
		return
	case 11:
		h.snapshotOrRestart()
		return
	}
	h.persist()
}

// elect makes a node campaign. Its messages may reach the other nodes, which then may vote.
func (h *logHistory) elect() {
	c := h.r.IntN(3)
	n := &h.nodes[c]
	n.see(n.term + 1)
	n.vote = uint64(c + 1)
	votes := 1
	for i := range h.nodes {
		v := &h.nodes[i]
		if i == c || h.r.IntN(3) == 0 {
			continue
		}
		if v.see(n.term); v.term > n.term {
			continue
		}
		newer := n.lastTerm() > v.lastTerm() || n.lastTerm() == v.lastTerm() && len(n.log) >= len(v.log)
		if v.vote == 0 && newer {
			v.vote = uint64(c + 1)
			votes++
		}
	}
	if votes >= 2 {
		n.leads = true
		n.log = append(n.log, n.term)
	}
}

// leader returns a node in the state of a leader. Another node may have deposed it.
func (h *logHistory) leader() *raftNode {
	for _, i := range h.r.Perm(3) {
		if h.nodes[i].leads {
			return &h.nodes[i]
		}
	}
	return nil
}

func (h *logHistory) propose() {
	if l := h.leader(); l != nil {
		for range 1 + h.r.IntN(4) {
			l.log = append(l.log, l.term)
		}
	}
}

// replicate sends some of a leader's entries to a node, after those that both have.
func (h *logHistory) replicate() {
	l, f := h.leader(), &h.nodes[h.r.IntN(3)]
	if l == nil || l == f || f.term > l.term {
		return
	}
	f.see(l.term)
	have := commonLog(l, f)
	if uint64(have) < f.commit {
		h.t.Fatal("the model has replaced a committed entry")
	}
	upTo := have + h.r.IntN(len(l.log)-have+1)
	if upTo > have {
		f.log = append(f.log[:have], l.log[have:upTo]...)
	}
	f.commit = max(f.commit, min(l.commit, uint64(upTo)))
}

func (h *logHistory) advanceCommit() {
	l := h.leader()
	if l == nil {
		return
	}
	for n := len(l.log); uint64(n) > l.commit && l.log[n-1] == l.term; n-- {
		has := 0
		for i := range h.nodes {
			if f := &h.nodes[i]; f.term <= l.term && commonLog(l, f) >= n {
				has++
			}
		}
		if has >= 2 {
			l.commit = uint64(n)
		}
	}
}

// persist writes to disk what has changed on the first node.
func (h *logHistory) persist() {
	h.t.Helper()
	n, saved := &h.nodes[0], &h.disk0
	from := commonLog(n, saved)
	var entries []*raftpb.Entry
	for i := from; i < len(n.log); i++ {
		entries = append(entries, h.entry(uint64(i+1), n.log[i]))
	}
	var hs *raftpb.HardState
	if n.term != saved.term || n.vote != saved.vote || n.commit != saved.commit {
		hs = state(n.term, n.vote, n.commit)
	}
	synced := len(entries) > 0 || n.term != saved.term || n.vote != saved.vote
	h.save(hs, entries...)
	before := saved.clone()
	h.disk0 = n.clone()
	if synced {
		h.synced(before)
	}
}

// synced takes note that everything written so far is on the disk.
func (h *logHistory) synced(before raftNode) {
	h.t.Helper()
	w := savedWrite{path: lastSegment(h.t, h.options)}
	ends := recordEnds(h.t, w.path)
	w.start, w.end = ends[segmentHead-1], ends[len(ends)-1]
	if n := len(h.writes); n > 0 && h.writes[n-1].path == w.path {
		w.start = h.writes[n-1].end
	}
	before.commit, h.durable = h.durable, h.disk0.commit
	h.writes, h.before = append(h.writes, w), before
}

func (h *logHistory) entry(index, term uint64) *raftpb.Entry {
	e := entry(index, term)
	if h.r.IntN(3) == 0 {
		e.Data = bytes.Repeat(e.Data, 1+h.r.IntN(120))
	}
	return e
}

func (h *logHistory) takeCheckpoint() {
	h.t.Helper()
	n := &h.disk0
	if n.commit == 0 || n.commit < h.disk.last.index {
		return
	}
	c := h.position()
	c.Applied = h.disk.last.index + h.r.Uint64N(n.commit-h.disk.last.index+1)
	if c.Applied == 0 {
		return
	}
	c.Term = n.log[c.Applied-1]
	if _, err := h.disk.Checkpoint(c); err != nil {
		h.t.Fatal(err)
	}
	h.synced(n.clone())
	h.writes[len(h.writes)-1].known = true
}

// snapshotOrRestart installs a leader's snapshot on the first node, if that needs one, or restarts
// it. A crash may come between the mark of a snapshot and the snapshot.
func (h *logHistory) snapshotOrRestart() {
	h.t.Helper()
	l, n := h.leader(), &h.nodes[0]
	if l == nil || l == n || n.term > l.term || l.commit <= n.commit || uint64(commonLog(l, n)) >= l.commit {
		h.check()
		return
	}
	at, term := l.commit, l.log[l.commit-1]
	h.mark(at, term)
	if h.r.IntN(3) == 0 {
		h.check()
		return
	}
	h.storeAt(at, term)
	h.disk.last = position{at, term}
	n.see(l.term)
	n.log, n.commit = slices.Clone(l.log[:at]), at
	h.disk0.log = slices.Clone(n.log)
	h.persist()
	h.synced(h.disk0.clone())
	h.writes[len(h.writes)-1].known = true
}

// check restarts the member. Everything that was saved must come back.
func (h *logHistory) check() {
	h.t.Helper()
	h.close()
	d, r, err := Open(h.options)
	if err != nil {
		h.t.Fatal(err)
	}
	h.disk = d
	if got, want := summary(r), h.disk0.summary(r.Applied); got != want {
		h.t.Fatalf("got %s, want %s", got, want)
	}
	h.synced(h.disk0.clone())
}

// summary shows a node as it must be recovered with a checkpoint at applied.
func (n *raftNode) summary(applied uint64) string {
	r := &Recovered{HardState: state(n.term, n.vote, max(n.commit, applied)), Applied: applied}
	if applied > 0 {
		r.Term = n.log[applied-1]
	}
	for i := applied; i < uint64(len(n.log)); i++ {
		r.Entries = append(r.Entries, entry(i+1, n.log[i]))
	}
	return summary(r)
}

// copy copies the directory, and gives the last segment of the copy.
func (h *logHistory) copy() (Options, string) {
	o := copyDir(h.t, h.dir())
	return o, lastSegment(h.t, o)
}
