package raft

import (
	"sync/atomic"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// logState is the state of this member's log: its position, its leader and its configuration. The core writes it while it
// handles a Ready and applies entries; all other parts of the package only read it.
type logState struct {
	id members.ID // of this member

	// Any goroutine may read these. Only the goroutine that has the turn writes them.
	term      atomic.Uint64
	committed atomic.Uint64 // index of the last committed entry
	applied   atomic.Uint64 // index of the last applied entry
	leader    atomic.Uint64 // member ID; zero while no leader is known
	founding  atomic.Uint64 // the cluster's founding ID; zero while it is not known
	level     atomic.Uint64 // the cluster's feature level
	// localReads means that a read of the local tree is linearizable: this member leads, has applied an entry of its own
	// term, and is alone.
	localReads atomic.Bool

	replayed uint64 // index of the last entry that was committed before this start; never changes

	// Only the goroutine that has the turn may read or write these.
	lastIndex   uint64 // of the log, including entries that are not on the disk yet
	appliedTerm uint64 // of the last applied entry
	confState   *raftpb.ConfState
}

// hasLeader reports whether a leader is known. Any goroutine may call it.
func (s *logState) hasLeader() bool { return s.leader.Load() != 0 }

// leads reports whether this member is the leader. Any goroutine may call it.
func (s *logState) leads() bool { return s.leader.Load() == uint64(s.id) }

// alone reports whether this member is the only one of the cluster, learners included.
func (s *logState) alone() bool { return s.soleVoter() && len(s.confState.GetLearners()) == 0 }

// soleVoter reports whether no other member has a vote.
func (s *logState) soleVoter() bool {
	voters := s.confState.GetVoters()
	return len(voters) == 1 && voters[0] == uint64(s.id) && len(s.confState.GetVotersOutgoing()) == 0
}
