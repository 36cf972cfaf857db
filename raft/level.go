package raft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"pando/members"
	"pando/stats"
	"pando/storage"
	"pando/tree"
)

// A cluster is upgraded one member at a time, so members of two versions share a log for a while. Meanwhile nothing may be
// written that the older version can't read. The feature level, a number that each cluster has, ensures that.
//
//   - Each member announces, on every peer stream, the highest level that its program serves. Programs that announce
//     none are at level 0.
//   - The leader raises the cluster's level by a log entry as soon as all members, learners too, have a stream to it
//     on which they announce a higher one. The level never falls.
//   - The level is part of the replicated state: an entry raises it on all members at the same place of the log, and
//     checkpoints and snapshots hold it.
//   - A member below the cluster's level takes no part any more: the others refuse its streams, and its program refuses
//     the checkpoint. A program that has levels, but not this one, stops at the entry that raises the level. A program
//     without levels passes over it.
//
// New commands, kinds of entries, messages and formats may be used only at the level that introduces them; see
// Node.FeatureLevel. The comment of storage.FeatureLevel lists the changes of each level.

// levelVersion is the version of the entry that raises the level. The entry has the kind of an audit, because programs
// without feature levels ignore audit entries of a version that they do not know.
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

// errTooOld means that this program is too old for its cluster. An upgrade is the only remedy.
var errTooOld = errors.New("upgrade the program; the data is intact")

// FeatureLevel returns the feature level of the cluster, as applied by this member. It never falls. The features of a level
// may be used as soon as FeatureLevel has reached it. FeatureLevel may be called from any goroutine.
func (n *Node) FeatureLevel() uint64 { return n.state.level.Load() }

// levelManager raises the cluster's feature level, and applies it.
//
// Only the goroutine that has the turn may use it.
type levelManager struct {
	state        *logState
	raft         dataProposer
	tree         *tree.Store
	registry     *members.Registry
	log          *zap.Logger
	programLevel uint64                  // the highest level that this program serves
	levelOf      func(members.ID) uint64 // as the member has announced it
	caughtUp     func() bool
	raised       func() // runs when the cluster's level was raised
	inTicks      func(n int) time.Time

	saved uint64    // the level in the last checkpoint
	next  *deadline // of proposing to raise the level
}

func newLevelManager(c *core, d *deadlines) *levelManager {
	l := &levelManager{
		state: c.state, raft: c.raw, tree: c.tree, registry: c.registry, log: c.log, programLevel: c.programLevel,
		levelOf:  c.transport.FeatureLevelOf,
		caughtUp: func() bool { return c.startup.caughtUp },
		raised:   c.transport.RecheckPeers,
		inTicks:  d.inTicks,
		saved:    c.cfg.Recovered.Level,
	}
	l.next = d.add(func(time.Time) { l.raiseIfDue() })
	l.next.set(d.inTicks(1))
	return l
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

// checkRecoveredLevel refuses a log whose committed entries raise the level above the program's, before any of them is applied.
// storage.Open has compared the level of the checkpoint.
func checkRecoveredLevel(r *storage.Recovered, programLevel uint64) error {
	for _, e := range entriesToReplay(r) {
		if e.GetIndex() > r.HardState.GetCommit() {
			break
		}
		if !isLevel(e) {
			continue
		}
		level, _ := decodeLevel(e.GetData())
		if err := checkLevel(level, programLevel); err != nil {
			return &EntryError{entryID(e), err}
		}
	}
	return nil
}

// checkLevel refuses a level above the program's.
func checkLevel(level, programLevel uint64) error {
	if level <= programLevel {
		return nil
	}
	return fmt.Errorf("it raises the cluster to feature level %d, and this member's version, %s, serves levels up to %d: %w",
		level, stats.Version, programLevel, errTooOld)
}

// raiseIfDue proposes the highest level that all members serve, if this member leads and that level is above the
// cluster's.
func (l *levelManager) raiseIfDue() {
	l.next.set(l.inTicks(1))
	if !l.state.leads() || !l.caughtUp() || l.state.level.Load() >= l.programLevel {
		return
	}
	level := l.programLevel
	for _, m := range l.registry.List() {
		if m.ID != l.state.id {
			level = min(level, l.levelOf(m.ID))
		}
	}
	if level <= l.state.level.Load() {
		return
	}
	l.next.set(time.Now().Add(levelPause))
	if err := l.raft.Propose(encodeLevel(level)); err != nil {
		l.log.Debug("feature level not proposed", zap.Error(err))
	}
}

// apply raises the cluster's level.
func (l *levelManager) apply(index, level uint64) error {
	if err := checkLevel(level, l.programLevel); err != nil {
		return err
	}
	if level <= l.state.level.Load() {
		return nil
	}
	l.state.level.Store(level)
	if level >= tree.KVLevel {
		l.tree.StartRevisions()
	}
	l.raised()
	if index > l.state.replayed {
		l.log.Info("the cluster's feature level was raised: members of older versions can't take part any more", zap.Uint64("level", level))
	}
	return nil
}

// unsaved reports whether the last checkpoint has a lower level. The next one must then be written at once: an older program
// refuses only a state.db that names the level.
func (l *levelManager) unsaved() bool { return l.state.level.Load() > l.saved }

// ignorable is the bit of the kinds that a program ignores if it does not know them. Any other unknown kind stops the
// program. An ignorable kind needs a feature level of 1 or higher: programs at level 0 stop at any unknown kind.
const ignorable = 0x80

func isIgnorable(kind byte) bool { return kind&ignorable != 0 }

// applyUnknown ignores an entry of an unknown kind that may be ignored, and otherwise returns why this member must stop.
func (l *levelManager) applyUnknown(kind byte) error {
	if isIgnorable(kind) {
		return nil
	}
	return fmt.Errorf("%w: this member's version, %s, is too old for an entry of kind %d, written at feature level %d: %w",
		errEntry, stats.Version, kind, l.state.level.Load(), errTooOld)
}
