package transport

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// Standing says what a member is to the cluster, as far as this member knows.
type Standing int

// The standings.
const (
	Unknown Standing = iota // never heard of; it may have come since
	Current                 // a member, with a vote or without
	Removed                 // it was a member and is none any more
)

// errMessage says that a message can't have been sent by the member at the other
// end of its stream.
var errMessage = errors.New("transport: no message that this member could have sent")

// check refuses what no member sends: a message between others than the ends of its
// stream, and one that is not built as raft builds it. The upstream library trusts
// its messages, and panics at some of these. Whether a message fits the log is for
// the one who has the log to say.
func (t *Transport) check(from members.ID, m *raftpb.Message) error {
	if to := members.ID(m.GetTo()); to != t.Self {
		return fmt.Errorf("%w: %v for member %s", errMessage, m.GetType(), to)
	}
	if err := t.checkSender(from, m); err != nil {
		return err
	}
	return checkShape(m)
}

// checkSender wants a message to be from the stream's other end. Who passes a
// proposal on answers for it himself: its first sender means nothing. Two kinds name
// somebody else, who must be a member: a transfer of the leadership its new leader,
// and a read that was passed on the one who reads.
func (t *Transport) checkSender(from members.ID, m *raftpb.Message) error {
	named := members.ID(m.GetFrom())
	switch m.GetType() {
	case raftpb.MsgProp:
		m.From = (*uint64)(&from)
		return nil
	case raftpb.MsgTransferLeader, raftpb.MsgReadIndex:
		if named != t.Self && t.Standing(named) == Current {
			return nil
		}
		if named == t.Self && m.GetType() == raftpb.MsgTransferLeader {
			return nil
		}
	default:
		if named == from {
			return nil
		}
	}
	return fmt.Errorf("%w: %v from member %s", errMessage, m.GetType(), named)
}

// checkShape wants a message to be of a kind that members send each other, with the
// fields that the kind has.
func checkShape(m *raftpb.Message) error {
	kind := m.GetType()
	entries := len(m.GetEntries())
	ok := false
	switch kind {
	case raftpb.MsgApp:
		return checkAppend(m)
	case raftpb.MsgProp:
		ok = m.GetTerm() == 0 && entries > 0
	case raftpb.MsgReadIndex:
		ok = m.GetTerm() == 0 && entries == 1
	case raftpb.MsgReadIndexResp:
		ok = m.GetTerm() > 0 && entries == 1
	case raftpb.MsgSnap:
		ok = m.GetTerm() > 0 && entries == 0 && m.GetSnapshot() != nil
	case raftpb.MsgAppResp, raftpb.MsgVote, raftpb.MsgVoteResp, raftpb.MsgPreVote, raftpb.MsgPreVoteResp,
		raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp, raftpb.MsgTransferLeader, raftpb.MsgTimeoutNow:
		ok = m.GetTerm() > 0 && entries == 0
	}
	if !ok {
		return fmt.Errorf("%w: %v of term %d with %d entries", errMessage, kind, m.GetTerm(), entries)
	}
	return nil
}

// checkAppend wants entries that follow each other and the one that the append names
// before them, of terms that never fall and are not beyond the leader's.
func checkAppend(m *raftpb.Message) error {
	index, term := m.GetIndex(), m.GetLogTerm()
	if m.GetTerm() == 0 || term > m.GetTerm() || (index == 0) != (term == 0) {
		return fmt.Errorf("%w: append of term %d behind entry %d of term %d", errMessage, m.GetTerm(), index, term)
	}
	for _, e := range m.GetEntries() {
		if index++; index == 0 || e.GetIndex() != index || e.GetTerm() < max(term, 1) || e.GetTerm() > m.GetTerm() {
			return fmt.Errorf("%w: append of term %d with entry %d of term %d behind entry %d of term %d",
				errMessage, m.GetTerm(), e.GetIndex(), e.GetTerm(), index-1, term)
		}
		term = e.GetTerm()
	}
	return nil
}
