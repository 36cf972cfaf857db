package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
)

// state, entry and mark make the records of a log.
func state(term, vote, commit uint64) *raftpb.HardState {
	return &raftpb.HardState{Term: &term, Vote: &vote, Commit: &commit}
}

func entry(index, term uint64) *raftpb.Entry {
	data := fmt.Appendf(nil, "entry %d of term %d ", index, term)
	return &raftpb.Entry{Index: &index, Term: &term, Type: raftpb.EntryNormal.Enum(), Data: data}
}

func largeEntry(index, term uint64) *raftpb.Entry {
	e := entry(index, term)
	e.Data = []byte(strings.Repeat(string(e.Data), 100))
	return e
}

func (m *member) save(hs *raftpb.HardState, entries ...*raftpb.Entry) {
	m.t.Helper()
	if err := m.disk.Append(hs, entries); err != nil {
		m.t.Fatal(err)
	}
}

// mark writes the record of a checkpoint or snapshot, and no more of it.
func (m *member) mark(index, term uint64) {
	m.t.Helper()
	if err := m.disk.wal.SaveSnapshot(&walpb.Snapshot{Index: &index, Term: &term, ConfState: &raftpb.ConfState{}}); err != nil {
		m.t.Fatal(err)
	}
}

// storeAt has state.db say that it holds the entries up to index.
func (m *member) storeAt(index, term uint64) {
	m.t.Helper()
	c := m.position()
	c.Applied, c.Term = index, term
	if _, err := m.disk.writeState(c); err != nil {
		m.t.Fatal(err)
	}
}

// restart opens a member's data again.
func (m *member) restart() {
	m.t.Helper()
	m.close()
	d, _, err := Open(m.options)
	if err != nil {
		m.t.Fatal(err)
	}
	m.disk = d
}

// summary shows the hard state and the entries of what was recovered.
func summary(r *Recovered) string {
	s := fmt.Sprintf("%d/%d/%d, %d/%d:", r.HardState.GetTerm(), r.HardState.GetVote(), r.HardState.GetCommit(), r.Applied, r.Term)
	for _, e := range r.Entries {
		s += fmt.Sprintf(" %d/%d", e.GetIndex(), e.GetTerm())
	}
	return s
}

