package raft

import (
	"go.etcd.io/raft/v3/raftpb"

	"pando/storage"
	"pando/tree"
)

// Replay applies the recovered entries of a stopped member to its tree. The entries at the end of the log count, too, although
// the member may not have seen that they were committed: they may have been acknowledged. Afterwards r has no entries, and
// Applied, Term and Level are those of the last one. Entries that change no key and no user only move this position, so
// Members and ConfState stay those of the checkpoint.
//
// Replay may run only while no member uses r. The error is an *EntryError for an entry that this program cannot apply; r is
// then incomplete.
func Replay(r *storage.Recovered) error {
	for _, e := range entriesToReplay(r) {
		if err := replayEntry(r, e); err != nil {
			return &EntryError{entryID(e), err}
		}
		r.Applied, r.Term = e.GetIndex(), e.GetTerm()
	}
	r.Entries = nil
	return nil
}

// replayEntry applies one entry to the tree and the feature level of r.
func replayEntry(r *storage.Recovered, e *raftpb.Entry) error {
	data := e.GetData()
	if e.GetType() != raftpb.EntryNormal || len(data) == 0 {
		return nil
	}
	if level, ok := decodeLevel(data); ok {
		if err := checkLevel(level, storage.FeatureLevel); err != nil {
			return err
		}
		if r.Level = max(r.Level, level); r.Level >= tree.KVLevel {
			r.Store.StartRevisions()
		}
		return nil
	}
	if data[0] != kindBatch {
		return checkData(data, r.Level)
	}
	b, err := decodeBatch(data, nil)
	if err == nil {
		err = checkBatchLevel(b.commands, r.Level)
	}
	if err != nil {
		return err
	}
	r.Store.Apply(b.time, b.commands)
	r.Store.Announce() // there are no watchers; this releases the events
	return nil
}
