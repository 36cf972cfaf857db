package tree

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestCompactionRevision compacts random histories to random sizes. After each compaction the history has the size that was asked for, and
// a compaction to the revision before would have kept more.
func TestCompactionRevision(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: one goroutine makes many histories")
	}
	random := rand.New(rand.NewPCG(3, 4))
	s := New(10)
	startKeys(s)
	for round := range 60 {
		for range random.IntN(2000) {
			key := fmt.Sprintf("/d/%d", random.IntN(50))
			switch value := strings.Repeat("v", random.IntN(200)); random.IntN(20) {
			case 0:
				s.Apply(second, []Command{{Op: OpDeleteRange, Path: "/d/", Value: "/d0"}})
			default:
				must(t, s, Command{Op: OpPut, Path: key, Value: value})
			}
		}
		before := s.View()
		keep := random.Int64N(2 * (1 + before.HistoryBytes()))
		revision := s.CompactionRevision(keep)
		if before.HistoryBytes() <= keep {
			if revision != 0 {
				t.Fatalf("round %d: compaction to %d, although %d bytes are less than %d", round, revision, before.HistoryBytes(), keep)
			}
			continue
		}
		if revision == 0 {
			if before.Revision() != before.CompactRevision() {
				t.Fatalf("round %d: no compaction of %d bytes to %d", round, before.HistoryBytes(), keep)
			}
			continue
		}
		if more := bytesFromRevision(s, revision-1); revision-1 > before.CompactRevision() && more <= keep {
			t.Errorf("round %d: revision %d keeps less than %d bytes, revision %d too, %d", round, revision, keep, revision-1, more)
		}
		compactTo(t, s, revision)
		if v := s.View(); v.HistoryBytes() > keep && revision != v.Revision() {
			t.Errorf("round %d: %d bytes are left, want at most %d", round, v.HistoryBytes(), keep)
		}
	}
}

// bytesFromRevision returns the size of the events from a revision on.
func bytesFromRevision(s *Store, revision uint64) (size int64) {
	for i := s.retention.floor; i <= s.index; i++ {
		if e := s.history.at(i); e != nil && e.Revision() >= revision {
			size += eventSize(e)
		}
	}
	return size
}

func TestCompactionRevisionOfOneLargeEvent(t *testing.T) {
	s := New(10)
	if got := s.CompactionRevision(0); got != 0 {
		t.Errorf("compaction to %d before the first command of v3", got)
	}
	startKeys(s)
	must(t, s, Command{Op: OpPut, Path: "small", Value: "x"})
	must(t, s, Command{Op: OpPut, Path: "large", Value: strings.Repeat("x", 5000)})
	current := s.View().Revision()
	if got := s.CompactionRevision(1000); got != current {
		t.Fatalf("compaction to %d, want the current revision %d", got, current)
	}
	compactTo(t, s, current)
	if got := s.CompactionRevision(1000); got != 0 {
		t.Errorf("another compaction to %d, although only the current revision is left", got)
	}
	must(t, s, Command{Op: OpPut, Path: "small", Value: "y"})
	if got := s.CompactionRevision(1000); got != current+1 {
		t.Errorf("compaction to %d, want %d", got, current+1)
	}
}
