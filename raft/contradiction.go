package raft

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"

	"pando/members"
	"pando/raft/pace"
	"pando/raft/transport"
)

// A message may contradict this member's log: data was lost here or there, or a data
// directory of an earlier cluster is in use. Then this member must stop, and must not
// stop because somebody who can reach its peer port says so. The message is dropped, and
// its sender asked for the same at its own URL.

// ErrContradiction says that two members have committed different things.
var ErrContradiction = errors.New("raft: this member's log contradicts the log of the cluster: one of them has lost data, " +
	"was put back from a copy, or is of an earlier cluster with the same flags. Nothing was deleted. Compare this member's data with the others' " +
	"(pando snapshot save of the others, pando ctl backup of this data directory). If the others are right, " +
	"keep a copy of this data directory, remove the member, and add it again as a new one")

// claim is a message that does not fit what is committed here.
type claim struct {
	from  members.ID
	index uint64
}

func (c *claim) Error() string {
	return fmt.Sprintf("raft: member %s says of entry %d what contradicts this member's log; it is asked at its own URL", c.from, c.index)
}

// doubts is the loop's account of contradictions.
type claims struct {
	asking bool
	asked  time.Time
	failed error // of the last question
	told   pace.Pace
}

// The pause between two questions, and how long one may take.
const (
	doubtPause   = 500 * time.Millisecond
	doubtTimeout = 2 * time.Second
)

// suspect asks the sender of a message that contradicts the log, at its own URL.
func (l *core) verify(c *claim) {
	d := &l.claims
	if d.asking || time.Since(d.asked) < doubtPause {
		return
	}
	d.asking, d.asked = true, time.Now()
	n, term, committed := l.Node, l.term.Load(), l.appliedIndex // what is behind it may not be in the log in memory yet
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), doubtTimeout)
		defer cancel()
		report, err := n.transport.RequestLogReport(ctx, c.from, c.index)
		n.inbox.post(func(l *core) {
			l.claims.asking, l.claims.failed = false, err
			if err == nil {
				err = l.compareReports(c, term, committed, report)
			}
			l.settleClaim(c, err)
		})
	}()
}

// tellDoubt stops this member when the contradiction is confirmed, and otherwise tells
// of it, more and more rarely.
func (l *core) settleClaim(c *claim, err error) {
	switch {
	case errors.Is(err, ErrContradiction), errors.Is(err, ErrBroken):
		l.fail(err)
	case err != nil && l.claims.told.Due(time.Now()):
		l.log.Error("a message contradicts this member's log, and its sender can't be asked at its peer URL: it is dropped",
			zap.Stringer("from", c.from), zap.Uint64("log-index", c.index), zap.Error(err))
	}
}

// judge says whether another member's log contradicts this one's. Term and committed
// are those of the time at which it was asked. What was committed then is in the log of
// every leader of that term or a later one.
func (l *core) compareReports(c *claim, term, committed uint64, r transport.LogReport) error {
	own, err := l.storage.Term(c.index)
	known := err == nil && r.EntryTerm != 0 && c.index <= committed
	leads := r.Leads && r.Term >= term
	switch last, err := l.storage.LastIndex(); {
	case err != nil:
		return err
	case known && own != r.EntryTerm && (leads || c.index <= r.Committed):
		return fmt.Errorf("%w (entry %d is of term %d here, and of term %d on member %s)", ErrContradiction, c.index, own, r.EntryTerm, c.from)
	case leads && r.Last < committed:
		return fmt.Errorf("%w (entry %d is committed here, and the log of the leader %s ends with entry %d)",
			ErrContradiction, committed, c.from, r.Last)
	case leads && r.Term == l.term.Load() && r.Match > last:
		return fmt.Errorf("%w (it has acknowledged entry %d, and its log ends with entry %d)", ErrBroken, r.Match, last)
	}
	return nil
}

// reportLog answers another member's question about an entry.
func (n *Node) reportLog(ctx context.Context, from members.ID, index uint64) (transport.LogReport, error) {
	answer := make(chan transport.LogReport, 1)
	if !n.inbox.post(func(c *core) { answer <- c.report(from, index) }) {
		return transport.LogReport{}, ErrStopped
	}
	select {
	case r := <-answer:
		return r, nil
	case <-ctx.Done():
		return transport.LogReport{}, ctx.Err()
	case <-n.done:
		return transport.LogReport{}, ErrStopped
	}
}

func (c *core) report(from members.ID, index uint64) transport.LogReport {
	r := transport.LogReport{Leads: c.leads(), Term: c.term.Load(), Committed: c.committed.Load(), Last: c.lastIndex}
	if last, err := c.storage.LastIndex(); err == nil {
		r.Last = max(r.Last, last)
	}
	if term, err := c.storage.Term(index); err == nil && index <= c.appliedIndex {
		r.EntryTerm = term // behind it, the entry in memory may be about to be replaced
	}
	c.raw.WithProgress(func(id uint64, _ etcdraft.ProgressType, p tracker.Progress) {
		if id == uint64(from) {
			r.Match = p.Match
		}
	})
	return r
}
