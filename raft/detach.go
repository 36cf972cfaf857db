package raft

import (
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/storage"
)

// Detach prepares the data of one member for a backup: a new cluster with self as the only member. It returns the founding
// of the new disk, and changes the entries of r: entries about members of the old cluster become empty, so that applying
// the log changes only the tree.
//
// The error is ErrNotMember if the data does not name the cluster yet.
func Detach(r *storage.Recovered, cluster members.ID, self members.Member) (storage.Founding, error) {
	f := storage.Founding{Identity: storage.Identity{ClusterID: uint64(cluster), MemberID: uint64(self.ID)}}
	self.Learner = false
	founded := r.Applied > 0
	if founded {
		registry := members.NewRegistry(cluster)
		registry.SetFounding(members.Unfounded)
		if err := registry.Add(self); err != nil {
			return f, fmt.Errorf("raft: %w", err)
		}
		f.Voters, f.Members = []uint64{uint64(self.ID)}, registry.Marshal()
	}
	entries := make([]*raftpb.Entry, len(entriesToReplay(r)))
	for i, e := range entriesToReplay(r) {
		var err error
		switch {
		case e.GetType() == raftpb.EntryNormal && len(e.GetData()) > 0 && e.GetData()[0] == kindBatch:
			entries[i] = e
		case isLevel(e):
			entries[i] = e // later entries may need the level
		case e.GetType() != raftpb.EntryNormal && !founded:
			founded = true
			entries[i], err = confChangeEntry(e.GetIndex(), e.GetTerm(), raftpb.ConfChangeAddNode, self)
		default:
			entries[i] = emptyEntry(e)
		}
		if err != nil {
			return f, err
		}
	}
	if !founded {
		return f, ErrNotMember
	}
	r.Entries = entries
	return f, nil
}

// emptyEntry replaces an entry by one that has no effect, like the first entry of a leader's term.
func emptyEntry(e *raftpb.Entry) *raftpb.Entry {
	index, term := e.GetIndex(), e.GetTerm()
	return &raftpb.Entry{Type: raftpb.EntryNormal.Enum(), Index: &index, Term: &term}
}
