package transport

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// errInvalid is returned for a message that the member at the other end of the stream can't have sent.
var errInvalid = errors.New("transport: invalid message")

// validate returns an error for a message that no member sends: its To and From are not the two ends of the stream, or it
// lacks the fields of its type. go.etcd.io/raft does not check its messages, and panics on some of these. The comparison
// of a message with the log is in package raft.
//
// validate also sets From of a forwarded proposal.
func (t *Transport) validate(from members.ID, m *raftpb.Message) error {
	if to := members.ID(m.GetTo()); to != t.Self {
		return fmt.Errorf("%w: %v for member %s", errInvalid, m.GetType(), to)
	}
	if err := t.validateSender(from, m); err != nil {
		return err
	}
	return validateForm(m)
}

// validateSender returns an error if From is not the other end of the stream. There are three exceptions. A proposal may
// have been forwarded: its From is replaced by the member that forwarded it. From of MsgTransferLeader is the transferee,
// and From of a forwarded MsgReadIndex is the member that reads: both must be current members.
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

// validateForm returns an error if members don't send each other messages of this type, or if the message lacks the fields
// of its type.
func validateForm(m *raftpb.Message) error {
	entries := len(m.GetEntries())
	ok := false
	switch m.GetType() {
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
		return fmt.Errorf("%w: %v of term %d with %d entries", errInvalid, m.GetType(), m.GetTerm(), entries)
	}
	return nil
}

// validateAppend returns an error unless the entries have consecutive indexes from Index+1 on, and terms that never
// decrease, from LogTerm to Term.
func validateAppend(m *raftpb.Message) error {
	index, term := m.GetIndex(), m.GetLogTerm()
	if m.GetTerm() == 0 || term > m.GetTerm() || (index == 0) != (term == 0) {
		return fmt.Errorf("%w: append of term %d after entry %d of term %d", errInvalid, m.GetTerm(), index, term)
	}
	for _, e := range m.GetEntries() {
		if index++; index == 0 || e.GetIndex() != index || e.GetTerm() < max(term, 1) || e.GetTerm() > m.GetTerm() {
			return fmt.Errorf("%w: append of term %d with entry %d of term %d after entry %d of term %d",
				errInvalid, m.GetTerm(), e.GetIndex(), e.GetTerm(), index-1, term)
		}
		term = e.GetTerm()
	}
	return nil
}