// TestReplayRules opens logs that raft can write, and logs that only damage explains.
func TestReplayRules(t *testing.T) {
	for _, tc := range []struct {
		name  string
		write func(m *member)
		want  string // hard state, checkpoint, entries; or what is refused
		bad   bool
	}{
		{name: "an entry of an older term replaces one of a newer", write: func(m *member) { // figure 8
			m.save(state(2, 0, 0), entry(1, 1), entry(2, 2))
			m.save(state(3, 0, 0), entry(2, 3), entry(3, 3))
			m.save(state(4, 0, 1), entry(2, 2))
		}, want: "4/0/1, 0/0: 1/1 2/2"},
		{name: "and comes back", write: func(m *member) {
			m.save(state(3, 0, 0), entry(1, 1), entry(2, 3))
			m.save(state(4, 0, 0), entry(2, 2), entry(3, 4))
			m.save(state(5, 0, 1), entry(2, 3), entry(3, 5))
		}, want: "5/0/1, 0/0: 1/1 2/3 3/5"},
		{name: "a committed entry is replaced", write: func(m *member) {
			m.save(state(2, 0, 0), entry(1, 1), entry(2, 2))
			m.save(state(2, 0, 2))
			m.save(state(3, 0, 2), entry(2, 3))
		}, want: "entry 2 is written again, although entries up to 2 were committed", bad: true},
		{name: "an entry is missing", write: func(m *member) {
			m.save(state(2, 0, 0), entry(1, 2))
			m.save(state(2, 0, 0), entry(3, 2))
		}, want: "entry 3 follows entry 1", bad: true},
		{name: "an entry is of an older term than the one before", write: func(m *member) {
			m.save(state(2, 0, 0), entry(1, 2), entry(2, 1))
		}, want: "entry 2 is of term 1, the one before of term 2", bad: true},
		{name: "the term goes back", write: func(m *member) {
			m.save(state(2, 0, 0))
			m.save(state(1, 0, 0))
		}, want: "follows one of term 2", bad: true},
		{name: "the commit index goes back", write: func(m *member) {
			m.save(state(2, 0, 0), entry(1, 2))
			m.save(state(2, 0, 1))
			m.save(state(2, 0, 0))
		}, want: "commit 0 follows", bad: true},
		{name: "a second vote in a term", write: func(m *member) {
			m.save(state(2, 7, 0))
			m.save(state(2, 8, 0))
		}, want: "vote 8", bad: true},
		{name: "more is committed than is there", write: func(m *member) {
			m.save(state(2, 0, 2), entry(1, 2))
		}, want: "entries up to 2 are committed, but entry 1 is the last one", bad: true},
		{name: "a checkpoint of uncommitted entries", write: func(m *member) { // its commit is still on the way
			m.save(state(2, 0, 0), entry(1, 2), entry(2, 2), entry(3, 2))
			m.mark(2, 2)
			m.storeAt(2, 2)
		}, want: "2/0/2, 2/2: 3/2"},
		{name: "a checkpoint's record is of another term", write: func(m *member) {
			m.save(state(2, 0, 0), entry(1, 2), entry(2, 2))
			m.save(state(3, 0, 2))
			m.mark(2, 3)
			m.storeAt(2, 2)
		}, want: "the checkpoint at entry 2 is of term 3 here and of term 2 in state.db", bad: true},
		{name: "a snapshot replaces a shorter log", write: func(m *member) {
			m.save(state(2, 0, 0), entry(1, 2))
			m.mark(100, 3)
			m.storeAt(100, 3)
			m.save(state(3, 0, 100))
			m.save(nil, entry(101, 3))
		}, want: "3/0/100, 100/3: 101/3"},
		{name: "a snapshot replaces a longer log", write: func(m *member) {
			m.save(state(1, 0, 0), entry(1, 1), entry(2, 1), entry(3, 1), entry(4, 1))
			m.mark(2, 3)
			m.storeAt(2, 3)
			m.save(state(3, 0, 2))
		}, want: "3/0/2, 2/3:"},
		{name: "a crash behind a snapshot, before its hard state", write: func(m *member) {
			m.save(state(1, 9, 0), entry(1, 1), entry(2, 1), entry(3, 1), entry(4, 1))
			m.mark(2, 3)
			m.storeAt(2, 3)
		}, want: "3/0/2, 2/3:"},
		{name: "a crash between the mark of a snapshot and the snapshot", write: func(m *member) {
			m.save(state(2, 0, 0), entry(1, 2), entry(2, 2))
			m.mark(100, 3)
			m.restart()
			m.save(state(3, 0, 0), entry(2, 3))
			m.save(state(3, 0, 1), entry(3, 3))
		}, want: "3/0/1, 0/0: 1/2 2/3 3/3"},
		{name: "an older state.db beside the log of a snapshot", write: func(m *member) {
			m.save(state(2, 0, 0), entry(1, 2), entry(2, 2))
			m.mark(100, 3)
			m.save(state(3, 0, 100), entry(101, 3))
		}, want: "it goes on after entry 100, but the checkpoint in state.db is of entry 0", bad: true},
		{name: "a newer state.db than its log", write: func(m *member) {
			m.save(state(2, 0, 0), entry(1, 2), entry(2, 2))
			m.storeAt(2, 2)
		}, want: "the log is older than state.db", bad: true},
		{name: "a checkpoint of another term than its entry", write: func(m *member) {
			m.save(state(3, 0, 0), entry(1, 2), entry(2, 2))
			m.mark(1, 3)
			m.save(state(3, 0, 0), entry(3, 3))
			m.storeAt(1, 3)
		}, want: "entry 1 is of term 2 here and of term 3 in state.db", bad: true},
		{name: "entries without their hard state", write: func(m *member) {
			m.save(nil, entry(1, 1))
		}, want: "0/0/0, 0/0:"},
		{name: "entries without their hard state, over others", write: func(m *member) {
			m.save(state(2, 0, 1), entry(1, 1), entry(2, 2), entry(3, 2))
			m.disk.state = nil
			m.save(nil, entry(2, 3))
		}, want: "2/0/1, 0/0: 1/1 2/2 3/2"},
		{name: "entries of two terms without their hard state", write: func(m *member) {
			m.save(state(3, 0, 1), entry(1, 1), entry(2, 3))
			m.disk.state = nil
			m.save(nil, entry(2, 2), entry(3, 4))
		}, want: "3/0/1, 0/0: 1/1 2/2"},
		{name: "a checkpoint behind entries without their hard state", write: func(m *member) {
			m.save(state(2, 0, 1), entry(1, 1))
			m.disk.state = nil
			m.save(nil, entry(2, 3))
			m.mark(1, 1)
		}, want: "the hard state of entry 2 is missing", bad: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMember(t)
			tc.write(m)
			m.close()
			before := hashDir(t, m.dir())
			d, r, err := Open(m.options)
			if tc.bad {
				refused(t, m.options, err)
				if !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v, want %s", err, tc.want)
				}
				if hashDir(t, m.dir()) != before {
					t.Error("a refused start has changed the directory")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if got := summary(r); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// TestAcknowledgedDamage zeroes a sector of what was synced before the last write. An
// intact record tells that it was.
func TestAcknowledgedDamage(t *testing.T) {
	for _, tc := range []struct {
		name  string
		write func(m *member)
	}{
		{"then a commit and the next entry", func(m *member) {
			m.save(state(1, 0, 2))
			m.save(state(1, 0, 3), entry(3, 1))
		}},
		{"saved with its commit", func(m *member) { m.save(nil, entry(3, 1)) }},
		{"then entries alone", func(m *member) { m.save(nil, entry(3, 1)); m.save(nil, entry(4, 1)) }},
		{"then one that replaces it", func(m *member) { m.save(nil, entry(2, 1)) }},
		{"then a commit", func(m *member) { m.save(state(1, 0, 2)) }},
		{"then a vote", func(m *member) { m.save(state(2, 5, 1)) }},
		{"then a checkpoint", func(m *member) { m.mark(1, 1) }},
	} {
		for _, sector := range []int64{0, 1, 2} {
			t.Run(fmt.Sprintf("%s, sector %d", tc.name, sector), func(t *testing.T) {
				m := newMember(t)
				m.save(state(1, 0, 1), entry(1, 1))
				begin := m.fill() // so that the entry begins a sector
				m.save(nil, largeEntry(2, 1))
				tc.write(m)
				m.close()
				writeAt(t, lastSegment(t, m.options), begin+sector*sectorBytes, make([]byte, sectorBytes))
				before := hashDir(t, m.dir())
				_, _, err := Open(m.options)
				refused(t, m.options, err)
				if want := fmt.Sprintf("%s at byte %d", lastSegment(t, m.options), begin); !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
				if hashDir(t, m.dir()) != before {
					t.Error("a refused start has changed the directory")
				}
			})
		}
	}
}

// fill commits until the log ends with a sector, and gives where that is.
func (m *member) fill() int64 {
	m.t.Helper()
	for {
		ends := recordEnds(m.t, lastSegment(m.t, m.options))
		if end := ends[len(ends)-1]; end%sectorBytes == 0 {
			return end
		}
		m.mark(0, 0)
	}
}

// TestTornFollower tears the one write of a follower that gets an entry together with the
// word that it is committed. Nobody has got an answer for it.
func TestTornFollower(t *testing.T) {
	for sector := range int64(4) {
		t.Run(fmt.Sprintf("sector %d", sector), func(t *testing.T) {
			m := newMember(t)
			m.save(state(1, 0, 1), entry(1, 1))
			begin := m.fill()
			m.save(state(2, 0, 3), largeEntry(2, 1), entry(3, 2))
			m.close()
			writeAt(t, lastSegment(t, m.options), begin+sector*sectorBytes, make([]byte, sectorBytes))
			if r := reopen(t, m.options); len(r.Entries) > 2 || r.HardState.GetCommit() != 1 {
				t.Errorf("got %s", summary(r))
			}
		})
	}
}

// TestInterruptedOpening stops between the steps of opening a log: its last segment is cut
// behind the last record for a moment, and then gets its size again.
func TestInterruptedOpening(t *testing.T) {
	m := newMember(t)
	m.set("/a", "1")
	m.set("/b", "2")
	m.close()
	path := lastSegment(t, m.options)
	ends := recordEnds(t, path)
	end := ends[len(ends)-1]
	for _, tc := range []struct {
		name string
		note openingNote
		size int64
		bad  bool
	}{
		{"before the cut", openingNote{filepath.Base(path), end}, wal.SegmentSizeBytes, false},
		{"after the cut", openingNote{filepath.Base(path), end}, end, false},
		{"growing again", openingNote{filepath.Base(path), end}, end + 4096, false},
		{"cut too early", openingNote{filepath.Base(path), end}, end - 8, true},
		{"records are missing", openingNote{filepath.Base(path), end + 8}, end + 4096, true},
		{"another segment", openingNote{"0000000000000001-0000000000000001.wal", end}, end, true},
		{"no note", openingNote{}, end, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := copyDir(t, m.dir())
			if tc.note.segment != "" {
				if err := writeOpeningNote(filepath.Join(o.DataDir, walName), tc.note); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Truncate(lastSegment(t, o), tc.size); err != nil {
				t.Fatal(err)
			}
			if tc.bad {
				_, _, err := Open(o)
				refused(t, o, err)
				return
			}
			if got, want := dump(reopen(t, o).replay()), dump(m.store); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			info, err := os.Stat(lastSegment(t, o))
			if err != nil || info.Size() != wal.SegmentSizeBytes {
				t.Errorf("the segment has %d bytes, %v", info.Size(), err)
			}
			if note, err := readOpeningNote(filepath.Join(o.DataDir, walName)); note != (openingNote{}) || err != nil {
				t.Errorf("the note is still there: %v, %v", note, err)
			}
		})
	}
}

// TestShortSegmentOfFormat1 opens what earlier versions left of a torn write: a segment
// that ends with its last record.
func TestShortSegmentOfFormat1(t *testing.T) {
	m := newMember(t)
	m.rewriteLog(1)
	m.set("/a", "1")
	m.set("/b", "2")
	m.close()
	path := lastSegment(t, m.options)
	ends := recordEnds(t, path)
	if err := os.Truncate(path, ends[len(ends)-3]); err != nil {
		t.Fatal(err)
	}
	if r := reopen(t, m.options); len(r.Entries) != 1 {
		t.Errorf("got %s", summary(r))
	}
	if info, err := os.Stat(path); err != nil || info.Size() != wal.SegmentSizeBytes {
		t.Errorf("the segment has %d bytes, %v", info.Size(), err)
	}
}

// rewriteLog puts a new log of a format in the place of a member's own.
func (m *member) rewriteLog(format uint64) {
	m.t.Helper()
	head := encodeHead(testIdentity)
	copy(head[len(walMagic):], appendWords(nil, format))
	err := errors.Join(m.disk.wal.Close(), os.RemoveAll(m.disk.paths.wal))
	if err != nil {
		m.t.Fatal(err)
	}
	if m.disk.wal, err = wal.Create(quietLogger(m.disk.lg), m.disk.paths.wal, head); err != nil {
		m.t.Fatal(err)
	}
}

// TestLeftoverSegment opens a log beside a segment that a crash kept from its name. Nothing
// of it may get into the log.
func TestLeftoverSegment(t *testing.T) {
	m := newMember(t)
	m.set("/a", "1")
	m.close()
	for _, name := range []string{"0.tmp", "1.tmp"} {
		writeFile(t, strings.Repeat("left over ", 100), m.dir(), walName, name)
	}
	m.restart()
	for range 40 { // some segments
		m.set("/key", strings.Repeat("v", 4000))
	}
	m.settle()
	o := copyDir(t, m.dir())
	if got, want := dump(reopen(t, o).replay()), dump(m.store); got != want {
		t.Errorf("got %.200s, want %.200s", got, want)
	}
	data, err := os.ReadFile(lastSegment(t, o))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "left over") {
		t.Error("the last segment holds what was left over")
	}
}
