package raft

import (
	"math"

	"go.uber.org/zap"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// How much of the applied log stays in memory, for members that lag behind. Bounds are
// in bytes: an entry may hold one small command or hundreds of large ones.
//
// A quarter of the bound is kept in any case, for whoever comes back after a moment. The
// rest is for a member that is active and needs it: one that lags, or that is getting a
// snapshot and will go on from there. Beyond the bound memory counts for more, and the
// member gets a snapshot. A member that is alone keeps nothing.

const (
	// keepShare is the share of the bound that is kept in any case.
	keepShare = 4
	// compactStep is the share of the bound by which the log outgrows that before it is
	// cut: cutting copies a pointer for each entry that stays.
	compactStep = 32
)

// compact drops applied entries from memory. The disk has them until the next
// checkpoint.
func (l *loop) compact() {
	keep := l.limits.catchUp / keepShare
	if l.alone() {
		keep = 0
	}
	if l.mem.size() < keep+l.limits.catchUp/compactStep {
		return
	}
	if err := l.mem.drop(l.droppable(keep, l.neededByOthers())); err != nil {
		l.log.Warn("log entries stay in memory", zap.Error(err))
	}
}

// droppable is the last entry to drop from memory when so many bytes are kept in any
// case and others need the log from the given entry on.
func (l *loop) droppable(keep int64, needed uint64) uint64 {
	size, bound := l.mem.size(), l.limits.catchUp
	upTo := l.mem.oldest(size-keep, min(l.appliedIndex, needed-1))
	if size > bound {
		upTo = max(upTo, l.mem.oldest(size-bound+bound/compactStep, l.appliedIndex))
	}
	return upTo
}

// neededByOthers is the first entry that an active member still needs from this leader;
// beyond all where none does, and on a follower, which does not know.
func (l *loop) neededByOthers() uint64 {
	needed := uint64(math.MaxUint64)
	if !l.leads() {
		return needed
	}
	first := l.mem.first()
	l.raw.WithProgress(func(id uint64, _ etcdraft.ProgressType, p tracker.Progress) {
		if id == uint64(l.id) || !p.RecentActive {
			return
		}
		next := p.Match + 1
		switch {
		case p.State == tracker.StateSnapshot:
			next = p.PendingSnapshot + 1
		case next < first:
			next = l.afterNextSnapshot(first)
		}
		if next >= first {
			needed = min(needed, next)
		}
	})
	return needed
}

// afterNextSnapshot is the first entry that a member will need that is about to get a
// snapshot: of the last checkpoint, if the log in memory reaches back to it, or of the
// one under way.
func (l *loop) afterNextSnapshot(first uint64) uint64 {
	if next := l.mem.position() + 1; next >= first || !l.checkpoint.underway {
		return next
	}
	return l.checkpoint.begun + 1
}
