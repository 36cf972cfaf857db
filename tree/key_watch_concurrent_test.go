package tree

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// TestKeyWatchConcurrently polls watchers and reads earlier revisions while the tree changes and the history is compacted behind the
// slowest watcher. Each watcher must return every revision of its range once.
func TestKeyWatchConcurrently(t *testing.T) {
	const last = 3000
	s := New(10)
	startKeys(s)
	var readers sync.WaitGroup
	var mu sync.Mutex
	slowest := map[*KeyWatcher]uint64{} // the progress of each watcher
	for i := range 3 {
		w := watchKeys(t, s, KeyRange{From: "/k", To: "/l"}, 2)
		mu.Lock()
		slowest[w] = 1
		mu.Unlock()
		readers.Go(func() {
			ready := make(chan struct{}, 1)
			w.Notify(func() {
				select {
				case ready <- struct{}{}:
				default:
				}
			})
			for next := uint64(2); next <= last; {
				b, err := w.Poll(1000 * (i + 1))
				if err != nil {
					t.Error(err)
					return
				}
				for _, e := range b.Events {
					if e.Revision() != next {
						t.Errorf("revision %d in the place of %d", e.Revision(), next)
					}
					next = e.Revision() + 1
				}
				mu.Lock()
				slowest[w] = b.Revision
				mu.Unlock()
				if past, err := s.At(b.Revision); err == nil && past.CountKeys(KeyRange{From: "/k"}) != min(int64(b.Revision)-1, 100) {
					t.Errorf("revision %d has %d keys", b.Revision, past.CountKeys(KeyRange{}))
				}
				if len(b.Events) > 0 {
					continue
				}
				select {
				case <-ready:
				case <-time.After(timeout):
					t.Errorf("no event after revision %d", next-1)
					return
				}
			}
		})
	}
	for i := range last - 1 {
		must(t, s, Command{Op: OpSet, Path: fmt.Sprint("/k", i%100)})
		if i%50 != 49 {
			continue
		}
		mu.Lock()
		progress := uint64(last)
		for _, revision := range slowest {
			progress = min(progress, revision)
		}
		mu.Unlock()
		if progress > s.View().CompactRevision() {
			compactTo(t, s, progress)
		}
	}
	readers.Wait()
}
