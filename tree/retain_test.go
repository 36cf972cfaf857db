package tree

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestOldValuesAreFreed replaces and removes large values. They must be freed.
func TestOldValuesAreFreed(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: it measures the heap")
	}
	const size, rounds = 1 << 20, 60
	large := strings.Repeat("x", size)
	do := func(t *testing.T, s *Store, c Command) { must(t, s, decoded(t, c)) }
	for _, tc := range []struct {
		name string
		run  func(t *testing.T, s *Store)
	}{
		{"overwritten between checkpoints", func(t *testing.T, s *Store) {
			for range rounds {
				do(t, s, Command{Op: OpSet, Path: "/k", Value: large})
			}
			do(t, s, Command{Op: OpSet, Path: "/k"})
		}},
		{"deleted between checkpoints", func(t *testing.T, s *Store) {
			for i := range rounds {
				do(t, s, Command{Op: OpSet, Path: fmt.Sprintf("/d/%d", i), Value: large})
			}
			do(t, s, Command{Op: OpDelete, Path: "/d", Recursive: true})
		}},
		{"parents made for a key", func(t *testing.T, s *Store) {
			for i := range rounds {
				do(t, s, Command{Op: OpSet, Path: fmt.Sprintf("/%d/k", i), Value: large})
				do(t, s, Command{Op: OpDelete, Path: fmt.Sprintf("/%d/k", i)})
			}
		}},
		{"given to a directory", func(t *testing.T, s *Store) {
			for i := range rounds {
				do(t, s, Command{Op: OpSet, Path: fmt.Sprintf("/%d", i), Dir: true, Value: large})
			}
		}},
		{"overwritten with the same TTL", func(t *testing.T, s *Store) {
			for i := range rounds {
				do(t, s, Command{Op: OpSet, Path: fmt.Sprintf("/%d/k", i), Value: large, Expires: 90 * second})
				do(t, s, Command{Op: OpSet, Path: fmt.Sprintf("/%d/k", i), Expires: 90 * second})
			}
		}},
		{"overwritten beside small ones", func(t *testing.T, s *Store) {
			for i := range 3 * rounds {
				value := ""
				if i >= rounds/2+2 {
					value = large[:size/2]
				}
				do(t, s, Command{Op: OpSet, Path: fmt.Sprintf("/d/%03d", i), Value: value})
			}
			for i := rounds/2 + 2; i < 3*rounds; i++ {
				do(t, s, Command{Op: OpSet, Path: fmt.Sprintf("/d/%03d", i)})
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := New(5)
			before := heapInUse()
			tc.run(t, s)
			fill(t, s, "/other", s.View().Index()+10) // the history must hold none of the large values
			if grown := heapInUse() - before; grown > 3*size {
				t.Errorf("%d KiB are still in use", grown>>10)
			}
			runtime.KeepAlive(s)
		})
	}
}

// TestEventsKeepNoSubtree removes a large directory. The event stays in the history, but must
// not keep alive the nodes that were below the directory.
func TestEventsKeepNoSubtree(t *testing.T) {
	s := New(1000)
	must(t, s, Command{Op: OpSet, Path: "/d", Dir: true})
	before := heapInUse()
	const keys = 20000
	for i := 0; i < keys; i += 1000 {
		s.Apply(1, batch(1000, func(j int) Command {
			return decoded(t, Command{Op: OpSet, Path: fmt.Sprintf("/d/s/%d", i+j), Value: strings.Repeat("v", 200)})
		}))
		s.Announce()
	}
	s.TakeDelta()
	full := heapInUse() - before
	must(t, s, Command{Op: OpUpdate, Path: "/d"})
	must(t, s, Command{Op: OpDelete, Path: "/d", Recursive: true})
	if left := heapInUse() - before; left > full/5 { // the last 1000 events remain
		t.Errorf("%d of %d KiB are still in use", left>>10, full>>10)
	}
	if e := s.history.at(s.View().Index()); e.Node().Len()+e.prev.Len() != 0 {
		t.Error("the event shows children")
	}
	runtime.KeepAlive(s)
}
