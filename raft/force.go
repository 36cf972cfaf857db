package raft

import (
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/proto"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/storage"
)

// LastMembers gives the members of the cluster as of the end of what a disk
// holds, applied or not.
func LastMembers(r *storage.Recovered) ([]members.Member, error) {
	registry, err := lastRegistry(r)
	if err != nil {
		return nil, err
	}
	return registry.List(), nil
}

// lastRegistry is the membership behind the last entry. Names and client URLs
// are those of the checkpoint.
func lastRegistry(r *storage.Recovered) (*members.Registry, error) {
	registry := members.NewRegistry(members.ID(r.Identity.ClusterID))
	if len(r.Members) > 0 {
		if err := registry.Unmarshal(r.Members); err != nil {
			return nil, fmt.Errorf("raft: members in the checkpoint: %w", err)
		}
	}
	for _, e := range EntriesToReplay(r) {
		if e.GetType() != raftpb.EntryConfChange {
			continue
		}
		cc, m, err := decodeConfChange(e.GetData())
		if err != nil {
			return nil, &EntryError{entryID(e), err}
		}
		// What is refused changes nothing, here as when it is applied.
		_ = changeRegistry(registry, cc.GetType(), m.Member)
	}
	return registry, nil
}

// decodeConfChange reads the entry of a change of the membership.
func decodeConfChange(data []byte) (*raftpb.ConfChange, memberChange, error) {
	cc, m := &raftpb.ConfChange{}, memberChange{}
	if err := proto.Unmarshal(data, cc); err != nil {
		return nil, m, fmt.Errorf("%w: %w", errEntry, err)
	}
	if err := json.Unmarshal(cc.GetContext(), &m); err != nil {
		return nil, m, fmt.Errorf("%w: member: %w", errEntry, err)
	}
	if _, known := raftpb.ConfChangeType_name[int32(cc.GetType())]; !known {
		return nil, m, fmt.Errorf("%w: change of membership %v", errEntry, cc.GetType())
	}
	if cc.GetNodeId() != uint64(m.ID) || m.ID == 0 {
		return nil, m, fmt.Errorf("%w: a change of member %x that speaks of member %s", errEntry, cc.GetNodeId(), m.ID)
	}
	return cc, m, nil
}

// ForceNewCluster makes the member whose data this is the only one of its
// cluster, before it is started: it puts entries behind its log that remove all
// others, and commits everything up to them. It is for a cluster that has lost
// its quorum for good. It returns who was removed; nobody, and nothing has
// changed, if the member is alone already. All is durable when it returns, and
// added to r.
//
// The end of the log, of which the member does not know whether it was
// committed, is kept: the others may have acknowledged it. The entries are of a
// term of their own, so that none of them is mistaken for one that a former
// leader wrote.
//
// The error is ErrRemoved for a member that was removed, ErrNotMember for one
// that never came so far as to know of its cluster.
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
	entries := EntriesToReplay(r)
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
	if err := disk.Append(hs, entries[len(EntriesToReplay(r)):]); err != nil {
		return nil, err
	}
	r.HardState, r.Entries = hs, entries
	return removed, nil
}

// confChangeEntry is the entry of a change that nobody waits for.
func confChangeEntry(index, term uint64, kind raftpb.ConfChangeType, m members.Member) (*raftpb.Entry, error) {
	cc := &raftpb.ConfChange{Type: kind.Enum(), NodeId: (*uint64)(&m.ID), Context: encodeMember(m)}
	data, err := proto.Marshal(cc)
	if err != nil {
		return nil, fmt.Errorf("raft: change of membership: %w", err)
	}
	return &raftpb.Entry{Type: raftpb.EntryConfChange.Enum(), Index: &index, Term: &term, Data: data}, nil
}
