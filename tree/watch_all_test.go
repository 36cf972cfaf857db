package tree

import (
	"context"
	"fmt"
	"testing"
)

// TestWatchAll changes keys below three watched paths, two of them nested, while a watcher is polled. The watcher must return each event
// once, in order.
func TestWatchAll(t *testing.T) {
	const changes = 5000
	for _, paths := range [][]string{{"/a", "/b", "/c"}, {"/a", "/b", "/c", "/c/2", "/c"}, {"/c/2", "/c", "/b", "/a"}} {
		t.Run(fmt.Sprint(paths), func(t *testing.T) {
			s := New(2 * changes)
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			w, err := s.WatchAll(paths, Recursive, 1)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for i := range changes {
					key := fmt.Sprintf("/%c/%d", 'a'+i*7%4, i%5) // a fourth of the changes is below /d
					s.Apply(1, []Command{{Op: OpSet, Path: key, Value: fmt.Sprint(i)}})
					s.Announce()
				}
			}()
			last := uint64(0)
			for range changes * 3 / 4 {
				e, err := w.Next(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if e.Index() <= last || e.Node().Path() >= "/d" {
					t.Fatalf("event %d of %s came after %d", e.Index(), e.Node().Path(), last)
				}
				last = e.Index()
			}
			w.Close()
			if s.Watchers() != 0 || s.hub.watchers.Len() != 0 {
				t.Errorf("%d watchers of %d paths are left", s.Watchers(), s.hub.watchers.Len())
			}
		})
	}
}
