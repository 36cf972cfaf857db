package raft

import (
	"time"

	"go.uber.org/zap"

	"pando/raft/pace"
	"pando/tree"
)

// historyCompactor bounds the history of the v3 API: it proposes to compact the history when it has become too large, or as the automatic
// compaction demands. Only the leader proposes, and has at most one such command in flight. The effect of the command is the same on all
// members. As long as no client has used the v3 API, there is no such history, and nothing is proposed.
//
// Only the goroutine that has the turn may use a historyCompactor.
type historyCompactor struct {
	proposer *proposer
	tree     *tree.Store
	observer *Observer
	log      *zap.Logger
	limit    int64          // of View.HistoryBytes; zero for none
	auto     autoCompaction // nil for none
	next     *deadline      // of the next call of auto.due

	target uint64 // the revision to which the history has to be compacted, unless a later compaction was applied
	number uint64 // of the last batch with the command; zero before the first
	// One line of the log for each reason, at growing intervals.
	sizePace, autoPace pace.Pace
}

func newHistoryCompactor(c *core, d *deadlines) *historyCompactor {
	h := &historyCompactor{
		proposer: c.proposer, tree: c.tree, observer: c.observer, log: c.log, limit: c.cfg.HistoryBytes, auto: newAutoCompaction(&c.cfg),
	}
	h.next = d.add(h.checkAuto)
	if h.auto != nil {
		h.next.set(time.Now().Add(h.auto.interval()))
	}
	return h
}

// keptShare is the part of the limit that a compaction because of the size keeps, in quarters. So a compaction follows each time that
// the history has grown by a quarter of the limit.
const keptShare = 3

// checkSize sets the target if the history is larger than its limit.
func (h *historyCompactor) checkSize() {
	bytes := h.tree.View().HistoryBytes()
	if h.limit == 0 || bytes <= h.limit {
		return
	}
	revision := h.tree.CompactionRevision(h.limit / 4 * keptShare)
	if revision > h.target && h.sizePace.Due(time.Now()) {
		h.log.Info("compact the history of the v3 API: it exceeds its limit",
			zap.Uint64("revision", revision), zap.Int64("bytes", bytes), zap.Int64("limit", h.limit))
	}
	h.target = max(h.target, revision)
}

// checkAuto sets the target if the automatic compaction demands it.
func (h *historyCompactor) checkAuto(now time.Time) {
	h.next.set(now.Add(h.auto.interval()))
	view, leads := h.tree.View(), h.proposer.state.leads()
	revision := h.auto.due(now, view.Revision(), leads)
	if !leads || view.HistoryBytes() == 0 || revision <= max(h.target, view.CompactRevision()) {
		return
	}
	if h.autoPace.Due(now) {
		h.log.Info("compact the history of the v3 API: automatic compaction",
			zap.Uint64("revision", revision), zap.Int64("bytes", view.HistoryBytes()))
	}
	h.target = revision
}

// proposeIfDue proposes a compaction to the target if it was not applied yet. A proposal that was lost is repeated when its time has run
// out.
func (h *historyCompactor) proposeIfDue() {
	p := h.proposer
	if !p.state.leads() || p.inFlight.contains(h.number) {
		return
	}
	h.checkSize()
	if h.target <= h.tree.View().CompactRevision() || p.foundingPending() {
		return
	}
	data := tree.AppendCommand(p.beginBatch(64), &tree.Command{Op: tree.OpCompact, Revision: h.target, ByLeader: true})
	h.number = p.number
	p.send(data, inFlightBatch{since: time.Now()})
}

// applied must be called after a batch was applied. before is the compact revision before the batch.
func (h *historyCompactor) applied(before uint64) {
	view := h.tree.View()
	if revision := view.CompactRevision(); revision != before {
		h.log.Debug("history of the v3 API compacted", zap.Uint64("revision", revision), zap.Int64("bytes", view.HistoryBytes()))
		emit(h.observer.HistoryCompacted)
	}
}
