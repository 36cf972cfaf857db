package storage

import (
	"errors"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"

	"pando/tree"
)

// A fold puts what the recent changes say into the nodes, path by path, and then
// forgets them. It takes many transactions, so that none is large, and it may end
// after any of them: until the last one the recent changes are all there, and say
// the same over nodes that hold some of them already.

// foldLimits say when recent changes are folded, and in what portions.
type foldLimits struct {
	least, most int64 // of their bytes
	batch       int   // records in a transaction
}

// usualFolds: below the least a fold would come too often in a small tree, and above
// the most it would need much memory, as would a start.
var usualFolds = foldLimits{least: 4 << 20, most: 64 << 20, batch: 8 << 10}

// foldShare: the bytes of the tree divided by this may be recent. A fold of scattered
// changes writes nearly every page of the nodes: so a change costs about twice this
// many times its size, and a start has this part more to read.
const foldShare = 3

// bound is the most bytes that a tree of so many bytes leaves unfolded.
func (l foldLimits) bound(tree int64) int64 { return min(max(l.least, tree/foldShare), l.most) }

// foldStored: nodes beyond twice those of the tree that may be stored. Deleting a large
// directory is a small change, but a start reads all that is stored.
const foldStored = 10_000

// due reports whether it is time for a fold behind a checkpoint of view.
func (l foldLimits) due(view *tree.View, stats *CheckpointStats) bool {
	return stats.Recent > l.bound(view.Bytes()) || stats.Stored > 2*view.Nodes()+foldStored
}

// Hurry makes folds give way until done is called: the one at work ends with its
// transaction, and none begins. What is left is done behind a later checkpoint. It
// is for those who wait until a checkpoint has ended.
func (d *Disk) Hurry() (done func()) {
	d.hurried.Add(1)
	return func() { d.hurried.Add(-1) }
}

// foldIfDue runs behind a checkpoint, which holds whatever becomes of the fold.
func (d *Disk) foldIfDue(view *tree.View, stats *CheckpointStats) {
	if !d.folds.due(view, stats) {
		return
	}
	start := time.Now()
	f := &fold{batch: d.folds.batch}
	err := d.fold(f, func() bool { return d.hurried.Load() == 0 })
	if errors.Is(err, ErrCorrupt) {
		d.stateFailure = err // so that the log is kept from now on
	}
	if err != nil {
		d.lg.Error("the checkpoint holds, but recent changes could not be folded", zap.Error(err))
	}
	if err == nil && f.done {
		stats.Recent = 0
	}
	stats.Folded = f.folded
	stats.Pages += f.pages
	stats.FoldTime = time.Since(start)
}

// fold folds as long as it may go on.
func (d *Disk) fold(f *fold, goOn func() bool) error {
	for !f.done && goOn() {
		pages, err := d.changeState(f.step)
		if err != nil {
			return err
		}
		f.pages += pages
	}
	return nil
}

// fold is one at work.
type fold struct {
	batch  int
	left   *run // what is to be folded yet; nil before the first transaction
	arena  arena
	folded int
	pages  int64
	done   bool
}

// step is the next transaction.
func (f *fold) step(tx *bbolt.Tx) error {
	t, err := openTree(tx)
	if err != nil {
		return err
	}
	if f.left == nil {
		all, err := t.readRecent()
		if err != nil {
			return err
		}
		f.left = &all
	}
	room := f.batch
	if err := f.remove(t.nodes, &room); err != nil {
		return err
	}
	if err := f.change(t.nodes, &room); err != nil {
		return err
	}
	if room > 0 {
		f.done = true
		if err := t.clearRecent(); err != nil {
			return err
		}
	}
	return t.putTotals()
}

// remove deletes what is below the removed directories, as far as there is room.
func (f *fold) remove(nodes *recordBucket, room *int) error {
	for *room > 0 && len(f.left.removed) > 0 {
		n, err := nodes.removePrefix(f.left.removed[0], *room)
		if err != nil {
			return err
		}
		if *room -= n; *room > 0 {
			f.left.removed = f.left.removed[1:]
		}
	}
	return nil
}

// change writes the changed nodes, as far as there is room.
func (f *fold) change(nodes *recordBucket, room *int) error {
	for *room > 0 && len(f.left.changes) > 0 {
		if err := f.put(nodes, f.left.changes[0]); err != nil {
			return err
		}
		f.left.changes = f.left.changes[1:]
		*room--
		f.folded++
		yield(f.folded)
	}
	return nil
}

func (f *fold) put(nodes *recordBucket, c change) error {
	if len(c.node) == 0 {
		return nodes.remove(c.path)
	}
	node := append(f.arena.begin(), c.node...)
	_, err := nodes.put(c.path, f.arena.finish(seal(c.path, node)))
	return err
}
