package raft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"pando/stats"
	"pando/storage"
)

// A cluster is upgraded one member at a time, so members of two versions share a log for a while. What the older
// version can't read must not be written meanwhile. That is what the feature level is for, a number that each cluster has.
//
//   - Each member announces, on every peer stream, the highest level that its program serves. Programs that announce
//     none are at level 0.
//   - The leader raises the cluster's level by a log entry as soon as all members, learners too, have a stream to it
//     on which they announce a higher one. The level never falls.
//   - The level is part of the replicated state: an entry raises it on all members at the same place of the log, and
//     checkpoints and snapshots hold it.
//   - A member below the cluster's level takes no part any more: the others refuse its streams, its program refuses the
//     checkpoint, and a program that finds the entry stops.
//
// New commands, kinds of entries, messages and formats are used only where Node.FeatureLevel says so. What each level
// brings is listed at storage.FeatureLevel.

// levelVersion is the version of the entry that raises the level. It is one of the consistency check's kind, because
// programs without feature levels pass over those whose version they don't have.
const levelVersion = 0xF1

const levelBytes = 2 + 8

func encodeLevel(level uint64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{kindAudit, levelVersion}, level)
}

// decodeLevel reports false for any other entry.
func decodeLevel(data []byte) (level uint64, ok bool) {
	if len(data) != levelBytes || data[0] != kindAudit || data[1] != levelVersion {
		return 0, false
	}
	return binary.LittleEndian.Uint64(data[2:]), true
}

func isLevel(e *raftpb.Entry) bool {
	_, ok := decodeLevel(e.GetData())
	return ok && e.GetType() == raftpb.EntryNormal
}

// errTooOld says that this program is too old for its cluster. An upgrade is the only remedy.
var errTooOld = errors.New("upgrade the program; the data is intact")

// FeatureLevel is the feature level of the cluster, as applied by this member. What a level brings may be used as soon as
// it is reached; it is never lowered. It may be called from any goroutine.
func (n *Node) FeatureLevel() uint64 { return n.level.Load() }

// levels is the core's record of the cluster's feature level.
type levels struct {
	saved    uint64    // in the last checkpoint
	proposed time.Time // when this member last proposed to raise the level
}

// levelPause is the pause between two proposals to raise the level.
const levelPause = 2 * time.Second

// programLevel is the feature level that this member serves.
func (c *Config) programLevel() uint64 {
	if c.pinnedLevel != nil {
		return *c.pinnedLevel
	}
	return storage.FeatureLevel
}

// recoverLevel takes the level of the checkpoint, which storage.Open has compared with the program's. It refuses a log
// whose committed entries raise the level above that, before anything of it is applied.
func (c *core) recoverLevel(r *storage.Recovered) error {
	c.level.Store(r.Level)
	c.levels.saved = r.Level
	for _, e := range EntriesToReplay(r) {
		if e.GetIndex() > r.HardState.GetCommit() {
			break
		}
		if !isLevel(e) {
			continue
		}
		level, _ := decodeLevel(e.GetData())
		if err := c.checkLevel(level); err != nil {
			return &EntryError{entryID(e), err}
		}
	}
	return nil
}

func (c *core) checkLevel(level uint64) error {
	if level <= c.programLevel {
		return nil
	}
	return fmt.Errorf("it raises the cluster to feature level %d, and this member's version, %s, serves levels up to %d: %w",
		level, stats.Version, c.programLevel, errTooOld)
}

// raiseLevelIfDue proposes the highest level that all members serve, if this member leads and the level is above the
// cluster's.
func (c *core) raiseLevelIfDue(now time.Time) {
	if !c.leads() || !c.caughtUp || c.level.Load() >= c.programLevel || now.Sub(c.levels.proposed) < levelPause {
		return
	}
	level := c.programLevel
	for _, m := range c.registry.List() {
		if m.ID != c.id {
			level = min(level, c.transport.FeatureLevelOf(m.ID))
		}
	}
	if level <= c.level.Load() {
		return
	}
	c.levels.proposed = now
	if err := c.raw.Propose(encodeLevel(level)); err != nil {
		c.log.Debug("feature level not proposed", zap.Error(err))
	}
}

// applyLevel raises the cluster's level.
func (c *core) applyLevel(index, level uint64) error {
	if err := c.checkLevel(level); err != nil {
		return err
	}
	if level <= c.level.Load() {
		return nil
	}
	c.level.Store(level)
	c.transport.RecheckPeers()
	if index > c.replayed {
		c.log.Info("the cluster's feature level was raised: members of older versions can't take part any more", zap.Uint64("level", level))
	}
	return nil
}

// levelUnsaved reports whether the next checkpoint must not wait for more changes: once state.db says the level, an
// older program refuses it at its start.
func (c *core) levelUnsaved() bool { return c.level.Load() > c.levels.saved }

// ignorable marks the kinds of entries that a program which does not have them passes over. All other unknown kinds stop
// it. Such a kind needs a feature level of 1 or higher: programs at level 0 stop at any unknown kind.
const ignorable = 0x80

func isIgnorable(kind byte) bool { return kind&ignorable != 0 }

// applyUnknown passes over an entry of an unknown kind, or reports why this member can't.
func (c *core) applyUnknown(kind byte) error {
	if isIgnorable(kind) {
		return nil
	}
	return fmt.Errorf("%w: this member's version, %s, is too old for an entry of kind %d, written at feature level %d: %w",
		errEntry, stats.Version, kind, c.level.Load(), errTooOld)
}
