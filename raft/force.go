package raft

import (
	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/storage"
)

// ForceNewCluster makes a stopped member the only one of its cluster, for a cluster that has lost its quorum for good. It
// appends entries that remove all other members to the member's log, and commits everything up to them. It returns the
// removed members; if there are none, it has changed nothing. When it returns, all is durable and part of r.
//
// The end of the log stays, although it may not be committed: the other members may have acknowledged it. The new entries
// have a term of their own, so that they differ from any entry of a former leader.
//
// The error is ErrRemoved for a member that was removed, and ErrNotMember for one whose data does not name its cluster yet.
func ForceNewCluster(disk *storage.Disk, r *storage.Recovered) ([]members.Member, error) {
	registry, err := lastRegistry(r)
	if err != nil {
		return nil, err
	}
	self, known := registry.Get(members.ID(r.Identity.MemberID))
	switch {
	case registry.Removed(members.ID(r.Identity.MemberID)):
		return nil, ErrRemoved
	case !known:
		return nil, ErrNotMember
	}
	entries := entriesToReplay(r)
	at, term := r.Applied+uint64(len(entries)), r.HardState.GetTerm()+1
	var removed []members.Member
	change := func(kind raftpb.ConfChangeType, m members.Member) error {
		at++
		e, err := confChangeEntry(at, term, kind, m)
		entries = append(entries, e)
		return err
	}
	if self.Learner {
		self.Learner = false
		err = change(raftpb.ConfChangeAddNode, self)
	}
	for _, m := range registry.List() {
		if m.ID != self.ID && err == nil {
			removed = append(removed, m)
			err = change(raftpb.ConfChangeRemoveNode, members.Member{ID: m.ID})
		}
	}
	if err != nil || len(removed) == 0 {
		return nil, err
	}
	hs := &raftpb.HardState{Term: &term, Vote: (*uint64)(&self.ID), Commit: &at}
	if err := disk.Append(hs, entries[len(entriesToReplay(r)):]); err != nil {
		return nil, err
	}
	r.HardState, r.Entries = hs, entries
	return removed, nil
}
