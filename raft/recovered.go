package raft

import (
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
