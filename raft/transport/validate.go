package transport

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// errInvalid says that a message can't have been sent by the member at the other end of its stream.
var errInvalid = errors.New("transport: no message that this member could have sent")

// validate refuses messages that no member sends: a message between others than the ends of its stream, and one that does
// not have the form of its kind. The upstream library trusts its messages, and panics at some of these. Package raft
// compares a message with the log.
//
// It sets the From of a forwarded proposal.
func (t *Transport) validate(from members.ID, m *raftpb.Message) error {
	if to := members.ID(m.GetTo()); to != t.Self {
		return fmt.Errorf("%w: %v for member %s", errInvalid, m.GetType(), to)
	}
	if err := t.validateSender(from, m); err != nil {
		return err
	}
	return validateForm(m)
}

// validateSender refuses a message whose From is not the other end of its stream. There are three exceptions. A proposal
// may have been forwarded, so its From is replaced by the member that forwarded it. The From of a transfer of the
// leadership is the transferee, and that of a forwarded read is the member that reads; both must be members.
func (t *Transport) validateSender(from members.ID, m *raftpb.Message) error {
	named := members.ID(m.GetFrom())
	switch m.GetType() {
	case raftpb.MsgProp:
		m.From = (*uint64)(&from)
		return nil
	case raftpb.MsgTransferLeader, raftpb.MsgReadIndex:
		if named != t.Self && t.Membership(named) == Current {
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
	return fmt.Errorf("%w: %v from member %s", errInvalid, m.GetType(), named)
}

// validateForm refuses a message of a kind that members don't send each other, and one without the fields of its kind.
func validateForm(m *raftpb.Message) error {
	kind := m.GetType()
	entries := len(m.GetEntries())
	ok := false
	switch kind {
	case raftpb.MsgApp:
		return validateAppend(m)
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
		return fmt.Errorf("%w: %v of term %d with %d entries", errInvalid, kind, m.GetTerm(), entries)
	}
	return nil
}

// validateAppend refuses an append unless its entries follow each other and the entry at Index, and their terms never fall
// and are at most the leader's.
func validateAppend(m *raftpb.Message) error {
	index, term := m.GetIndex(), m.GetLogTerm()
	if m.GetTerm() == 0 || term > m.GetTerm() || (index == 0) != (term == 0) {
		return fmt.Errorf("%w: append of term %d behind entry %d of term %d", errInvalid, m.GetTerm(), index, term)
	}
	for _, e := range m.GetEntries() {
		if index++; index == 0 || e.GetIndex() != index || e.GetTerm() < max(term, 1) || e.GetTerm() > m.GetTerm() {
			return fmt.Errorf("%w: append of term %d with entry %d of term %d behind entry %d of term %d",
				errInvalid, m.GetTerm(), e.GetIndex(), e.GetTerm(), index-1, term)
		}
		term = e.GetTerm()
	}
	return nil
}
