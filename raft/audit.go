package raft

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pando/members"
	"pando/tree"
)

// The members compare what they hold. Now and then the leader puts an entry
// into the log that begins a round; each member keeps the tree's view as of that
// entry, hashes it by ranges of paths in the background, and puts its hashes into
// the log. So every member sees the hashes of all, of the same moment, and
// applying waits for none of it. An entry of a round changes nothing: a version
// that a member does not know is passed over.

// auditVersion is the version of the entries of a round and of the hashing.
const auditVersion = 1

// auditRanges is into how many ranges the leader divides the paths, at least, if
// there are that many.
const auditRanges = 16

// auditStart begins a round: where its ranges meet.
type auditStart struct {
	Bounds [][]byte `json:"bounds"`
}

// auditResult is what a member has found.
type auditResult struct {
	Round  uint64     `json:"round"` // index of the entry that began it
	Member members.ID `json:"member"`
	State  uint64     `json:"state"`
	Ranges []uint64   `json:"ranges"`
}

func encodeAudit(kind byte, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("raft: consistency check: %w", err)
	}
	return append([]byte{kind, auditVersion}, b...), nil
}

// decodeAudit reads an entry of a round into v. It reports false for one of
// another version.
func decodeAudit(data []byte, v any) (bool, error) {
	if len(data) < 2 || data[1] != auditVersion {
		return false, nil
	}
	if err := json.Unmarshal(data[2:], v); err != nil {
		return false, fmt.Errorf("%w: consistency check: %w", errEntry, err)
	}
	return true, nil
}

// audits is the loop's account of rounds.
type audits struct {
	// busy is set while this member works for a round in the background.
	busy atomic.Bool
	due  time.Time // when the next round begins, if this member leads

	round   uint64 // index of the entry that began the last one; zero when its end is known
	bounds  []string
	results map[members.ID]auditResult
	missing []members.ID // from the last round
	// low and high bound the range that differed last, so that the next round
	// looks closer there.
	low, high string
}

// auditIfDue begins a round, if this member leads others.
func (c *core) auditIfDue(now time.Time) {
	a := &c.audits
	if c.cfg.AuditInterval <= 0 || !c.leads() || !c.caughtUp || c.alone() {
		a.due = now.Add(c.cfg.AuditInterval)
		return
	}
	if now.Before(a.due) || !a.busy.CompareAndSwap(false, true) {
		return
	}
	a.due = now.Add(c.cfg.AuditInterval)
	n, view, low, high := c.Node, c.tree.View(), a.low, a.high
	go func() {
		bounds := view.Bounds(low, high, auditRanges, n.throttle())
		a.busy.Store(false) // before the round comes back by the log
		var start auditStart
		for _, b := range bounds {
			start.Bounds = append(start.Bounds, []byte(b))
		}
		n.proposeAudit(kindAudit, start)
	}()
}

// proposeAudit puts an entry of a round into the log. What gets lost is made good
// by the next round.
func (n *Node) proposeAudit(kind byte, v any) {
	data, err := encodeAudit(kind, v)
	if err != nil {
		return
	}
	n.inbox.post(func(c *core) {
		if err := c.raw.Propose(data); err != nil {
			c.log.Debug("consistency check not proposed", zap.Error(err))
		}
	})
}

// applyAudit begins a round here. A member that catches up leaves it to the
// others: nobody waits for it.
func (c *core) applyAudit(index uint64, data []byte) error {
	var start auditStart
	known, err := decodeAudit(data, &start)
	if err != nil || !known || !c.caughtUp {
		return err
	}
	c.concludeAudit()
	a := &c.audits
	a.round, a.bounds, a.results = index, nil, map[members.ID]auditResult{}
	for _, b := range start.Bounds {
		a.bounds = append(a.bounds, string(b))
	}
	if !a.busy.CompareAndSwap(false, true) {
		return nil // still at work for an earlier round
	}
	n, view, bounds := c.Node, c.tree.View(), a.bounds
	go func() {
		defer a.busy.Store(false)
		n.hashForAudit(index, view, bounds)
	}()
	return nil
}

func (n *Node) hashForAudit(round uint64, view *tree.View, bounds []string) {
	start := time.Now()
	ranges := view.HashRanges(bounds, n.throttle())
	if ranges == nil {
		return // the node stops
	}
	emit1(n.observer.AuditHashed, time.Since(start))
	n.proposeAudit(kindAuditResult, auditResult{Round: round, Member: n.id, State: view.HashState(), Ranges: ranges})
}

// applyAuditResult takes what a member has found, and ends the round when it was
// the last one.
func (c *core) applyAuditResult(data []byte) error {
	var r auditResult
	known, err := decodeAudit(data, &r)
	a := &c.audits
	if err != nil || !known || r.Round == 0 || r.Round != a.round || len(r.Ranges) != len(a.bounds)+1 {
		return err
	}
	a.results[r.Member] = r
	for _, m := range c.registry.List() {
		if _, there := a.results[m.ID]; !there {
			return nil
		}
	}
	c.concludeAudit()
	return nil
}

// concludeAudit ends the round with the results that are there, and tells of what
// differs.
func (c *core) concludeAudit() {
	a := &c.audits
	if a.round == 0 {
		return
	}
	report := AuditReport{Index: a.round, Members: len(a.results), Differences: differences(a.bounds, a.results)}
	for _, m := range c.registry.List() {
		if _, there := a.results[m.ID]; !there {
			report.Missing = append(report.Missing, m.ID)
		}
	}
	a.round = 0
	if report.Members == 0 {
		return // the next round came too early for all
	}
	if len(report.Missing) > 0 && !slices.Equal(report.Missing, a.missing) {
		c.log.Warn("the data of these members could not be compared: they are down, cut off or far behind",
			zap.Uint64("log-index", report.Index), zap.Strings("members", c.describeMembers(report.Missing)))
	}
	a.missing = report.Missing
	a.low, a.high = "", ""
	for _, d := range report.Differences {
		if !d.State && a.low == "" && a.high == "" {
			a.low, a.high = d.Low, d.High
		}
		c.log.Error("the members' data differs: "+d.describe(),
			zap.Uint64("log-index", report.Index), zap.Stringers("members", d.Members), zap.Any("hashes", d.Hashes))
	}
	if report.Differences == nil && report.Missing == nil {
		c.log.Debug("the members' data is the same", zap.Uint64("log-index", report.Index), zap.Int("members", report.Members))
	}
	emit1(c.observer.Audited, report)
}

// throttle gives the pause of a walk in the background: it takes a tenth of a
// processor. It tells the walk to end when the node stops.
func (n *Node) throttle() func() bool {
	begun := time.Now()
	timer := time.NewTimer(0)
	<-timer.C
	return func() bool {
		timer.Reset(auditIdle * time.Since(begun))
		select {
		case <-timer.C:
		case <-n.stop:
			return false
		case <-n.done:
			return false
		}
		begun = time.Now()
		return true
	}
}

// auditIdle is how many times as long as it works a walk in the background
// rests.
const auditIdle = 9
