package tree

import (
	"bytes"
	"testing"
)

// startKeys makes a store count revisions and keep its history for the v3 API, as the first command of that API does.
func startKeys(s *Store) {
	s.StartRevisions()
	s.startKeyHistory()
	s.Apply(second, nil)
}

// compactTo compacts the history as an OpCompact does.
func compactTo(t testing.TB, s *Store, revision uint64) {
	t.Helper()
	if err := s.compactHistory(revision); err != nil {
		t.Fatal(err)
	}
	s.Apply(second, nil)
	s.Announce()
}

func TestKeyHistory(t *testing.T) {
	const size = 10
	set := func(t *testing.T, s *Store, n int) {
		for range n {
			must(t, s, Command{Op: OpSet, Path: "/k", Value: "value"})
		}
	}
	t.Run("keeps everything until a compaction", func(t *testing.T) {
		s := New(size)
		startKeys(s)
		set(t, s, 5000)
		if v := s.View(); v.OldestEvent() != firstIndex+1 || v.Events() != 5000 {
			t.Fatalf("%d events from %d on", v.Events(), v.OldestEvent())
		}
		compactTo(t, s, 3000)
		if v := s.View(); v.OldestEvent() != 3000 || v.CompactRevision() != 3000 {
			t.Errorf("the oldest event is %d, compacted %d", v.OldestEvent(), v.CompactRevision())
		}
		compactTo(t, s, s.View().Revision())
		if n := s.View().Events(); n != size {
			t.Errorf("%d events are left, want %d", n, size)
		}
		set(t, s, 3*size)
		if n := s.View().Events(); n != 3*size+1 {
			t.Errorf("%d events are left, want %d", n, 3*size+1)
		}
	})
	t.Run("keeps the last events without a command of v3", func(t *testing.T) {
		s := New(size)
		s.StartRevisions()
		set(t, s, 5000)
		if v := s.View(); v.Events() != size || v.HistoryBytes() != 0 {
			t.Errorf("%d events, %d bytes", v.Events(), v.HistoryBytes())
		}
	})
	t.Run("refuses revisions that are compacted or in the future", func(t *testing.T) {
		s := New(size)
		startKeys(s)
		set(t, s, 3)
		compactTo(t, s, 0)
		compactTo(t, s, 3)
		if err := s.compactHistory(0); err == nil || err.Code != CodeCompacted {
			t.Errorf("compaction at 0 after one at 3: %v", err)
		}
		if err := s.compactHistory(3); err == nil || err.Code != CodeCompacted || err.Revision != 3 {
			t.Error(err)
		}
		if err := s.compactHistory(5); err == nil || err.Code != CodeFutureRevision {
			t.Error(err)
		}
	})
}

// TestKeyHistoryAfterRestart compares a store with one that was loaded from its checkpoint.
func TestKeyHistoryAfterRestart(t *testing.T) {
	s, disk := New(10), newCheckpoint()
	fill(t, s, "/k", 4)
	startKeys(s)
	fill(t, s, "/k", 2004)
	putForTest(s, "/d/a/b", "")
	putForTest(s, "/d/a", "shadowed")
	putForTest(s, "/d/a/c/d", "")
	must(t, s, Command{Op: OpDelete, Path: "/d", Recursive: true})
	must(t, s, Command{Op: OpSet, Path: "/e", Dir: true})
	must(t, s, Command{Op: OpDelete, Path: "/e", Dir: true})
	compactTo(t, s, 1500)
	disk.write(s.TakeDelta())
	loaded := mustLoad(t, disk)
	if v := loaded.View(); v.HistoryBytes() == 0 || v.CompactRevision() != 1500 {
		t.Errorf("%d bytes, compacted %d", v.HistoryBytes(), v.CompactRevision())
	}
	if a, b := stateBytes(s), stateBytes(loaded); !bytes.Equal(a, b) {
		i := 0
		for a[i] == b[i] {
			i++
		}
		t.Errorf("they differ at byte %d\nrunning %.200q\nloaded  %.200q", i, a[max(0, i-100):], b[max(0, i-100):])
	}
}
