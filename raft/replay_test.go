package raft

import (
	"errors"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"pando/storage"
	"pando/tree"
)

func TestReplay(t *testing.T) {
	entry := func(index, term uint64, data []byte) *raftpb.Entry {
		return &raftpb.Entry{Index: &index, Term: &term, Data: data}
	}
	write := func(path string) []byte { return forwarded(8, 1, path, "1").Entries[0].Data }
	recovered := func(more ...*raftpb.Entry) *storage.Recovered {
		return &storage.Recovered{Applied: 5, Term: 2, Store: tree.New(10), Entries: append([]*raftpb.Entry{
			entry(6, 2, write("/a")), entry(7, 3, nil), entry(8, 3, encodeLevel(1)), entry(9, 3, encodeFounding(77)), entry(10, 3, write("/b")),
		}, more...)}
	}
	t.Run("applied", func(t *testing.T) {
		r := recovered()
		if err := Replay(r); err != nil {
			t.Fatal(err)
		}
		if v := r.Store.View(); v.Index() != 3 || v.Lookup("/b") == nil || r.Applied != 10 || r.Term != 3 || r.Level != 1 || r.Entries != nil {
			t.Errorf("index %d; %+v", v.Index(), r)
		}
	})
	t.Run("revisions", func(t *testing.T) {
		r := recovered(entry(11, 3, encodeLevel(tree.KVLevel)), entry(12, 3, write("/c")))
		if err := Replay(r); err != nil {
			t.Fatal(err)
		}
		v := r.Store.View()
		if v.Lookup("/b").Version() != 1 || v.Lookup("/c").ModRevision() != 4 || !v.RevisionsStarted() || r.Level != tree.KVLevel {
			t.Errorf("revision %d at index %d, level %d", v.Revision(), v.Index(), r.Level)
		}
	})
	t.Run("replaced by a snapshot", func(t *testing.T) {
		r := recovered()
		r.Applied, r.Term = 20, 4
		if err := Replay(r); err != nil || r.Store.View().Index() != 1 || r.Applied != 20 || r.Term != 4 {
			t.Errorf("%v; index %d; %+v", err, r.Store.View().Index(), r)
		}
	})
	for name, data := range map[string][]byte{
		"unknown": {100}, "too new a level": encodeLevel(storage.FeatureLevel + 1), "damaged": write("/c")[:30],
	} {
		t.Run(name, func(t *testing.T) {
			var e *EntryError
			if err := Replay(recovered(entry(11, 3, data))); !errors.As(err, &e) || e.Entry != (EntryID{11, 3}) {
				t.Errorf("got %v", err)
			}
		})
	}
}
