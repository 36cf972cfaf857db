package storage

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"pando/tree"
)

// Compaction writes a new state.db of the tree in memory, in which every node is stored
// once and no deltas are left, and renames it over the old one. The two files hold the
// same tree, so compaction may end at any moment, by a crash, an error or a deferral: the old
// file stays valid until the rename, and the next compaction starts anew. Only the
// history is copied from the old file, because its events may have left the memory.

// compactionLimits bound the bytes of the deltas. At a start they are in memory beside the
// tree.
type compactionLimits struct {
	minBytes int64 // below this a small tree would be compacted too often
	maxBytes int64
}

var defaultCompaction = compactionLimits{minBytes: 4 << 20, maxBytes: 128 << 20}

// deltaShare limits the deltas to the size of the tree divided by it. A larger share of the tree
// makes compactions rarer, and a start longer. Compaction writes the whole tree and the history, so a changed
// byte is written about 1 + deltaShare times.
const deltaShare = 2

// bound is the largest size of the deltas of a tree and a history of so many bytes.
func (l compactionLimits) bound(tree int64) int64 {
	return min(max(l.minBytes, tree/deltaShare), l.maxBytes)
}

// deletedNodes is the number of nodes that may be stored beyond twice the number of nodes in
// the tree. Deleting a large directory makes a small delta, but a start reads all stored
// nodes.
const deletedNodes = 10_000

// due reports whether state.db must be compacted after a checkpoint of view.
func (l compactionLimits) due(view *tree.View, stats *CheckpointStats) bool {
	return stats.DeltaBytes > l.bound(view.Bytes()+view.HistoryBytes()) ||
		stats.StoredNodes > 2*(view.Nodes()+view.CountPlainKeys())+deletedNodes
}

// DeferCompaction ends a running compaction after its present transaction, and prevents new
// compactions until resume is called. A compaction that becomes due meanwhile follows a later
// checkpoint. Callers that wait for a checkpoint, or for the end of the process, use it. It
// may be called from any goroutine. Several deferrals may overlap.
func (d *Disk) DeferCompaction() (resume func()) {
	d.deferrals.Add(1)
	return func() { d.deferrals.Add(-1) }
}

// compactIfDue compacts state.db after a checkpoint if that is due or asked for, and not deferred. The
// checkpoint stays valid, so an error is logged and noted in stats. Callers must hold
// checkpointing.
func (d *Disk) compactIfDue(c *Checkpoint, stats *CheckpointStats) {
	if !c.Compact && !d.compaction.due(c.Delta.View, stats) || d.deferrals.Load() > 0 {
		return
	}
	start := time.Now()
	err := d.compact(c, stats)
	if err != nil {
		d.doubtAfter(err)
		d.lg.Error("the checkpoint is valid, but state.db could not be compacted; the next checkpoint tries again",
			zap.String("file", d.paths.state), zap.Error(err))
	}
	stats.CompactionTime, stats.CompactionErr = time.Since(start), err
}

// compact writes the new file, unless it is deferred, and updates stats.
func (d *Disk) compact(c *Checkpoint, stats *CheckpointStats) error {
	info, err := os.Stat(d.paths.state)
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	// A full disk would stop the log, too.
	if err := CheckSpace(d.paths.dir, info.Size()); err != nil {
		return fmt.Errorf("storage: compact %s: %w", d.paths.state, err)
	}
	all := *c
	all.Delta = &tree.Delta{View: c.Delta.View, OldestEvent: c.Delta.OldestEvent, All: true}
	w := newCheckpointWriter(&all, d.portionBytes)
	defer w.close()
	w.events.stop()
	w.events = readStoredHistory(d.paths.state)
	replaced, err := d.rewriteState(w, func() bool { return d.deferrals.Load() == 0 })
	stats.PageBytes += w.stats.PageBytes
	if replaced {
		stats.Compacted = true
		stats.DeltaBytes, stats.StoredNodes = w.stats.DeltaBytes, w.stats.StoredNodes
	}
	return err
}

// doubtAfter marks state.db as doubtful after damage and after an error of the disk. After
// such an error the kernel may have dropped pages that it could not write, and readers may
// still see them.
func (d *Disk) doubtAfter(err error) {
	if errors.Is(err, ErrCorrupt) || errors.Is(err, syscall.EIO) {
		d.doubt(err)
	}
}
