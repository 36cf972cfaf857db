package raft

import (
	"time"

	"pando/members"
	"pando/storage"
)

// Observer holds the hooks for statistics and tests. Each hook is optional: a nil hook is not called. Hooks are called
// from any goroutine, some of them from the one that has the turn, so a hook must not block and must not call the Node.
type Observer struct {
	// ProposalStarted runs when a proposal begins to wait. Then either ProposalDone runs, when the proposal was
	// committed, or ProposalFailed.
	ProposalStarted func()
	ProposalDone    func()
	ProposalFailed  func()
	// BatchApplied runs after an entry with this number of commands was applied.
	BatchApplied func(commands int)

	// LeaderChanged receives the new leader; zero means that there is none.
	LeaderChanged func(leader members.ID)
	// MembersChanged receives all members of the cluster. The hook must not change the list.
	MembersChanged func(list []members.Member)

	// AppendSent and AppendReceived receive the encoded size of a message with log entries.
	AppendSent     func(bytes int)
	AppendReceived func(bytes int)
	// MessageRefused receives the member on whose stream an invalid message arrived.
	MessageRefused func(from members.ID)
	// FollowerAnswered runs on the leader: a follower has acknowledged an append or a heartbeat after this time.
	FollowerAnswered func(id members.ID, after time.Duration)
	// FollowerFailed runs on the leader: messages to this follower were lost.
	FollowerFailed func(id members.ID)

	// CheckpointDone receives the statistics of a successful checkpoint.
	CheckpointDone   func(stats storage.CheckpointStats)
	CheckpointFailed func()

	// AuditHashed receives the time that this member took to hash its tree for an audit, pauses included.
	AuditHashed func(took time.Duration)
	// Audited receives the result of an audit.
	Audited func(report AuditReport)
}

// emit calls a hook if it is set; emit1 and emit2 do the same for hooks with arguments.
func emit(hook func()) {
	if hook != nil {
		hook()
	}
}

func emit1[T any](hook func(T), value T) {
	if hook != nil {
		hook(value)
	}
}

func emit2[A, B any](hook func(A, B), a A, b B) {
	if hook != nil {
		hook(a, b)
	}
}
