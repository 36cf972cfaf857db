package raft

import (
	"math"
	"sync"
)

// inbox brings work to the loop from other goroutines: messages of peers,
// requests about the membership, news of the transport.
type inbox struct {
	mu     sync.Mutex
	tasks  []task
	closed bool
	wake   chan struct{}
}

// task is a piece of work that needs what only the loop may touch.
type task func(l *loop)

// maxTasks bounds the messages and reports that wait. Beyond it they are dropped,
// which raft is made for.
const maxTasks = 16 << 10

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// offer hands a task to the loop, unless too many wait already.
func (b *inbox) offer(t task) {
	if b.add(t, maxTasks) {
		wake(b.wake)
	}
}

// post hands a task to the loop that must not get lost. It reports false when
// there is no loop any more.
func (b *inbox) post(t task) bool {
	added := b.add(t, math.MaxInt)
	if added {
		wake(b.wake)
	}
	return added
}

// add takes a task for the loop, which has to be woken then, unless so many wait
// already.
func (b *inbox) add(t task, most int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.tasks) >= most {
		return false
	}
	b.tasks = append(b.tasks, t)
	return true
}

// take gives what waits, in exchange for an empty slice to collect more in.
func (b *inbox) take(empty []task) []task {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tasks
	b.tasks = empty
	return t
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.tasks = nil
}
