package raft

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// Nothing enters the log that can't be applied: a committed entry that no member
// understands stops all of them. So what a peer forwards is checked before it is
// proposed, whoever the peer is.

// errNothingProposed refuses a proposal without entries, on which the upstream
// library panics.
var errNothingProposed = errors.New("it has no entries")

// checkProposal reports why a forwarded proposal must not be proposed.
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

// checkEntry reports, with errEntry, why an entry can't be applied.
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

// checkConfChange wants whoever is in the cluster after a change to be somebody who can be
// reached. A member without a URL could be applied, but would only take up a vote.
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

// admit takes a proposal that a peer has forwarded, unless it could not be applied.
func (c *core) admit(m *raftpb.Message) {
	err := checkProposal(m)
	if err == nil {
		c.gather(m)
		return
	}
	c.refused(members.ID(m.GetFrom()), fmt.Errorf("a forwarded proposal could not be applied; do all members run the same version? %w", err))
}
