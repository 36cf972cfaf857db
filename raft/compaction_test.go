package raft

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"pando/tree"
)

// TestLogIsBoundedInBytes writes large values again and again: on each member the memory of the log stays below its
// bound, whatever the number of entries.
func TestLogIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	const bound, size, writes = 4 << 20, 64 << 10, 200
	value := strings.Repeat("x", size)
	t.Run("three members", func(t *testing.T) {
		c := newCluster(t, 3, func(cfg *Config) { cfg.CatchUpBytes = bound })
		lead, most := c.leader(), int64(0)
		for i := range writes {
			lead.set(fmt.Sprintf("/key/%d", i%8), value)
			for _, r := range c.running() {
				most = max(most, r.node().LogBytes())
			}
		}
		if most > bound+2*size {
			t.Errorf("the log took up to %d bytes, with a bound of %d", most, bound)
		}
		c.settle()
		for _, r := range c.running() {
			if got := r.node().LogBytes(); got < bound/keepShare-2*size {
				t.Errorf("member %d keeps %d bytes for the others", r.id, got)
			}
		}
	})
	t.Run("alone", func(t *testing.T) {
		m := newTestMember(t)
		m.cfg.CatchUpBytes = bound
		m.start()
		for range writes {
			m.propose(tree.Command{Op: tree.OpSet, Path: "/key", Value: value})
		}
		if got := m.node.LogBytes(); got > bound/compactStep+2*size {
			t.Errorf("a member that is alone keeps %d bytes", got)
		}
	})
}

// logInMemory makes a log in memory whose entries count for this many bytes each.
func logInMemory(t testing.TB, from, to uint64, size int) *logStorage {
	t.Helper()
	log := newLogStorage()
	snapshot := &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{Index: new(from - 1), Term: new(uint64(1))}}
	if err := log.ApplySnapshot(snapshot); err != nil {
		t.Fatal(err)
	}
	appendTo(t, log, from, to, 1, size)
	return log
}

func appendTo(t testing.TB, log *logStorage, from, to, term uint64, size int) {
	t.Helper()
	var entries []*raftpb.Entry
	for i := from; i <= to; i++ {
		entries = append(entries, &raftpb.Entry{Index: new(i), Term: new(term), Data: make([]byte, size-entryOverhead)})
	}
	if err := log.Append(entries); err != nil {
		t.Fatal(err)
	}
}

// TestLogBytes checks the count of bytes after each kind of change to the log.
func TestLogBytes(t *testing.T) {
	log := logInMemory(t, 11, 20, 1000)
	want := func(what string, bytes int64) {
		t.Helper()
		if got := log.size(); got != bytes {
			t.Errorf("%s: %d bytes, want %d", what, got, bytes)
		}
	}
	want("ten entries", 10_000)
	appendTo(t, log, 21, 22, 1, 500)
	want("two more", 11_000)
	appendTo(t, log, 19, 19, 2, 2000)
	want("one that replaces four", 10_000)
	appendTo(t, log, 20, 20, 2, 1000)
	want("one behind it", 11_000)
	if err := log.drop(15); err != nil {
		t.Fatal(err)
	}
	want("the first five dropped", 6_000)
	if err := log.drop(15); err != nil {
		t.Fatal(err)
	}
	want("dropped again", 6_000)
	position := &raftpb.SnapshotMetadata{Index: new(uint64(50)), Term: new(uint64(3))}
	if err := log.ApplySnapshot(&raftpb.Snapshot{Metadata: position}); err != nil {
		t.Fatal(err)
	}
	want("a snapshot", 0)
}

// TestDroppable checks that the log keeps what members need, up to its bound.
func TestDroppable(t *testing.T) {
	const size = 1000
	for _, test := range []struct {
		name    string
		entries uint64 // in the log, of which all but the last are applied
		keep    int64
		needed  uint64
		want    uint64
	}{
		{"no member needs it", 40, 16 * size, math.MaxUint64, 24},
		{"a member needs a part", 40, 16 * size, 11, 10},
		{"a member needs all", 40, 16 * size, 1, 0},
		{"a member needs more than the bound", 80, 16 * size, 1, 18}, // 64 and a step of 2 stay
		{"nothing is kept", 40, 0, math.MaxUint64, 39},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &core{shared: shared{limits: limits{catchUp: 64 * size}, state: &logState{}}, storage: logInMemory(t, 1, test.entries, size)}
			c.state.applied.Store(test.entries - 1)
			if got := c.droppable(test.keep, test.needed); got != test.want {
				t.Errorf("drops up to %d, want %d", got, test.want)
			}
		})
	}
}

// TestNeededByOthers checks that a leader keeps the log for its followers, and that a follower does not.
func TestNeededByOthers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	c.leader().set("/key", "1")
	c.settle()
	known := false
	c.await("all acknowledgements", func() bool {
		c.leader().inTurnOf(func(c *core) {
			last := c.state.lastIndex
			if known = c.neededByOthers() == last+1; !known {
				return
			}
			for i := range uint64(3) { // no follower can acknowledge it before this task ends
				if err := c.proposer.offer(forwarded(2, i, "/key", "2"), time.Now()); err != nil {
					t.Error(err)
				}
				c.handle(c.raw.Ready())
			}
			if needed := c.neededByOthers(); needed != last+1 {
				t.Errorf("the others need the log from entry %d on, want %d", needed, last+1)
			}
		})
		return known
	})
	c.follower().inTurnOf(func(c *core) {
		if needed := c.neededByOthers(); needed != math.MaxUint64 {
			t.Errorf("a follower keeps the log from entry %d on", needed)
		}
	})
}
