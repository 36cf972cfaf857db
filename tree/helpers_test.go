package tree

import (
	"context"
	"runtime"
	"testing"
	"time"
)

const second = int64(time.Second)

// must applies and announces one command, which must succeed, and returns its event.
func must(t testing.TB, s *Store, c Command) *Event {
	t.Helper()
	r := s.Apply(second, []Command{c})[0]
	s.Announce()
	if r.Err != nil {
		t.Fatalf("%+v: %v", c, r.Err)
	}
	return r.Event
}

// mustFail applies one command, which must fail, and returns its error.
func mustFail(t testing.TB, s *Store, c Command) *Error {
	t.Helper()
	r := s.Apply(second, []Command{c})[0]
	if r.Err == nil {
		t.Fatalf("%+v succeeded", c)
	}
	return r.Err
}

// batch returns n commands.
func batch(n int, command func(i int) Command) []Command {
	commands := make([]Command, n)
	for i := range commands {
		commands[i] = command(i)
	}
	return commands
}

// walk visits n and all nodes below it, including hidden ones.
func walk(n *Node, visit func(*Node)) {
	visit(n)
	if !n.IsDir() {
		return
	}
	n.directory().children.Scan(func(child *Node) bool {
		walk(child, visit)
		return true
	})
}

// timeout is how long a test waits for an event that must happen.
const timeout = 10 * time.Second

// watch opens a watcher, which is closed at the end of the test.
func watch(t testing.TB, s *Store, path string, scope Scope, since uint64) *Watcher {
	t.Helper()
	w, err := s.Watch(path, scope, since)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// wantEvent returns the watcher's next event, which must have this index.
func wantEvent(t testing.TB, w *Watcher, index uint64) *Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	e, err := w.Next(ctx)
	if err != nil || e.Index() != index {
		t.Fatalf("got %v, %v; want event %d", e, err, index)
	}
	return e
}

// wantNoEvent checks that the watcher has no event.
func wantNoEvent(t testing.TB, w *Watcher) {
	t.Helper()
	if e, err := w.Poll(); e != nil || err != nil {
		t.Fatalf("got %v, %v; want nothing", e, err)
	}
}

// fill sets the key at path, in batches, until the index of the tree is last.
func fill(t testing.TB, s *Store, path string, last uint64) {
	t.Helper()
	for s.View().Index() < last {
		n := min(100, last-s.View().Index())
		s.Apply(1, batch(int(n), func(int) Command { return Command{Op: OpSet, Path: path} }))
		s.Announce()
	}
}

// eventually waits until ok returns true. It fails the test after timeout.
func eventually(t *testing.T, ok func() bool, failure string) {
	t.Helper()
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal(failure)
		}
	}
}

// heapInUse runs a garbage collection and returns the number of bytes in use.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// decoded encodes and decodes a command, as if it came from the log. Its path and value then
// share one allocation.
func decoded(t *testing.T, c Command) Command {
	t.Helper()
	d, rest, err := DecodeCommand(AppendCommand(nil, &c))
	if err != nil || len(rest) != 0 {
		t.Fatal(err)
	}
	return d
}
