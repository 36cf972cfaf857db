package raft

import (
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
)

// apply applies committed entries to the tree and the membership.
func (c *core) apply(m *raftpb.Message) {
	for _, e := range m.GetEntries() {
		if err := c.applyEntry(e); err != nil {
			c.fail(&EntryError{entryID(e), err})
			return
		}
		c.state.appliedTerm = e.GetTerm()
		c.state.applied.Store(e.GetIndex())
	}
	c.step(m.GetResponses())
	c.compact()
	c.elections.campaignIfAlone()
	c.checkpoints.beginIfDue()
}

func (c *core) applyEntry(e *raftpb.Entry) error {
	switch e.GetType() {
	case raftpb.EntryConfChange:
		return c.membership.apply(e.GetIndex(), e.GetData())
	case raftpb.EntryNormal:
		if len(e.GetData()) > 0 {
			return c.applyData(e.GetIndex(), e.GetData())
		}
		return nil // the first entry of a leader's term
	}
	return fmt.Errorf("%w: type %v", errEntry, e.GetType())
}

func (c *core) applyData(index uint64, data []byte) error {
	switch data[0] {
	case kindBatch:
		b, err := decodeBatch(data, c.commands[:0])
		if err == nil {
			err = checkBatchLevel(b.commands, c.state.level.Load())
		}
		if err != nil {
			return err
		}
		c.applyBatch(b)
		clear(b.commands)
		c.commands = b.commands[:0]
		return nil
	case kindAttributes:
		a, err := decodeAttributes(data)
		if err != nil {
			return err
		}
		return c.startup.applyAttributes(a)
	case kindAudit:
		if id, ok := decodeFounding(data); ok {
			c.founding.apply(index, id)
			return nil
		}
		if level, ok := decodeLevel(data); ok {
			return c.levels.apply(index, level)
		}
		return c.auditor.applyStart(index, data)
	case kindAuditResult:
		return c.auditor.applyResult(data)
	}
	return c.levels.applyUnknown(data[0])
}

// applyBatch changes the tree, answers the callers of the commands, and then wakes the watchers.
func (c *core) applyBatch(b batch) {
	compacted := c.tree.View().CompactRevision()
	results := c.tree.Apply(b.time, b.commands)
	c.leases.applied(b)
	if b.proposer == uint64(c.state.id) {
		c.proposer.inFlight.applied(b.number, results)
	}
	c.proposer.load.batchApplied(len(b.commands))
	c.tree.Announce()
	emit1(c.observer.BatchApplied, len(b.commands))
	c.expirer.set(c.tree.View().NextExpiry())
	c.history.applied(compacted)
}
