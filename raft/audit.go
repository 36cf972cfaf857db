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

// An audit compares the data of the members. From time to time the leader puts an entry into the log that begins a round.
// Each member keeps the tree's view as of that entry, hashes it by ranges of paths in the background, and puts its hashes
// into the log. So every member gets the hashes of all members, of the same state, and applying waits for none of it. The
// entries of a round change nothing: a member ignores those of a version that it does not know.

// auditVersion is the version of the entries of a round and of the hashing.
const auditVersion = 1

// auditRanges is the least number of ranges into which the leader divides the paths, if there are that many paths.
const auditRanges = 16

// auditStart begins a round. Its bounds are the paths at which a range ends and the next one begins.
type auditStart struct {
	Bounds [][]byte `json:"bounds"`
}

// auditResult has the hashes of one member.
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

// decodeAudit reads an entry of a round into v. It returns false for an entry of another version.
func decodeAudit(data []byte, v any) (bool, error) {
	if len(data) < 2 || data[1] != auditVersion {
		return false, nil
	}
	if err := json.Unmarshal(data[2:], v); err != nil {
		return false, fmt.Errorf("%w: consistency check: %w", errEntry, err)
	}
	return true, nil
}

// auditor begins the rounds on the leader, and hashes and compares the data on each member.
//
// Only the goroutine that has the turn may use it, except for busy and the methods that run in the background.
type auditor struct {
	state    *logState
	tree     *tree.Store
	registry *members.Registry
	observer *Observer
	log      *zap.Logger
	interval time.Duration     // between two rounds; zero for none
	caughtUp func() bool       // whether the tree has all entries that were committed before the start
	propose  func(data []byte) // puts an entry into the log; any goroutine may call it
	inTicks  func(n int) time.Time
	ends     [2]<-chan struct{} // closed when the node stops or has ended

	busy atomic.Bool // this member works for a round in the background
	next *deadline   // of the next round, if this member leads

	round   uint64 // index of the entry that began the last round; zero after the round has ended
	bounds  []string
	results map[members.ID]auditResult
	missing []members.ID // from the last round
	// low and high bound the range that differed last. The next round divides that range more finely.
	low, high string
}

func newAuditor(c *core, d *deadlines) *auditor {
	a := &auditor{
		state: c.state, tree: c.tree, registry: c.registry, observer: c.observer, log: c.log, interval: c.cfg.AuditInterval,
		caughtUp: func() bool { return c.startup.caughtUp }, inTicks: d.inTicks, ends: [2]<-chan struct{}{c.stop, c.done},
	}
	a.propose = func(data []byte) { // the entry may get lost
		c.inbox.post(func(c *core) {
			if err := c.raw.Propose(data); err != nil {
				c.log.Debug("audit entry not proposed", zap.Error(err))
			}
		})
	}
	a.next = d.add(a.begin)
	a.leaderChanged()
	return a
}

// leaderChanged sets the time of the next round.
func (a *auditor) leaderChanged() {
	if a.interval > 0 {
		a.next.set(time.Now().Add(a.interval))
	}
}

// begin begins a round, if this member leads others.
func (a *auditor) begin(now time.Time) {
	a.next.set(now.Add(a.interval))
	if !a.state.leads() || !a.caughtUp() || a.state.alone() {
		return
	}
	if !a.busy.CompareAndSwap(false, true) {
		a.next.set(a.inTicks(1)) // this member still works for the last round
		return
	}
	view, low, high := a.tree.View(), a.low, a.high
	go func() {
		bounds := view.Bounds(low, high, auditRanges, a.throttle())
		a.busy.Store(false) // before the entry is applied, which begins the hashing
		var start auditStart
		for _, b := range bounds {
			start.Bounds = append(start.Bounds, []byte(b))
		}
		a.proposeEntry(kindAudit, start)
	}()
}

