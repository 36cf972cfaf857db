package storage

import (
	"go.etcd.io/raft/v3/raftpb"

	"pando/tree"
)

// Fresh is what a Disk that was just created holds: an empty tree that will
// remember the last historySize events, and an empty log.
func Fresh(id Identity, historySize int) *Recovered {
	return &Recovered{
		Identity:  id,
		Store:     tree.New(historySize),
		ConfState: &raftpb.ConfState{},
		HardState: &raftpb.HardState{},
	}
}
