package raft

import "sync"

// inbox holds work for the core from other goroutines: messages of peers, requests about the membership, reports of the
// transport. Its methods may be called from any goroutine.
type inbox struct {
	mu       sync.Mutex
	tasks    []task
	bytes    int // of the tasks that were offered
	maxBytes int
	closed   bool
	wake     chan struct{}
}

// task is work that needs the turn.
type task func(c *core)

func newInbox(maxBytes int) *inbox { return &inbox{maxBytes: maxBytes, wake: make(chan struct{}, 1)} }

// offer adds a task that takes size bytes of memory. The caller must then wake the core. It returns false, and drops the
// task, when there is no room: it is for messages and reports, whose loss raft tolerates. An empty inbox takes a task of
// any size.
func (b *inbox) offer(t task, size int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.bytes > 0 && b.bytes+size > b.maxBytes {
		return false
	}
	b.bytes += size
	b.tasks = append(b.tasks, t)
	return true
}

// post adds a task that must not get lost, and wakes the core. It returns false when the core has ended.
func (b *inbox) post(t task) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.tasks = append(b.tasks, t)
	wake(b.wake)
	return true
}

// take removes and returns all tasks. The inbox keeps the slice empty for the next ones.
func (b *inbox) take(empty []task) []task {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tasks
	b.tasks, b.bytes = empty, 0
	return t
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.tasks, b.bytes = nil, 0
}
