package storage

import (
	"fmt"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"pando/tree"
)

// keepHistory replaces the empty tree of a member by one whose history keeps all events, as after the first command of the v3 API.
func (m *member) keepHistory() {
	m.t.Helper()
	const index, keyHistory = 2, 2 // the first event that is kept; the flag in the state
	s := tree.New(1)
	s.StartRevisions()
	state := s.View().AppendState(nil)
	state[len(state)-2] |= keyHistory
	loader := tree.NewLoader(m.options.HistorySize)
	if err := loader.State(append(state, index, 0)); err != nil {
		m.t.Fatal(err)
	}
	loaded, err := loader.Finish()
	if err != nil {
		m.t.Fatal(err)
	}
	m.store, m.level = loaded, tree.KVLevel
}

// reopen closes the member and opens its data again. The last change must be in a checkpoint.
func (m *member) reopen() {
	m.t.Helper()
	m.close()
	d, r, err := Open(m.options)
	if err != nil {
		m.t.Fatal(err)
	}
	m.disk, m.store = d, r.Store
}

// keyEvents returns the changes of all keys from a revision on.
func keyEvents(t testing.TB, s *tree.Store, start uint64) (events []string) {
	t.Helper()
	w, err := s.WatchKeys(tree.KeyRange{}, start)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for {
		b, err := w.Poll(1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Events) == 0 {
			return events
		}
		for _, e := range b.Events {
			events = append(events, fmt.Sprint(e.Revision(), e.Deleted, e.Node.Path(), e.Node.Value()))
		}
	}
}

// changeWithRemovals makes events, some of which remove a directory.
func (m *member) changeWithRemovals(rounds int) {
	m.t.Helper()
	for i := range rounds {
		for j := range 20 {
			m.set(fmt.Sprintf("/d/%d/k%d", j%3, j), fmt.Sprint(i))
		}
		m.set("/k", fmt.Sprint(i))
		m.remove("/d")
	}
}

func TestHistoryRecords(t *testing.T) {
	t.Run("come back after a restart", func(t *testing.T) {
		m := newMemberWith(t, 10)
		m.keepHistory()
		for range 3 {
			m.changeWithRemovals(5)
			m.checkpoint()
		}
		want, bytes := keyEvents(t, m.store, 2), m.store.View().HistoryBytes()
		m.reopen()
		if got := keyEvents(t, m.store, 2); !slices.Equal(got, want) {
			t.Errorf("%d events are different from %d", len(got), len(want))
		}
		if got := m.store.View().HistoryBytes(); got != bytes || bytes == 0 {
			t.Errorf("the history has %d bytes, want %d", got, bytes)
		}
	})
	t.Run("are copied by a compaction", func(t *testing.T) {
		m := newMemberWith(t, 10)
		m.keepHistory()
		m.changeWithRemovals(5)
		m.checkpoint()
		want := keyEvents(t, m.store, 2)
		m.disk.compaction = compactionLimits{minBytes: 0, maxBytes: 1}
		m.set("/k", "last")
		if stats := m.checkpoint(); !stats.Compacted {
			t.Fatal("there was no compaction")
		}
		m.reopen()
		if got := keyEvents(t, m.store, 2); !slices.Equal(got[:len(got)-1], want) {
			t.Errorf("%d events are different from %d", len(got), len(want))
		}
	})
	t.Run("are not written again", func(t *testing.T) {
		m := newMemberWith(t, 10)
		m.keepHistory()
		m.changeWithRemovals(50)
		m.checkpoint()
		m.set("/k", "last")
		if stats := m.checkpoint(); stats.Events != 1 || stats.RemovedNodes != 0 || stats.PageBytes > 200<<10 {
			t.Errorf("%d events and %d removed nodes were written in %d bytes", stats.Events, stats.RemovedNodes, stats.PageBytes)
		}
	})
}

// TestHistoryRecordsBetweenPortions loads the history between the portions in which old events are deleted.
func TestHistoryRecordsBetweenPortions(t *testing.T) {
	m := newMemberWith(t, 10)
	m.keepHistory()
	m.changeWithRemovals(10)
	m.checkpoint()
	start := m.store.View().Revision() - 30
	want := keyEvents(t, m.store, start)
	for more, portions := true, 0; more; portions++ {
		_, err := m.disk.changeState(m.disk.paths.state, func(tx *bbolt.Tx) error {
			tree, err := openTree(tx)
			if err != nil {
				return err
			}
			if more, err = tree.dropHistory(start, 500); err != nil {
				return err
			}
			return tree.putTotals()
		})
		if err != nil {
			t.Fatal(err)
		}
		data, err := loadState(m.disk.paths.state, 10)
		if err != nil {
			t.Fatal(err)
		}
		if got := keyEvents(t, data.store, start); !slices.Equal(got, want) {
			t.Fatalf("after %d portions %d events are different from %d", portions, len(got), len(want))
		}
		if !more && portions < 5 {
			t.Errorf("all was deleted in %d portions", portions)
		}
	}
}
