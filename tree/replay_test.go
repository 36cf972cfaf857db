package tree

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// logEntry is one batch in the log, or the start of revisions.
type logEntry struct {
	now      int64
	commands []byte
	start    bool
}

func (e logEntry) apply(t *rapid.T, s *Store) []Result {
	if e.start {
		s.StartRevisions()
		return nil
	}
	var commands []Command
	for rest := e.commands; len(rest) > 0; {
		c, tail, err := DecodeCommand(rest)
		if err != nil {
			t.Fatal(err)
		}
		commands, rest = append(commands, c), tail
	}
	results := s.Apply(e.now, commands)
	s.Announce()
	return results
}

func genLog(t *rapid.T, historySize int) []logEntry {
	m := newModel(historySize)
	now := 100 * second
	entries := make([]logEntry, rapid.IntRange(1, 25).Draw(t, "batches"))
	start := rapid.IntRange(0, len(entries)).Draw(t, "start of revisions")
	for i := range entries {
		if i == start {
			entries[i].start = true
			m.numbers.start()
			continue
		}
		now = genNow(t, now)
		entries[i].now = now
		for _, c := range genBatch(t, m, now, 5) {
			_, _ = m.do(now, c)
			entries[i].commands = AppendCommand(entries[i].commands, &c)
		}
	}
	return entries
}

// TestReplayGivesTheSameBytes applies one log to two members. The first never stops. The
// second stores checkpoints, fails to store some, and restarts from the stored ones. Both
// must have the same state.
func TestReplayGivesTheSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{1, 4, 1000}).Draw(t, "history")
		log := genLog(t, size)
		running := New(size)
		restarted := &member{size: size, store: New(size), disk: newCheckpoint()}
		for i, e := range log {
			want := e.apply(t, running)
			got := e.apply(t, restarted.store)
			for j := range want {
				if want[j].Err == nil != (got[j].Err == nil) || want[j].Err != nil && *want[j].Err != *got[j].Err {
					t.Fatalf("entry %d, command %d: %v and %v", i, j, want[j].Err, got[j].Err)
				}
			}
			if a, b := stateBytes(running), stateBytes(restarted.store); !bytes.Equal(a, b) {
				t.Fatalf("after entry %d\nrunning   %q\nrestarted %q", i, a, b)
			}
			restarted.disturb(t, log, i+1)
		}
		restarted.returnPending()
		restarted.disk.write(restarted.store.TakeDelta())
		loaded, err := restarted.disk.load(size)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := stateBytes(running), stateBytes(loaded); !bytes.Equal(a, b) {
			t.Fatalf("loaded at the end\nrunning %q\nloaded %q", a, b)
		}
	})
}

// member is a store with its checkpoints.
type member struct {
	size    int
	store   *Store
	disk    *checkpoint
	stored  int    // the number of entries that the checkpoint includes
	pending *Delta // taken, but neither stored nor returned yet
	taken   int    // the number of entries that the pending delta includes
}

// disturb draws an event between two entries: it begins or ends a checkpoint, restarts the
// member, or does nothing. applied is the number of entries that the member has applied.
func (m *member) disturb(t *rapid.T, log []logEntry, applied int) {
	switch rapid.IntRange(0, 7).Draw(t, "disturbance") {
	case 0, 1: // a checkpoint begins
		if m.pending == nil {
			m.pending, m.taken = m.store.TakeDelta(), applied
			if n := m.store.DirtyPaths(); n != 0 {
				t.Fatalf("%d dirty paths after all were taken", n)
			}
		}
	case 2, 3: // and succeeds
		if m.pending != nil {
			m.disk.write(m.pending)
			m.stored, m.pending = m.taken, nil
		}
	case 4: // or fails
		m.returnPending()
	case 5: // a restart
		loaded, err := m.disk.load(m.size)
		if err != nil {
			t.Fatal(err)
		}
		m.store, m.pending = loaded, nil
		for _, e := range log[m.stored:applied] {
			e.apply(t, m.store)
		}
	}
}

