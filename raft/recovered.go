package raft

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/storage"
)

// entriesToReplay returns the recovered entries that follow the checkpoint. If the first entry has an older term than the
// checkpoint, all of them are obsolete: a snapshot has replaced them, and the process ended before the next append.
func entriesToReplay(r *storage.Recovered) []*raftpb.Entry {
	if len(r.Entries) > 0 && r.Entries[0].GetTerm() < r.Term {
		return nil
	}
	return r.Entries
}

// LastMembers returns the members of the cluster after the last recovered entry, committed or not.
func LastMembers(r *storage.Recovered) ([]members.Member, error) {
	registry, err := lastRegistry(r)
	if err != nil {
		return nil, err
	}
	return registry.List(), nil
}

// lastRegistry returns the membership after the last recovered entry, committed or not. Names and client URLs are those of
// the checkpoint. The error is an *EntryError if a change of the membership cannot be decoded.
func lastRegistry(r *storage.Recovered) (*members.Registry, error) {
	registry := members.NewRegistry(members.ID(r.Identity.ClusterID))
	if len(r.Members) > 0 {
		if err := registry.Unmarshal(r.Members); err != nil {
			return nil, fmt.Errorf("raft: members in the checkpoint: %w", err)
		}
	}
	for _, e := range entriesToReplay(r) {
		if e.GetType() != raftpb.EntryConfChange {
			continue
		}
		cc, m, err := decodeConfChange(e.GetData())
		if err != nil {
			return nil, &EntryError{entryID(e), err}
		}
		// A change that the registry refuses has no effect, here as when it is applied.
		_ = changeRegistry(registry, cc.GetType(), m.Member)
	}
	return registry, nil
}

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
		self.Learner, self.ManualPromotion = false, false
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

// Detach prepares the data of one member for a backup: a new cluster with self as the only member. It returns the founding
// of the new disk, and changes the entries of r: entries about members of the old cluster become empty, so that applying
// the log changes only the tree.
//
// The error is ErrNotMember if the data does not name the cluster yet.
func Detach(r *storage.Recovered, cluster members.ID, self members.Member) (storage.Founding, error) {
	f := storage.Founding{Identity: storage.Identity{ClusterID: uint64(cluster), MemberID: uint64(self.ID)}}
	self.Learner, self.ManualPromotion = false, false
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

// ErrNotSkipped means that an entry can be applied, and is therefore not skipped.
var ErrNotSkipped = errors.New("raft: this log entry can be applied and is not skipped")

// SkipEntry replaces an entry of a stopped member by an empty one, before the member is started. Members that get the log
// from it get the empty entry, too. It returns false and changes nothing if the log has no such entry after the checkpoint.
//
// The error is ErrNotSkipped for an entry that can be applied: without it, this member's tree would differ from the
// others'.
func SkipEntry(r *storage.Recovered, id EntryID) (bool, error) {
	clusterLevel := r.Level
	for i, e := range entriesToReplay(r) {
		if entryID(e) != id {
			if isLevel(e) {
				level, _ := decodeLevel(e.GetData())
				clusterLevel = max(clusterLevel, level)
			}
			continue
		}
		if checkEntry(e, clusterLevel) == nil {
			return false, fmt.Errorf("%w: %v", ErrNotSkipped, id)
		}
		r.Entries[i] = emptyEntry(e)
		return true, nil
	}
	return false, nil
}
