package raft

import (
	"errors"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/storage"
)

// logOf numbers entries from an index on.
func logOf(first uint64, entries ...*raftpb.Entry) []*raftpb.Entry {
	for i, e := range entries {
		index, term := first+uint64(i), uint64(2)
		e.Index, e.Term = &index, &term
	}
	return entries
}

func TestDetach(t *testing.T) {
	id := storage.Identity{ClusterID: 1, MemberID: 2}
	self := members.Member{ID: 9, Name: "copy", PeerURLs: []string{"http://127.0.0.1:9"}, Learner: true}
	entry := func(kind raftpb.EntryType, data []byte) *raftpb.Entry {
		return &raftpb.Entry{Type: kind.Enum(), Data: data}
	}
	added := func(id members.ID) *raftpb.Entry {
		e, err := confChangeEntry(0, 0, raftpb.ConfChangeAddNode, members.Member{ID: id, PeerURLs: []string{"http://127.0.0.1:1"}})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	attributes, err := encodeAttributes(attributes{ID: 2, Name: "old"})
	if err != nil {
		t.Fatal(err)
	}
	batch := func() *raftpb.Entry { return entry(raftpb.EntryNormal, appendBatchHead(nil, 2, 1, 0)) }
	for _, test := range []struct {
		name    string
		r       *storage.Recovered
		changes []members.ID // per entry: the member that it adds, 0 for an empty entry, 1 for commands
		voters  int
	}{
		{"from the beginning", &storage.Recovered{Identity: id, Entries: logOf(1,
			added(2), added(3), entry(raftpb.EntryNormal, nil), batch(), entry(raftpb.EntryNormal, attributes), batch())},
			[]members.ID{9, 0, 0, 1, 0, 1}, 0},
		{"after a checkpoint", &storage.Recovered{Identity: id, Applied: 5, Term: 2, Entries: logOf(6, batch(), added(4), batch())},
			[]members.ID{1, 0, 1}, 1},
		{"a feature level that was raised", &storage.Recovered{Identity: id, Applied: 5, Term: 2,
			Entries: logOf(6, entry(raftpb.EntryNormal, encodeLevel(1)), entry(raftpb.EntryNormal, encodeFounding(77)), batch())},
			[]members.ID{1, 0, 1}, 1},
		{"a checkpoint alone", &storage.Recovered{Identity: id, Applied: 5, Term: 2}, nil, 1},
		{"entries that a snapshot replaced", &storage.Recovered{Identity: id, Applied: 5, Term: 3, Entries: logOf(6, batch())}, nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := Detach(test.r, 7, self)
			if err != nil {
				t.Fatal(err)
			}
			identity := storage.Identity{ClusterID: 7, MemberID: 9}
			if f.Identity != identity || len(f.Voters) != test.voters || (len(f.Members) > 0) != (test.voters > 0) {
				t.Errorf("got %+v", f)
			}
			if len(test.r.Entries) != len(test.changes) {
				t.Fatalf("%d entries, want %d", len(test.r.Entries), len(test.changes))
			}
			for i, e := range test.r.Entries {
				if got := effect(t, e); got != test.changes[i] || e.GetIndex() != test.r.Applied+uint64(i)+1 || e.GetTerm() != 2 {
					t.Errorf("entry %d of term %d does %v, want %v", e.GetIndex(), e.GetTerm(), got, test.changes[i])
				}
			}
		})
	}
	t.Run("nothing of a cluster", func(t *testing.T) {
		if _, err := Detach(&storage.Recovered{Identity: id, Entries: logOf(1, batch())}, 7, self); !errors.Is(err, ErrNotMember) {
			t.Errorf("got %v", err)
		}
	})
}

// effect is the member that an entry adds as a voter, 0 for an empty entry, and 1 for other data.
func effect(t *testing.T, e *raftpb.Entry) members.ID {
	t.Helper()
	if e.GetType() == raftpb.EntryNormal {
		return members.ID(min(len(e.GetData()), 1))
	}
	cc, m, err := decodeConfChange(e.GetData())
	if err != nil || cc.GetType() != raftpb.ConfChangeAddNode || m.Learner {
		t.Errorf("%v of %+v, %v", cc, m, err)
	}
	return m.ID
}