func (m *member) returnPending() {
	if m.pending != nil {
		m.store.ReturnDelta(m.pending)
		m.pending = nil
	}
}

// TestDeltaOfRecreatedDirectories stores deltas in which directories are removed and made
// again. The loaded state must be that of the store.
func TestDeltaOfRecreatedDirectories(t *testing.T) {
	set := func(path string) Command { return Command{Op: OpSet, Path: path, Value: path} }
	remove := func(path string) Command { return Command{Op: OpDelete, Path: path, Recursive: true} }
	for _, tc := range []struct {
		name          string
		stored, after []Command
	}{
		{"as a directory", []Command{set("/d/a"), set("/d/b/c")}, []Command{remove("/d"), set("/d/b/x")}},
		{"as a file", []Command{set("/d/a"), set("/d/b/c")}, []Command{remove("/d"), set("/d")}},
		{"twice", []Command{set("/d/a")}, []Command{remove("/d"), set("/d/a"), remove("/d"), set("/d/b")}},
		{"and removed again", []Command{set("/d/a")}, []Command{remove("/d"), set("/d/b/c"), remove("/d")}},
		{"a file into a directory", []Command{set("/d")}, []Command{{Op: OpSet, Path: "/d", Dir: true}, set("/d/a")}},
		{"a neighbour stays", []Command{set("/d/a"), set("/d-/a"), set("/d0/a"), set("/d.")}, []Command{remove("/d")}},
		{"never stored", nil, []Command{set("/d/a"), remove("/d"), set("/d/b")}},
		{"below another", []Command{set("/d/e/f")}, []Command{remove("/d/e"), set("/d/e/g"), remove("/d")}},
	} {
		for _, failed := range []string{"", "first delta returned"} {
			t.Run(strings.TrimSpace(tc.name+" "+failed), func(t *testing.T) {
				s, disk := New(10), newCheckpoint()
				s.Apply(1, tc.stored)
				if failed == "" {
					disk.write(s.TakeDelta())
					s.Apply(2, tc.after)
				} else {
					d := s.TakeDelta()
					d.Sort()
					s.Apply(2, tc.after)
					s.ReturnDelta(d)
				}
				disk.write(s.TakeDelta())
				loaded, err := disk.load(10)
				if err != nil {
					t.Fatal(err)
				}
				if a, b := stateBytes(s), stateBytes(loaded); !bytes.Equal(a, b) {
					t.Errorf("\nstored %q\nloaded %q", a, b)
				}
			})
		}
	}
}

// TestLoadWithAnotherHistorySize loads a checkpoint into a larger and a smaller history.
func TestLoadWithAnotherHistorySize(t *testing.T) {
	s, disk := New(10), newCheckpoint()
	for range 25 {
		must(t, s, Command{Op: OpSet, Path: "/k"})
	}
	disk.write(s.TakeDelta())
	for size, oldest := range map[int]uint64{1: 26, 4: 23, 10: 17, 40: 17} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			loaded, err := disk.load(size)
			if err != nil {
				t.Fatal(err)
			}
			if d := loaded.TakeDelta(); len(d.Removed)+len(d.Changed)+d.Events.Len() != 0 {
				t.Errorf("the next delta holds what is stored already: %+v", d)
			}
			if got := loaded.View().OldestEvent(); got != oldest {
				t.Fatalf("oldest event %d, want %d", got, oldest)
			}
			if _, err := loaded.Watch("/k", Exact, oldest-1); err == nil {
				t.Error("a watch begins before the oldest event of the history")
			}
			for range 30 {
				must(t, loaded, Command{Op: OpSet, Path: "/k"})
				v := loaded.View()
				if want := max(int64(oldest), int64(v.Index())-int64(size)+1); int64(v.OldestEvent()) != want {
					t.Fatalf("at %d the oldest event is %d, want %d", v.Index(), v.OldestEvent(), want)
				}
			}
		})
	}
}
