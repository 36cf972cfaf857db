package tree

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// TestConcurrentWatchers opens watchers of many kinds while a goroutine writes. Each must
// return every matching event once, in the order of the indexes.
func TestConcurrentWatchers(t *testing.T) {
	const rounds, perKind = 150, 5
	before := runtime.NumGoroutine()
	s, m := New(1<<16), newModel(1<<16)
	var all sync.WaitGroup
	seen := map[*watchModel][]uint64{}
	var mu sync.Mutex
	follow := func(path string, scope Scope, since uint64) {
		w, err := s.Watch(path, scope, since)
		if err != nil {
			t.Error(err)
			return
		}
		all.Go(func() {
			got := readToEnd(t, w)
			mu.Lock()
			defer mu.Unlock()
			seen[&watchModel{path: path, scope: scope, cursor: since}] = got
		})
	}
	for round := range rounds {
		if round%(rounds/perKind) == 0 {
			for i := range 4 {
				follow(fmt.Sprintf("/d%d/k", i), Exact, 2)
				follow(fmt.Sprintf("/d%d", i), Recursive, uint64(2+round))
			}
			follow("/", Recursive, 2)
			follow("/", Recursive, 0)
			follow("/d1/_h/k", Exact, uint64(round+50))
		}
		now := int64(round) * second
		commands := concurrentBatch(round)
		for _, c := range commands {
			_, _ = m.do(now, c)
		}
		s.Apply(now, commands)
		s.Announce()
	}
	// The readers stop at these events.
	for _, path := range []string{"/d0/k", "/d1/k", "/d2/k", "/d3/k", "/d1/_h/k"} {
		c := Command{Op: OpSet, Path: path, Value: "end"}
		_, _ = m.do(0, c)
		s.Apply(0, []Command{c})
		s.Announce()
	}
	all.Wait()
	for w, got := range seen {
		compareSeen(t, m, w, got)
	}
	if s.Watchers() != 0 || s.hub.watchers.Len() != 0 {
		t.Errorf("%d watchers at %d paths are left", s.Watchers(), s.hub.watchers.Len())
	}
	eventually(t, func() bool { return runtime.NumGoroutine() <= before }, "goroutines are left")
}

func concurrentBatch(round int) []Command {
	dir := fmt.Sprintf("/d%d", round%4)
	commands := []Command{
		{Op: OpSet, Path: dir + "/k", Value: "v"},
		{Op: OpSet, Path: dir + "/_h/k", Value: "v"},
		{Op: OpUpdate, Path: dir + "/k", Refresh: true, Expires: int64(round+3) * second},
		{Op: OpCreateInOrder, Path: dir + "/queue"},
		{Op: OpExpire},
	}
	if round%7 == 6 {
		commands = append(commands, Command{Op: OpDelete, Path: dir, Recursive: true})
	}
	return commands
}

// readToEnd returns the indexes of a watcher's events, up to the event with the value "end".
func readToEnd(t *testing.T, w *Watcher) []uint64 {
	defer w.Close()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	last := w.path
	if w.scope == Recursive {
		last += "/k"
	}
	if w.path == "/" {
		last = "/d3/k"
	}
	var got []uint64
	for {
		e, err := w.Next(ctx)
		if err != nil {
			t.Errorf("%s (%d): %v after %d events", w.path, w.scope, err, len(got))
			return got
		}
		got = append(got, e.Index())
		if e.Node().Path() == last && e.Node().Value() == "end" {
			return got
		}
	}
}

func compareSeen(t *testing.T, m *model, w *watchModel, got []uint64) {
	if w.cursor == 0 { // a watcher from now on: check from its first event
		w.cursor = got[0]
	}
	at := 0
	for i := w.cursor; i <= m.index && at < len(got); i++ {
		concern := w.concern(&m.events[i-2])
		switch {
		case got[at] == i && concern != never:
			at++
		case got[at] == i, concern == always:
			t.Errorf("%s (%d) from %d: event %d, %+v; it got %d next", w.path, w.scope, w.cursor, i, m.events[i-2], got[at])
			return
		}
	}
	if at != len(got) {
		t.Errorf("%s (%d) from %d: got %d twice, out of order or too early", w.path, w.scope, w.cursor, got[at])
	}
}

// TestWatchWhileWriting opens and closes watchers while a goroutine writes, for the race
// detector. The events of a watcher must have no gap.
func TestWatchWhileWriting(t *testing.T) {
	s := New(1 << 16)
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if !readSome(t, s) {
					return
				}
			}
		})
	}
	fill(t, s, "/k", 20000)
	close(stop)
	for done := waitGroupDone(&clients); ; {
		select {
		case <-done:
			if s.Watchers() != 0 {
				t.Errorf("%d watchers are left", s.Watchers())
			}
			return
		default:
			must(t, s, Command{Op: OpSet, Path: "/k"}) // some readers may still wait for events
		}
	}
}

func waitGroupDone(g *sync.WaitGroup) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		g.Wait()
		close(done)
	}()
	return done
}

// readSome opens a watcher and reads some events, which must have no gap. It returns false
// after a failure.
func readSome(t *testing.T, s *Store) bool {
	before := s.View().Index()
	w, err := s.Watch("/k", Exact, 0)
	if err != nil {
		t.Error(err)
		return false
	}
	defer w.Close()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var last uint64
	for range 20 {
		e, err := w.Next(ctx)
		if err != nil || e.Index() <= before || last != 0 && e.Index() != last+1 {
			t.Errorf("got %v, %v after %d", e, err, last)
			return false
		}
		last = e.Index()
	}
	return true
}
