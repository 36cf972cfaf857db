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
func (l *loop) apply(m *raftpb.Message) {
	for _, e := range m.GetEntries() {
		if err := l.applyEntry(e); err != nil {
			l.fail(&EntryError{entryID(e), err})
			return
		}
		l.appliedIndex, l.appliedTerm = e.GetIndex(), e.GetTerm()
		l.applied.Store(l.appliedIndex)
	}
	l.step(m.GetResponses())
	l.compact()
	l.campaignIfAlone()
	l.checkpointIfDue()
}

func (l *loop) applyEntry(e *raftpb.Entry) error {
	switch e.GetType() {
	case raftpb.EntryConfChange:
		return l.applyConfChange(e.GetIndex(), e.GetData())
	case raftpb.EntryNormal:
		if len(e.GetData()) > 0 {
			return l.applyData(e.GetIndex(), e.GetData())
		}
		return nil // a leader began its term
	}
	return fmt.Errorf("%w: type %v", errEntry, e.GetType())
}

func (l *loop) applyData(index uint64, data []byte) error {
	switch data[0] {
	case kindBatch:
		b, err := decodeBatch(data, l.applies[:0])
		if err != nil {
			return err
		}
		l.applyBatch(b)
		clear(b.commands)
		l.applies = b.commands[:0]
		return nil
	case kindAttributes:
		a, err := decodeAttributes(data)
		if err != nil {
			return err
		}
		return l.applyAttributes(a)
	case kindAudit:
		if id, ok := decodeFounding(data); ok {
			l.applyFounding(index, id)
			return nil
		}
		return l.applyAudit(index, data)
	case kindAuditResult:
		return l.applyAuditResult(data)
	}
	return fmt.Errorf("%w: kind %d", errEntry, data[0])
}

// applyBatch changes the tree, answers the callers whose commands these are,
// and then wakes the watchers.
func (l *loop) applyBatch(b batch) {
	results := l.tree.Apply(b.time, b.commands)
	if b.proposer == uint64(l.id) {
		l.answer(b.number, results)
	}
	l.recent = max(len(b.commands), l.recent/2)
	l.crowded.Store(l.recent > 1)
	l.tree.Notify()
	l.observer.BatchApplied(len(b.commands))
	l.expiry.set(l.tree.View().NextExpiry(), l.now())
}

// answer ends the flight of a batch of this member with its results.
func (l *loop) answer(number uint64, results []tree.Result) {
	f, underway := l.flying[number]
	if !underway || len(f.proposals) > len(results) {
		return // not the batch that this member has proposed
	}
	delete(l.flying, number)
	for i, p := range f.proposals {
		p.done <- outcome{result: results[i]}
	}
}

// serveIfCaughtUp opens the node to requests once the tree holds what was
// committed before it started, and the cluster knows its name and client URLs: a
// client that asks at once who is there finds this member.
func (l *loop) serveIfCaughtUp() {
	lead := l.leader.Load()
	leads := lead == uint64(l.id) && l.appliedTerm == l.term.Load()
	l.sole.Store(leads && l.alone())
	if l.served || lead == 0 {
		return
	}
	if !l.caughtUp && (leads || lead != uint64(l.id) && l.firstReadDone()) {
		l.caughtUp = true
		l.publishAttributes(time.Now())
	}
	if l.caughtUp && l.published() {
		l.served = true
		close(l.ready)
	}
}

// firstReadDone makes the node's own first read, and reports whether it has come
// back: confirmed by the leader, with the tree as far as it asks for. Who leads needs
// none, once the first entry of its own term is applied. A read that failed is made
// again.
func (l *loop) firstReadDone() bool {
	if _, member := l.registry.Get(l.id); !member {
		return false
	}
	if l.firstRead == nil {
		l.firstRead = make(chan error, 1)
		// An error says that the node ends.
		_ = l.readers.add(l.firstRead)
	}
	select {
	case err := <-l.firstRead:
		l.firstRead = nil
		return err == nil
	default:
		return false
	}
}

func (l *loop) applyAttributes(a attributes) error {
	err := l.registry.UpdateAttributes(a.ID, a.Name, a.ClientURLs)
	if errors.Is(err, members.ErrIDNotFound) || errors.Is(err, members.ErrIDRemoved) {
		l.log.Warn("attributes of an unknown member ignored", zap.Stringer("member", a.ID))
		return nil
	}
	return err
}

// publishAttributes tells the cluster this member's name and client URLs, if
// it knows others; each second again, for a proposal may get lost.
func (l *loop) publishAttributes(now time.Time) {
	if !l.caughtUp || now.Sub(l.membership.proposed) < time.Second {
		return
	}
	l.membership.proposed = now
	if _, member := l.registry.Get(l.id); !member || l.published() {
		return
	}
	data, err := encodeAttributes(attributes{ID: l.id, Name: l.cfg.Name, ClientURLs: l.cfg.ClientURLs})
	if err == nil {
		err = l.raw.Propose(data)
	}
	if err != nil {
		l.log.Warn("this member's name and client URLs were not published", zap.Error(err))
	}
}

// published reports whether the members' list has this one's name and client URLs.
func (l *loop) published() bool {
	return l.registry.HasAttributes(l.id, asTold(l.cfg.Name), l.cfg.ClientURLs)
}
