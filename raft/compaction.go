package raft

import (
	"math"

	"go.uber.org/zap"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// Compaction drops applied entries from the log in memory. Some stay for members that lag behind. The bounds are in bytes:
// an entry may have one small command or hundreds of large ones.
//
// A quarter of the bound always stays, for members that reconnect soon. The rest stays while an active member needs it: one
// that lags, or one that receives a snapshot and will continue after it. Above the bound, entries are dropped even if a
// member needs them; that member gets a snapshot. A member that is alone keeps no entries.

const (
	// keepShare is the share of the bound that always stays.
	keepShare = 4
	// compactStep is the share of the bound by which the log must exceed its entries that stay. Only then it is compacted: a
	// compaction copies a pointer for each entry that stays.
	compactStep = 32
)

// compact drops applied entries from memory. The disk has them until the next checkpoint.
func (c *core) compact() {
	keep := c.limits.catchUp / keepShare
	if c.state.alone() {
		keep = 0
	}
	if c.storage.size() < keep+c.limits.catchUp/compactStep {
		return
	}
	if err := c.storage.drop(c.droppable(keep, c.neededByOthers())); err != nil {
		c.log.Warn("log entries stay in memory", zap.Error(err))
	}
}

// droppable is the last entry to drop when keep bytes always stay and other members need the log from the entry needed on.
func (c *core) droppable(keep int64, needed uint64) uint64 {
	size, bound, applied := c.storage.size(), c.limits.catchUp, c.state.applied.Load()
	upTo := c.storage.oldest(size-keep, min(applied, needed-1))
	if size > bound {
		upTo = max(upTo, c.storage.oldest(size-bound+bound/compactStep, applied))
	}
	return upTo
}

// neededByOthers is the first entry that an active member still needs from this leader. It is the largest index if no
// member needs one, and on a follower, which has no such information.
func (c *core) neededByOthers() uint64 {
	needed := uint64(math.MaxUint64)
	if !c.state.leads() {
		return needed
	}
	first := c.storage.first()
	c.raw.WithProgress(func(id uint64, _ etcdraft.ProgressType, p tracker.Progress) {
		if id == uint64(c.state.id) || !p.RecentActive {
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

// afterNextSnapshot is the first entry that a member will need after its next snapshot. The snapshot is the last checkpoint
// if the log in memory reaches back to it, and otherwise the checkpoint in progress.
func (c *core) afterNextSnapshot(first uint64) uint64 {
	if next := c.storage.position() + 1; next >= first || !c.checkpoints.inProgress {
		return next
	}
	return c.checkpoints.begun + 1
}
