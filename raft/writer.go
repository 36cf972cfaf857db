package raft

import (
	"go.etcd.io/raft/v3/raftpb"

	"pando/storage"
)

// writer appends to the disk what raft wants kept, in the order in which it is
// handed over: on its own goroutine by hand, or on the caller's by write.
type writer struct {
	disk    *storage.Disk
	storage *logStorage
	in      chan *raftpb.Message
	done    chan written  // taken from in a turn alone
	wake    chan struct{} // tells the loop that done has something
	ended   chan struct{}
	// What was handed over and not yet taken from done; the loop's own account.
	underway int
	bytes    int
	most     int // bound of bytes
}

// written is an append that is on the disk, with the messages that waited for
// it.
type written struct {
	count     int // of the appends that were handed over
	bytes     int // of their entries
	responses []*raftpb.Message
	err       error
}

// writerRoom is how many appends may wait for the disk.
const writerRoom = 1024

func newWriter(d *storage.Disk, storage *logStorage, most int) *writer {
	return &writer{
		most:    most,
		disk:    d,
		storage: storage,
		in:      make(chan *raftpb.Message, writerRoom),
		done:    make(chan written, writerRoom),
		wake:    make(chan struct{}, 1),
		ended:   make(chan struct{}),
	}
}

func (w *writer) run() {
	defer close(w.ended)
	for m := range w.in {
		for m != nil { // what does not follow from a group begins the next
			g := group{m}
			m = w.gather(&g)
			w.done <- w.write(g)
			wake(w.wake)
		}
	}
}

// group is a run of appends whose entries follow each other: they share one
// sync.
type group []*raftpb.Message

// maxGroup bounds a group.
const maxGroup = 64

// gather adds to the group what waits already. It gives back an append that
// does not follow, which replaces entries of the group.
func (w *writer) gather(g *group) (other *raftpb.Message) {
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

// lastIndex is the index of an append's last entry, or before if it has none.
func lastIndex(m *raftpb.Message, before uint64) uint64 {
	if entries := m.GetEntries(); len(entries) > 0 {
		return entries[len(entries)-1].GetIndex()
	}
	return before
}

// busy reports whether an append is under way, which a later one must not
// overtake.
func (w *writer) busy() bool { return w.underway > 0 }

// full reports whether no further append may be handed over for now.
func (w *writer) full() bool { return w.underway >= writerRoom || w.bytes >= w.most }

// hand gives an append to the writer's goroutine; its outcome comes by done.
func (w *writer) hand(m *raftpb.Message) {
	w.underway++
	w.bytes += entriesSize(m.GetEntries())
	w.in <- m
}

// merge gives the last hard state of the group, all its entries and all that
// waits for them.
func (g group) merge() (hs *raftpb.HardState, entries []*raftpb.Entry, responses []*raftpb.Message) {
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

// write appends at once. The entries are synced when it returns, if raft needs
// them to be.
func (w *writer) write(g group) written {
	hs, entries, responses := g.merge()
	done := written{count: len(g), bytes: entriesSize(entries), responses: responses}
	done.err = w.keep(hs, entries)
	return done
}

func (w *writer) keep(hs *raftpb.HardState, entries []*raftpb.Entry) error {
	if err := w.disk.Append(hs, entries); err != nil {
		return err
	}
	if hs != nil {
		if err := w.storage.SetHardState(hs); err != nil {
			return err
		}
	}
	return w.storage.Append(entries)
}

// stop lets the writer finish what it was handed and waits for it.
func (w *writer) stop() {
	close(w.in)
	<-w.ended
}
