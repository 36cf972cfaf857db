package raft

import "sync"

// inbox brings work to the loop from other goroutines: messages of peers,
// requests about the membership, news of the transport.
type inbox struct {
	mu     sync.Mutex
	tasks  []task
	bytes  int // of what was offered
	most   int // bound of bytes
	closed bool
	wake   chan struct{}
}

// task is a piece of work that needs what only the loop may touch.
type task func(l *core)

func newInbox(most int) *inbox { return &inbox{most: most, wake: make(chan struct{}, 1)} }

// offer takes a task of so many bytes for the loop, which the caller has to wake
// then. It reports false when too much waits already: what is dropped so, messages
// and reports, raft is made to lose. When nothing waits, the size does not matter.
func (b *inbox) offer(t task, size int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.bytes > 0 && b.bytes+size > b.most {
		return false
	}
	b.bytes += size
	b.tasks = append(b.tasks, t)
	return true
}

// post hands a task to the loop that must not get lost. It reports false when
// there is no loop any more.
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

// take gives what waits, in exchange for an empty slice to collect more in.
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
