package raft

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
)

// Nothing enters the log that cannot be applied: a committed entry that no member can decode stops all of them. So a
// forwarded proposal is checked before it is proposed, by the functions that apply it.

// errNothingProposed refuses a proposal without entries. The raft library panics at one.
var errNothingProposed = errors.New("it has no entries")

// checkProposal returns the reason why a forwarded proposal must not be proposed; nil if it may be.
func checkProposal(m *raftpb.Message) error {
	if len(m.GetEntries()) == 0 {
		return errNothingProposed
	}
	for _, e := range m.GetEntries() {
		if err := checkEntry(e); err != nil {
			return err
		}
	}
	return nil
}

// checkEntry returns the reason why an entry cannot be applied; nil if it can be.
func checkEntry(e *raftpb.Entry) error {
	data := e.GetData()
	switch e.GetType() {
	case raftpb.EntryConfChange:
		return checkConfChange(data)
	case raftpb.EntryNormal:
		if len(data) == 0 {
			return nil
		}
		return checkData(data)
	}
	return fmt.Errorf("%w: type %v", errEntry, e.GetType())
}

// checkConfChange also refuses a change after which a member has no URL. It could be applied, but the member would have a
// vote and could not be reached.
func checkConfChange(data []byte) error {
	cc, m, err := decodeConfChange(data)
	if err != nil {
		return err
	}
	if cc.GetType() != raftpb.ConfChangeRemoveNode && len(m.PeerURLs) == 0 {
		return fmt.Errorf("%w: %v of member %s without a peer URL", errEntry, cc.GetType(), m.ID)
	}
	return nil
}

func checkData(data []byte) error {
	var err error
	switch data[0] {
	case kindBatch:
		return checkBatch(data)
	case kindAttributes:
		_, err = decodeAttributes(data)
	case kindAudit:
		_, err = decodeAudit(data, &auditStart{})
	case kindAuditResult:
		_, err = decodeAudit(data, &auditResult{})
	default:
		if !isIgnorable(data[0]) {
			err = fmt.Errorf("%w: kind %d", errEntry, data[0])
		}
	}
	return err
}
