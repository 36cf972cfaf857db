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

// A message contradicts this member's log if this member or the sender has lost data, or uses a data directory of an earlier
// cluster. This member must stop then. But one message is no proof: any process that reaches the peer port can send one. So
// the message is dropped, and its sender is asked at its own URL for the term of the entry.

// ErrContradiction means that two members have committed different entries at the same index.
var ErrContradiction = errors.New("raft: this member's log contradicts the log of the cluster: one of them has lost data, " +
	"was put back from a copy, or is of an earlier cluster with the same flags. Nothing was deleted. " +
	"Compare this member's data with the others' " +
	"(pando snapshot save of the others, pando ctl backup of this data directory). If the others are right, " +
	"keep a copy of this data directory, remove the member, and add it again as a new one")

// claim is the statement of a message that contradicts the log: an entry whose index is committed here has another term, or
// the leader has acknowledgements of this member for entries that this member does not have.
type claim struct {
	from  members.ID
	index uint64
}

func (x *claim) Error() string {
	return fmt.Sprintf("raft: a message of member %s about entry %d contradicts this member's log; the member is asked at its own URL",
		x.from, x.index)
}

// claims is the state of the requests to the senders of claims. At most one request is in progress.
type claims struct {
	asking  bool
	asked   time.Time
	failed  error // of the last request; nil when the sender answered
	logPace pace.Pace
}

const (
	claimPause   = 500 * time.Millisecond // between two requests
	claimTimeout = 2 * time.Second        // of a request
)

// verify asks the sender of a claim at its own URL.
func (k *messageChecker) verify(x *claim) {
	if k.claims.asking || time.Since(k.claims.asked) < claimPause {
		return
	}
	k.claims.asking, k.claims.asked = true, time.Now()
	k.request(x)
}

// requestReport asks the sender of a claim for a report, in the background. A later turn settles the claim.
func (c *core) requestReport(x *claim) {
	// The log in memory may not have the final entries after the applied index.
	term, applied := c.state.term.Load(), c.state.applied.Load()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), claimTimeout)
		defer cancel()
		report, err := c.transport.RequestLogReport(ctx, x.from, x.index)
		c.inbox.post(func(c *core) {
			k := c.checker
			k.claims.asking, k.claims.failed = false, err
			if err == nil {
				err = k.compareReport(x, term, applied, report)
			}
			c.settle(x, err)
		})
	}()
}

// settle stops this member when the contradiction is confirmed. Otherwise it logs, at growing intervals, that the claim
// could not be verified.
func (c *core) settle(x *claim, err error) {
	switch {
	case errors.Is(err, ErrContradiction), errors.Is(err, ErrBroken):
		c.fail(err)
	case err != nil && c.checker.claims.logPace.Due(time.Now()):
		c.log.Error("a message contradicts this member's log, and the contradiction could not be verified; the message is dropped",
			zap.Stringer("from", x.from), zap.Uint64("log-index", x.index), zap.Error(err))
	}
}

// compareReport compares another member's report with this member's log. The parameters term and applied are this member's
// at the time of the request. Every leader of that term or a later one has all entries up to applied in its log.
func (k *messageChecker) compareReport(x *claim, term, applied uint64, r transport.LogReport) error {
	own, err := k.storage.Term(x.index)
	known := err == nil && r.EntryTerm != 0 && x.index <= applied
	leads := r.Leads && r.Term >= term
	switch last, err := k.storage.LastIndex(); {
	case err != nil:
		return err
	case known && own != r.EntryTerm && (leads || x.index <= r.Committed):
		return fmt.Errorf("%w (entry %d is of term %d here, and of term %d on member %s)", ErrContradiction, x.index, own, r.EntryTerm, x.from)
	case leads && r.Last < applied:
		return fmt.Errorf("%w (entry %d is committed here, and the log of the leader %s ends with entry %d)",
			ErrContradiction, applied, x.from, r.Last)
	case leads && r.Term == k.state.term.Load() && r.Match > last:
		return fmt.Errorf("%w (it has acknowledged entry %d, and its log ends with entry %d)", ErrBroken, r.Match, last)
	}
	return nil
}

// reportLog answers another member's request for a report.
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
	r := transport.LogReport{
		Leads: c.state.leads(), Term: c.state.term.Load(), Committed: c.state.committed.Load(), Last: c.state.lastIndex,
	}
	if last, err := c.storage.LastIndex(); err == nil {
		r.Last = max(r.Last, last)
	}
	if term, err := c.storage.Term(index); err == nil && index <= c.state.applied.Load() {
		r.EntryTerm = term // later entries may still be replaced
	}
	c.raw.WithProgress(func(id uint64, _ etcdraft.ProgressType, p tracker.Progress) {
		if id == uint64(from) {
			r.Match = p.Match
		}
	})
	return r
}
