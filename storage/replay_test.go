package storage

import (
	"fmt"
	"strings"
	"testing"

	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
)

// state and entry make the records of a log.
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

// mark writes only the record of a checkpoint or snapshot to the log.
func (m *member) mark(index, term uint64) {
	m.t.Helper()
	if err := m.disk.wal.SaveSnapshot(&walpb.Snapshot{Index: &index, Term: &term, ConfState: &raftpb.ConfState{}}); err != nil {
		m.t.Fatal(err)
	}
}

// storeAt sets the position of state.db.
func (m *member) storeAt(index, term uint64) {
	m.t.Helper()
	c := m.position()
	c.Applied, c.Term = index, term
	if _, err := m.disk.writeState(c); err != nil {
		m.t.Fatal(err)
	}
}

// restart closes the member and opens its data again.
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

// replayCase is a log that raft can write, or one that only damage explains.
type replayCase struct {
	name  string
	write func(m *member)
	want  string // hard state, checkpoint, entries; or the error
	bad   bool
}

func testReplay(t *testing.T, cases []replayCase) {
	for _, tc := range cases {
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

func TestReplayEntries(t *testing.T) {
	testReplay(t, []replayCase{
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
	})
}

func TestReplayHardStates(t *testing.T) {
	testReplay(t, []replayCase{
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
		{name: "the commit index is beyond the log", write: func(m *member) {
			m.save(state(2, 0, 2), entry(1, 2))
		}, want: "entries up to 2 are committed, but entry 1 is the last one", bad: true},
	})
}

func TestReplayMarks(t *testing.T) {
	testReplay(t, []replayCase{
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
		{name: "a crash after a snapshot, before its hard state", write: func(m *member) {
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
	})
}

func TestReplayMissingHardStates(t *testing.T) {
	testReplay(t, []replayCase{
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
		{name: "a checkpoint after entries without their hard state", write: func(m *member) {
			m.save(state(2, 0, 1), entry(1, 1))
			m.disk.state = nil
			m.save(nil, entry(2, 3))
			m.mark(1, 1)
		}, want: "the hard state of entry 2 is missing", bad: true},
	})
}

// TestAcknowledgedDamage zeroes a sector of a write. An intact record of the next write proves
// that the damaged one had been synced.
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
				begin := m.fill() // the entry begins at the start of a sector
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

// fill writes marks until the log ends at the end of a sector, and gives that offset.
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

// TestTornFollower tears a write of a follower that got an entry and its commit in one message. The
// follower has not acknowledged the entry yet.
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
