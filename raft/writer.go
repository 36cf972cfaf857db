package raft

import (
	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"pando/storage"
)

// writer appends to the disk what raft wants kept, in the order in which it is
// handed over: on its own goroutine by hand, or on the caller's by write.
type writer struct {
	disk     *storage.Disk
	mem      *etcdraft.MemoryStorage
	in       chan *raftpb.Message
	done     chan written
	ended    chan struct{}
	underway int // handed over and not yet taken from done; the loop's own count
}

// written is an append that is on the disk, with the messages that waited for
// it.
type written struct {
	responses []*raftpb.Message
	err       error
}

// writerRoom is how many appends may wait for the disk. Raft's own bounds on
// uncommitted entries come into force long before.
const writerRoom = 1024

func newWriter(d *storage.Disk, mem *etcdraft.MemoryStorage) *writer {
	return &writer{
		disk:  d,
		mem:   mem,
		in:    make(chan *raftpb.Message, writerRoom),
		done:  make(chan written, writerRoom),
		ended: make(chan struct{}),
	}
}

func (w *writer) run() {
	defer close(w.ended)
	for m := range w.in {
		w.done <- w.write(m)
	}
}

// busy reports whether an append is under way, which a later one must not
// overtake.
func (w *writer) busy() bool { return w.underway > 0 }

// full reports whether as many appends are under way as the channels hold.
func (w *writer) full() bool { return w.underway >= writerRoom }

// hand gives an append to the writer's goroutine; its outcome comes by done.
func (w *writer) hand(m *raftpb.Message) {
	w.underway++
	w.in <- m
}

// write appends at once. The entries are synced when it returns, if raft needs
// them to be.
func (w *writer) write(m *raftpb.Message) written {
	var hs *raftpb.HardState
	if m.Term != nil {
		hs = &raftpb.HardState{Term: m.Term, Vote: m.Vote, Commit: m.Commit}
	}
	if err := w.disk.Append(hs, m.GetEntries()); err != nil {
		return written{err: err}
	}
	if hs != nil {
		if err := w.mem.SetHardState(hs); err != nil {
			return written{err: err}
		}
	}
	if err := w.mem.Append(m.GetEntries()); err != nil {
		return written{err: err}
	}
	return written{responses: m.GetResponses()}
}

// stop lets the writer finish what it was handed and waits for it.
func (w *writer) stop() {
	close(w.in)
	<-w.ended
}
