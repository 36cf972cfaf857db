package raft

import (
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/storage"
)

// Detach turns what one member had on disk into the beginning of a cluster of
// its own with self as the only member, for a backup. It returns what the disk
// begins with, and exchanges the entries of r: those that speak of members of
// the old cluster become empty, so that applying them changes only the tree.
//
// The error is ErrNotMember if r never came so far as to know of a cluster.
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
	entries := make([]*raftpb.Entry, len(EntriesToReplay(r)))
	for i, e := range EntriesToReplay(r) {
		var err error
		switch {
		case e.GetType() == raftpb.EntryNormal && len(e.GetData()) > 0 && e.GetData()[0] == kindBatch:
			entries[i] = e
		case isLevel(e):
			entries[i] = e // what follows may need the level
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

// emptyEntry takes the place of an entry and does nothing, like the one with
// which a leader begins its term.
func emptyEntry(e *raftpb.Entry) *raftpb.Entry {
	index, term := e.GetIndex(), e.GetTerm()
	return &raftpb.Entry{Type: raftpb.EntryNormal.Enum(), Index: &index, Term: &term}
}
