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
func (c *core) compact() {
	keep := c.limits.catchUp / keepShare
	if c.alone() {
		keep = 0
	}
	if c.storage.size() < keep+c.limits.catchUp/compactStep {
		return
	}
	if err := c.storage.drop(c.droppable(keep, c.neededByOthers())); err != nil {
		c.log.Warn("log entries stay in memory", zap.Error(err))
	}
}

// droppable is the last entry to drop from memory when so many bytes are kept in any
// case and others need the log from the given entry on.
func (c *core) droppable(keep int64, needed uint64) uint64 {
	size, bound := c.storage.size(), c.limits.catchUp
	upTo := c.storage.oldest(size-keep, min(c.appliedIndex, needed-1))
	if size > bound {
		upTo = max(upTo, c.storage.oldest(size-bound+bound/compactStep, c.appliedIndex))
	}
	return upTo
}

// neededByOthers is the first entry that an active member still needs from this leader;
// beyond all where none does, and on a follower, which does not know.
func (c *core) neededByOthers() uint64 {
	needed := uint64(math.MaxUint64)
	if !c.leads() {
		return needed
	}
	first := c.storage.first()
	c.raw.WithProgress(func(id uint64, _ etcdraft.ProgressType, p tracker.Progress) {
		if id == uint64(c.id) || !p.RecentActive {
			return
		}
		next := p.Match + 1
		switch {
		case p.State == tracker.StateSnapshot:
			next = p.PendingSnapshot + 1
		case next < first:
			next = c.afterNextSnapshot(first)
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
func (c *core) afterNextSnapshot(first uint64) uint64 {
	if next := c.storage.position() + 1; next >= first || !c.checkpoint.underway {
		return next
	}
	return c.checkpoint.begun + 1
}
