package raft

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"go.uber.org/zap"

	"pando/members"
	"pando/tree"
)

// apply applies committed entries to the tree and the membership.
func (c *core) apply(m *raftpb.Message) {
	for _, e := range m.GetEntries() {
		if err := c.applyEntry(e); err != nil {
			c.fail(&EntryError{entryID(e), err})
			return
		}
		c.appliedIndex, c.appliedTerm = e.GetIndex(), e.GetTerm()
		c.applied.Store(c.appliedIndex)
	}
	c.step(m.GetResponses())
	c.compact()
	c.campaignIfAlone()
	c.checkpointIfDue()
}

func (c *core) applyEntry(e *raftpb.Entry) error {
	switch e.GetType() {
	case raftpb.EntryConfChange:
		return c.applyConfChange(e.GetIndex(), e.GetData())
	case raftpb.EntryNormal:
		if len(e.GetData()) > 0 {
			return c.applyData(e.GetIndex(), e.GetData())
		}
		return nil // a leader began its term
	}
	return fmt.Errorf("%w: type %v", errEntry, e.GetType())
}

func (c *core) applyData(index uint64, data []byte) error {
	switch data[0] {
	case kindBatch:
		b, err := decodeBatch(data, c.applies[:0])
		if err != nil {
			return err
		}
		c.applyBatch(b)
		clear(b.commands)
		c.applies = b.commands[:0]
		return nil
	case kindAttributes:
		a, err := decodeAttributes(data)
		if err != nil {
			return err
		}
		return c.applyAttributes(a)
	case kindAudit:
		if id, ok := decodeFounding(data); ok {
			c.applyFounding(index, id)
			return nil
		}
		if level, ok := decodeLevel(data); ok {
			return c.applyLevel(index, level)
		}
		return c.applyAudit(index, data)
	case kindAuditResult:
		return c.applyAuditResult(data)
	}
	return c.applyUnknown(data[0])
}

// applyBatch changes the tree, answers the callers whose commands these are,
// and then wakes the watchers.
func (c *core) applyBatch(b batch) {
	results := c.tree.Apply(b.time, b.commands)
	if b.proposer == uint64(c.id) {
		c.answer(b.number, results)
	}
	c.recent = max(len(b.commands), c.recent/2)
	c.underLoad.Store(c.recent > 1)
	c.tree.Announce()
	emit1(c.observer.BatchApplied, len(b.commands))
	c.expiry.set(c.tree.View().NextExpiry(), c.now())
}

// answer ends the flight of a batch of this member with its results.
func (c *core) answer(number uint64, results []tree.Result) {
	f, underway := c.inFlight[number]
	if !underway || len(f.proposals) > len(results) {
		return // not the batch that this member has proposed
	}
	delete(c.inFlight, number)
	for i, p := range f.proposals {
		p.done <- outcome{result: results[i]}
	}
}

// serveIfCaughtUp opens the node to requests once the tree holds what was
// committed before it started, and the cluster knows its name and client URLs: a
// client that asks at once who is there finds this member.
func (c *core) serveIfCaughtUp() {
	lead := c.leader.Load()
	leads := lead == uint64(c.id) && c.appliedTerm == c.term.Load()
	c.sole.Store(leads && c.alone())
	if c.served || lead == 0 {
		return
	}
	if !c.caughtUp && (leads || lead != uint64(c.id) && c.firstReadDone()) {
		c.caughtUp = true
		c.publishAttributes(time.Now())
	}
	if c.caughtUp && c.published() {
		c.served = true
		close(c.ready)
	}
}

// firstReadDone makes the node's own first read, and reports whether it has come
// back: confirmed by the leader, with the tree as far as it asks for. Who leads needs
// none, once the first entry of its own term is applied. A read that failed is made
// again.
func (c *core) firstReadDone() bool {
	if _, member := c.registry.Get(c.id); !member {
		return false
	}
	if c.firstRead == nil {
		c.firstRead = make(chan error, 1)
		// An error says that the node ends.
		_ = c.readers.add(c.firstRead)
	}
	select {
	case err := <-c.firstRead:
		c.firstRead = nil
		return err == nil
	default:
		return false
	}
}

func (c *core) applyAttributes(a attributes) error {
	err := c.registry.UpdateAttributes(a.ID, a.Name, a.ClientURLs)
	if errors.Is(err, members.ErrIDNotFound) || errors.Is(err, members.ErrIDRemoved) {
		c.log.Warn("attributes of an unknown member ignored", zap.Stringer("member", a.ID))
		return nil
	}
	return err
}

// publishAttributes tells the cluster this member's name and client URLs, if
// it knows others; each second again, for a proposal may get lost.
func (c *core) publishAttributes(now time.Time) {
	if !c.caughtUp || now.Sub(c.membership.proposed) < time.Second {
		return
	}
	c.membership.proposed = now
	if _, member := c.registry.Get(c.id); !member || c.published() {
		return
	}
	data, err := encodeAttributes(attributes{ID: c.id, Name: c.cfg.Name, ClientURLs: c.cfg.ClientURLs})
	if err == nil {
		err = c.raw.Propose(data)
	}
	if err != nil {
		c.log.Warn("this member's name and client URLs were not published", zap.Error(err))
	}
}

// published reports whether the members' list has this one's name and client URLs.
func (c *core) published() bool {
	return c.registry.HasAttributes(c.id, jsonText(c.cfg.Name), c.cfg.ClientURLs)
}