// proposeEntry puts an entry of a round into the log. If it gets lost, the next round replaces this one.
func (a *auditor) proposeEntry(kind byte, v any) {
	if data, err := encodeAudit(kind, v); err == nil {
		a.propose(data)
	}
}

// applyStart begins a round on this member. A member that has not caught up takes no part; the others don't wait for it.
func (a *auditor) applyStart(index uint64, data []byte) error {
	var start auditStart
	known, err := decodeAudit(data, &start)
	if err != nil || !known || !a.caughtUp() {
		return err
	}
	a.conclude()
	a.round, a.bounds, a.results = index, nil, map[members.ID]auditResult{}
	for _, b := range start.Bounds {
		a.bounds = append(a.bounds, string(b))
	}
	if !a.busy.CompareAndSwap(false, true) {
		return nil // this member still works for an earlier round
	}
	view, bounds := a.tree.View(), a.bounds
	go func() {
		defer a.busy.Store(false)
		a.hash(index, view, bounds)
	}()
	return nil
}

// hash hashes the ranges of a view and proposes the result. It runs in the background.
func (a *auditor) hash(round uint64, view *tree.View, bounds []string) {
	start := time.Now()
	ranges := view.HashRanges(bounds, a.throttle())
	if ranges == nil {
		return // the node stops
	}
	emit1(a.observer.AuditHashed, time.Since(start))
	a.proposeEntry(kindAuditResult, auditResult{Round: round, Member: a.state.id, State: view.HashState(), Ranges: ranges})
}

// applyResult takes the hashes of a member. The last member's end the round.
func (a *auditor) applyResult(data []byte) error {
	var r auditResult
	known, err := decodeAudit(data, &r)
	if err != nil || !known || r.Round == 0 || r.Round != a.round || len(r.Ranges) != len(a.bounds)+1 {
		return err
	}
	a.results[r.Member] = r
	if len(a.absent()) == 0 {
		a.conclude()
	}
	return nil
}

// absent returns the members without a result in this round.
func (a *auditor) absent() (ids []members.ID) {
	for _, m := range a.registry.List() {
		if _, ok := a.results[m.ID]; !ok {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// conclude ends the round with the results that have arrived, and logs the differences.
func (a *auditor) conclude() {
	if a.round == 0 {
		return
	}
	report := AuditReport{
		Index: a.round, Members: len(a.results), Missing: a.absent(), Differences: differences(a.bounds, a.results),
	}
	a.round = 0
	if report.Members == 0 {
		return // the next round began before any result
	}
	if len(report.Missing) > 0 && !slices.Equal(report.Missing, a.missing) {
		a.log.Warn("the data of these members could not be compared: they are down, cut off or far behind",
			zap.Uint64("log-index", report.Index), zap.Strings("members", describeMembers(a.registry, report.Missing)))
	}
	a.missing = report.Missing
	a.low, a.high = "", ""
	for _, d := range report.Differences {
		if !d.State && a.low == "" && a.high == "" {
			a.low, a.high = d.Low, d.High
		}
		a.log.Error("the members' data differs: "+d.describe(),
			zap.Uint64("log-index", report.Index), zap.Stringers("members", d.Members), zap.Any("hashes", d.Hashes))
	}
	if report.Differences == nil && report.Missing == nil {
		a.log.Debug("the members' data is the same", zap.Uint64("log-index", report.Index), zap.Int("members", report.Members))
	}
	emit1(a.observer.Audited, report)
}

// throttle returns the pause function of a walk in the background, which then uses a tenth of a processor. The function
// returns false when the node stops: the walk must end.
func (a *auditor) throttle() func() bool {
	begun := time.Now()
	timer := time.NewTimer(0)
	<-timer.C
	return func() bool {
		timer.Reset(auditIdle * time.Since(begun))
		select {
		case <-timer.C:
		case <-a.ends[0]:
			return false
		case <-a.ends[1]:
			return false
		}
		begun = time.Now()
		return true
	}
}

// auditIdle is the ratio between the time for which a walk in the background rests and that for which it works.
const auditIdle = 9
