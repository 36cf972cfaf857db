package raft

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckpointTriggers(t *testing.T) {
	t.Parallel()
	t.Run("changes", func(t *testing.T) {
		m := newTestMember(t)
		m.cfg.SnapshotCount = 10
		m.start()
		for i := range 9 {
			m.set("/a", fmt.Sprint(i))
		}
		if n := m.seen.checkpointCount(); n > 0 {
			t.Errorf("%d checkpoints after 9 changes, want none before 10", n)
		}
		m.set("/a", "9")
		m.await("a checkpoint", func() bool { return m.seen.checkpointCount() == 1 })
		for i := range 100 {
			m.set("/a", fmt.Sprint(i))
		}
		m.await("more checkpoints", func() bool { return m.seen.checkpointCount() > 1 })
		m.crash()
		m.start()
		if m.replayed > 100 {
			t.Errorf("%d entries were replayed although there were checkpoints", m.replayed)
		}
	})
	t.Run("bytes of log", func(t *testing.T) {
		m := newTestMember(t)
		m.cfg.WALBytes = 100 << 10
		m.start()
		for i := range 5 {
			m.set(fmt.Sprintf("/%d", i), strings.Repeat("x", 10<<10))
		}
		if n := m.seen.checkpointCount(); n > 0 {
			t.Errorf("%d checkpoints after 50 KiB, want none before 100", n)
		}
		for i := range 6 {
			m.set(fmt.Sprintf("/%d", i), strings.Repeat("y", 10<<10))
		}
		m.await("a checkpoint", func() bool { return m.seen.checkpointCount() == 1 })
	})
	t.Run("stop", func(t *testing.T) {
		m := newTestMember(t)
		m.start()
		m.set("/a", "1")
		m.stop()
		if n := m.seen.checkpointCount(); n != 1 {
			t.Errorf("%d checkpoints at the stop, want 1", n)
		}
		m.start()
		if m.replayed > 0 || !m.exists("/a") {
			t.Errorf("%d entries were replayed after a stop; /a is there: %t", m.replayed, m.exists("/a"))
		}
	})
}

// TestFailedCheckpoint makes checkpoints fail for a while: writes succeed meanwhile, and the next checkpoint has the
// changes that the failed one should have had.
func TestFailedCheckpoint(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	m.cfg.SnapshotCount = 10
	m.start()
	state := filepath.Join(m.dir, "state.db")
	if err := os.Rename(state, state+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		m.set(fmt.Sprintf("/%d", i), "x")
	}
	if n := m.seen.checkpointCount(); n > 0 {
		t.Errorf("%d checkpoints succeeded although state.db could not be written", n)
	}
	before := m.dump()
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(state+".away", state); err != nil {
		t.Fatal(err)
	}
	m.stop()
	m.start()
	if m.replayed > 0 {
		t.Errorf("%d entries were replayed after a stop", m.replayed)
	}
	if after := m.dump(); after != before {
		t.Errorf("the tree was\n%s\nand is\n%s", before, after)
	}
}

// TestDamagedCheckpoint damages state.db while the member runs. The next checkpoint writes all of it from memory.
func TestDamagedCheckpoint(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	m.cfg.SnapshotCount = 10
	m.start()
	m.set("/first", "1")
	if err := os.WriteFile(filepath.Join(m.dir, "state.db"), []byte(strings.Repeat("x", 1<<16)), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		m.set(fmt.Sprintf("/%d", i), "x")
	}
	m.await("a failed checkpoint", func() bool {
		since, err := m.node.CheckpointFailing()
		return !since.IsZero() && err != nil
	})
	before := m.dump()
	m.stop()
	m.start()
	if m.replayed > 0 {
		t.Errorf("%d entries were replayed after a stop", m.replayed)
	}
	if after := m.dump(); after != before {
		t.Errorf("the tree was\n%s\nand is\n%s", before, after)
	}
}
