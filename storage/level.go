package storage

import (
	"fmt"

	"pando/tree"
)

// FeatureLevel is the highest feature level of a cluster whose data this program reads and writes. The level of a cluster
// begins at 0 and only rises: package raft raises it when all members run a program that has the level. A format that
// older programs can't read is written only in clusters whose level has reached the one that introduces it.
//
//	level  what changes with it
//	0      the formats of the programs that have no feature levels
//	1      state.db names the level, so that a program below it refuses the file; log entries may be marked as ignorable
//	2      users, roles and the auth switch: their commands in the log, and their records in state.db and snapshots;
//	       commands may name the revision of the users for which they were authorized, and may be refused for directories
//	3      clusters that follow a running etcd: their command in the log, and their record in state.db and snapshots
//	4      transactions: their command in the log
//	5      revisions beside the indexes: the numbers of the nodes and events that are written from then on, and the revision
//	       of the tree, in state.db and snapshots
const FeatureLevel = 5

// formats returns the formats of state.db in a cluster at a feature level: that of a whole checkpoint, and that between the
// transactions of one that is being written.
func formats(level uint64) (valid, unfinished uint64) {
	if level == 0 {
		return stateFormat, unfinishedFormat
	}
	return levelFormat, unfinishedLevelFormat
}

func isUnfinished(format uint64) bool {
	return format == unfinishedFormat || format == unfinishedLevelFormat
}

// checkRevisions returns an error unless the tree counts revisions exactly if the feature level of the cluster says so. Otherwise the
// members of the cluster would not have the same tree.
func checkRevisions(v *tree.View, level uint64) error {
	switch started := v.RevisionsStarted(); {
	case started && level < tree.KVLevel:
		return fmt.Errorf("revisions at feature level %d, but they need level %d", level, tree.KVLevel)
	case !started && level >= tree.KVLevel:
		return fmt.Errorf("no revisions at feature level %d, but they begin at level %d", level, tree.KVLevel)
	}
	return nil
}

// checkLevel refuses the data of a cluster whose feature level is above this program's.
func checkLevel(level uint64) error {
	if level <= FeatureLevel {
		return nil
	}
	return fmt.Errorf("%w: the cluster is at feature level %d, this program serves levels up to %d: start the newer Pando that wrote it",
		ErrNewerFormat, level, FeatureLevel)
}
