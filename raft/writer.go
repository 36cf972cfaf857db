package raft

import (
	"go.etcd.io/raft/v3/raftpb"

	"pando/storage"
)

// writer makes the appends that raft asks for, in raft's order: submit on the writer's goroutine, write on the caller's.
// Callers must have the turn, except for run and write.
type writer struct {
	disk  *storage.Disk
	log   *logStorage
	in    chan *raftpb.Message
	done  chan appended // received from inside a turn only
	wake  chan struct{} // signals the core that done has something
	ended chan struct{}
	// What was submitted and not yet released.
	inFlight int // appends
	bytes    int // of their entries
	maxBytes int
}

// appended is the result of a group of appends.
type appended struct {
	count     int               // of the appends
	bytes     int               // of their entries
	responses []*raftpb.Message // for raft and for peers, after the append
	err       error
}

// maxAppends bounds the number of appends in flight to the disk.
const maxAppends = 1024

func newWriter(d *storage.Disk, log *logStorage, maxBytes int) *writer {
	return &writer{
		maxBytes: maxBytes,
		disk:     d,
		log:      log,
		in:       make(chan *raftpb.Message, maxAppends),
		done:     make(chan appended, maxAppends),
		wake:     make(chan struct{}, 1),
		ended:    make(chan struct{}),
	}
}

func (w *writer) run() {
	defer close(w.ended)
	for m := range w.in {
		for m != nil { // an append that does not fit into a group begins the next one
			g := appendGroup{m}
			m = w.collect(&g)
			w.done <- w.write(g)
			wake(w.wake)
		}
	}
}

// appendGroup is a series of appends, each of which begins where the one before ends. They share one sync.
type appendGroup []*raftpb.Message

// maxGroup bounds the appends of a group.
const maxGroup = 64

// collect adds to the group the appends that wait. It returns one that replaces entries of the group, if there is one.
func (w *writer) collect(g *appendGroup) (other *raftpb.Message) {
	last := lastIndex((*g)[0], 0)
	for len(*g) < maxGroup {
		select {
		case m, open := <-w.in:
			if !open {
				return nil
			}
			if entries := m.GetEntries(); len(entries) > 0 && last != 0 && entries[0].GetIndex() != last+1 {
				return m
			}
			last = lastIndex(m, last)
			*g = append(*g, m)
		default:
			return nil
		}
	}
	return nil
}

// lastIndex is the index of the last entry of an append, or before if it has none.
func lastIndex(m *raftpb.Message, before uint64) uint64 {
	if entries := m.GetEntries(); len(entries) > 0 {
		return entries[len(entries)-1].GetIndex()
	}
	return before
}

// busy reports whether an append is in flight. A later one must not overtake it.
func (w *writer) busy() bool { return w.inFlight > 0 }

// full reports whether no append may be submitted for now.
func (w *writer) full() bool { return w.inFlight >= maxAppends || w.bytes >= w.maxBytes }

// submit passes an append to the writer's goroutine. Its result arrives in done. The caller must then release it.
func (w *writer) submit(m *raftpb.Message) {
	w.inFlight++
	w.bytes += entriesSize(m.GetEntries())
	w.in <- m
}

// release counts a result that was received from done.
func (w *writer) release(a appended) {
	w.inFlight -= a.count
	w.bytes -= a.bytes
}

// merge returns the last hard state of the group, all its entries and all its responses.
func (g appendGroup) merge() (hs *raftpb.HardState, entries []*raftpb.Entry, responses []*raftpb.Message) {
	for _, m := range g {
		if m.Term != nil {
			hs = &raftpb.HardState{Term: m.Term, Vote: m.Vote, Commit: m.Commit}
		}
	}
	if len(g) == 1 {
		return hs, g[0].GetEntries(), g[0].GetResponses()
	}
	for _, m := range g {
		entries = append(entries, m.GetEntries()...)
		responses = append(responses, m.GetResponses()...)
	}
	return hs, entries, responses
}

// write appends at once. When it returns, the entries are synced, if raft needs them to be.
func (w *writer) write(g appendGroup) appended {
	hs, entries, responses := g.merge()
	a := appended{count: len(g), bytes: entriesSize(entries), responses: responses}
	a.err = w.store(hs, entries)
	return a
}

func (w *writer) store(hs *raftpb.HardState, entries []*raftpb.Entry) error {
	if err := w.disk.Append(hs, entries); err != nil {
		return err
	}
	if hs != nil {
		if err := w.log.SetHardState(hs); err != nil {
			return err
		}
	}
	return w.log.Append(entries)
}

// stop waits until everything that was submitted is written. Nothing may be submitted later.
func (w *writer) stop() {
	close(w.in)
	<-w.ended
}
