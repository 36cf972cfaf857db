package storage

import (
	"errors"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"

	"pando/tree"
)

// portionBytes is the approximate size of the part of a checkpoint that one transaction
// writes. bbolt keeps a transaction in memory until it ends, so the memory that a checkpoint
// takes is bounded by this size and by the largest node.
const portionBytes = 4 << 20

// checkpointWriter stores one checkpoint, a portion in each transaction. Only the last
// transaction makes it valid. Until then the checkpoint before it is valid, and the chunks
// and events of the new one are unfinished: the format of the file says so (see
// formats), and readers skip them.
type checkpointWriter struct {
	c           *Checkpoint
	deletedDirs []string                                        // with slashes at their ends
	nextNode    func() (record string, n *tree.Node, more bool) // n is nil for a deleted node or file
	closeNodes  func()                                          // ends nextNode
	events      *historyReader
	begun, done bool
	historyLeft bool       // events that the tree has dropped are left: see pruneHistory
	maxPortion  int64      // bytes to write in one transaction
	portion     int64      // bytes written in this transaction
	totals      treeTotals // with the unfinished records
	arena       arena
	buf         []byte // holds the record that is being encoded
	stats       CheckpointStats
}

func newCheckpointWriter(c *Checkpoint, most int64) *checkpointWriter {
	w := &checkpointWriter{c: c, maxPortion: most, closeNodes: func() {}}
	w.events = readDelta(c.Delta)
	if c.Delta.All {
		w.nextNode, w.closeNodes = iter.Pull2(allRecords(c.Delta.View))
		return w
	}
	w.deletedDirs = deletedDirs(c)
	paths, keys := c.Delta.Changed, keyRecords(c.Delta.ChangedKeys)
	w.nextNode = func() (record string, n *tree.Node, more bool) {
		switch {
		case len(paths) > 0:
			record, paths = paths[0], paths[1:]
			return record, c.Delta.View.Lookup(record), true
		case len(keys) > 0:
			record, keys = keys[0], keys[1:]
			key, _ := cutRecord(record)
			return record, c.Delta.View.V3OnlyKey(key), true
		}
		return "", nil, false
	}
	return w
}

// deletedDirs returns the beginnings of the records below the removed directories.
func deletedDirs(c *Checkpoint) []string {
	dirs := make([]string, 0, 2*len(c.Delta.Removed))
	for _, dir := range c.Delta.Removed {
		dirs = append(dirs, dir+"/")
	}
	if c.Level < tree.KVLevel { // there are no shadowed files
		return dirs
	}
	for _, dir := range c.Delta.Removed {
		dirs = append(dirs, keyRecord(dir)+"/")
	}
	return dirs
}

// close must be called in the end.
func (w *checkpointWriter) close() {
	w.closeNodes()
	w.events.stop()
}

// step writes the next portion.
func (w *checkpointWriter) step(tx *bbolt.Tx) error {
	top := tx.Bucket(metaBucket)
	if top == nil {
		return damaged("bucket %s is missing", metaBucket)
	}
	t, err := openTree(tx)
	if err != nil {
		return err
	}
	if err := w.resume(top, t); err != nil {
		return err
	}
	more, err := w.write(t)
	if err != nil {
		return err
	}
	if more {
		w.totals = t.totals()
		_, unfinished := formats(w.c.Level)
		return putFormat(top, unfinished)
	}
	w.done = true
	return w.finish(top, t)
}

// resume continues after the last portion. Before the first portion it deletes the remains of
// a failed checkpoint.
func (w *checkpointWriter) resume(top *bbolt.Bucket, t *treeBucket) (err error) {
	w.portion, w.arena = 0, arena{}
	if w.begun {
		t.setTotals(w.totals)
		return nil
	}
	w.begun = true
	var format uint64
	value, _, ok := unseal(formatKey, top.Get(formatKey))
	if !ok || !readWords(value, &format) {
		return damaged("the format can't be read")
	}
	if !isUnfinished(format) {
		return nil
	}
	if t.removed != nil {
		err = t.removed.dropUnfinished()
	}
	return errors.Join(err, t.deltas.dropUnfinished(), t.history.dropUnfinished())
}

// write fills one portion, and reports whether there may be more to write.
func (w *checkpointWriter) write(t *treeBucket) (more bool, err error) {
	if w.c.Delta.All {
		more, err = w.nodes(t.nodes)
	} else {
		more, err = w.delta(t)
	}
	if more || err != nil {
		return more, err
	}
	return w.history(t)
}

// finish makes the checkpoint valid.
func (w *checkpointWriter) finish(top *bbolt.Bucket, t *treeBucket) error {
	var err error
	if w.historyLeft, err = t.dropHistory(w.c.Delta.OldestEvent, w.maxPortion); err != nil {
		return err
	}
	if err := w.writeUsers(t); err != nil {
		return err
	}
	if err := w.writeLeases(t); err != nil {
		return err
	}
	w.stats.DeltaBytes = int64(t.deltaBytes)
	w.stats.StoredNodes = int64(t.nodes.totals.records)
	if err := checkRevisions(w.c.Delta.View, w.c.Level); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if err := putSealed(t.bucket, treeStateKey, w.c.Delta.View.AppendState(nil)); err != nil {
		return err
	}
	if err := w.writeMirror(t); err != nil {
		return err
	}
	if err := t.putTotals(); err != nil {
		return err
	}
	valid, _ := formats(w.c.Level)
	if err := putFormat(top, valid); err != nil {
		return err
	}
	return putMeta(top, &meta{position: position{w.c.Applied, w.c.Term}, conf: w.c.ConfState, members: w.c.Members, level: w.c.Level})
}

// delta appends chunks of the delta.
func (w *checkpointWriter) delta(t *treeBucket) (more bool, err error) {
	chunks := newChunkWriter(t.deltas)
	for ; len(w.deletedDirs) > 0; w.deletedDirs = w.deletedDirs[1:] {
		if err := chunks.add(w.deletedDirs[0], nil); err != nil {
			return false, err
		}
	}
	for !more && err == nil {
		record, n, ok := w.nextNode()
		if !ok {
			break
		}
		if record != "/" { // the root always exists and is not stored
			err = chunks.add(record, w.encode(n))
			more = chunks.stored >= w.maxPortion
		}
	}
	if err := errors.Join(err, chunks.flush()); err != nil {
		return false, err
	}
	t.deltaBytes += chunks.bytes
	w.stats.RecordBytes += chunks.stored
	w.portion += chunks.stored
	return more, nil
}

// encode returns the stored form of a node, which is empty for a deleted node. It is valid
// until the next record is encoded.
func (w *checkpointWriter) encode(n *tree.Node) []byte {
	w.buf = w.buf[:0]
	if n != nil {
		w.buf = tree.AppendNode(w.buf, n)
		w.stats.Nodes++
	} else {
		w.stats.Removed++
	}
	yield(w.stats.Nodes + w.stats.Removed)
	return w.buf
}

// nodes stores the nodes and the files of the whole tree.
func (w *checkpointWriter) nodes(b *recordBucket) (more bool, err error) {
	for w.portion < w.maxPortion {
		record, n, ok := w.nextNode()
		if !ok {
			return false, nil
		}
		key := w.arena.keep(append(w.arena.begin(), record...))
		written, err := b.add(key, w.sealed(key, w.encode(n)))
		if err != nil {
			return false, err
		}
		w.count(written)
	}
	return true, nil
}

// writeUsers writes the users and roles that have changed. It must be called in the last
// transaction, because the earlier ones must not change the users of the previous checkpoint.
func (w *checkpointWriter) writeUsers(t *treeBucket) error {
	state, before := w.c.Delta.View.Users(), w.c.Delta.UsersBefore
	if state == before || state.IsZero() {
		return nil
	}
	if w.c.Level < tree.UsersLevel {
		return fmt.Errorf("storage: users at feature level %d, but they need level %d", w.c.Level, tree.UsersLevel)
	}
	if err := t.makeUsers(); err != nil {
		return err
	}
	for key, record := range state.Difference(before) {
		if record == nil {
			if err := t.users.remove(key); err != nil {
				return err
			}
			continue
		}
		written, err := t.users.put(key, seal(key, record))
		if err != nil {
			return err
		}
		w.count(written)
		w.stats.Users++
		yield(w.stats.Users)
	}
	return putSealed(t.bucket, usersKey, state.AppendHead(nil))
}

// writeMirror writes what the tree holds about an etcd that the cluster follows or has followed.
func (w *checkpointWriter) writeMirror(t *treeBucket) error {
	mirror := w.c.Delta.View.AppendMirror(nil)
	if len(mirror) == 0 {
		return nil
	}
	if w.c.Level < tree.MirrorLevel {
		return fmt.Errorf("storage: a mirror at feature level %d, but it needs level %d", w.c.Level, tree.MirrorLevel)
	}
	return putSealed(t.bucket, mirrorKey, mirror)
}

// sealed returns a sealed copy of value, which stays unchanged until the transaction ends.
func (w *checkpointWriter) sealed(key, value []byte) []byte {
	return w.arena.keep(seal(key, append(w.arena.begin(), value...)))
}

func (w *checkpointWriter) count(written int) {
	w.stats.RecordBytes += int64(written)
	w.portion += int64(written)
}

// putMeta stores those values of the meta bucket that change with a checkpoint.
func putMeta(b *bbolt.Bucket, m *meta) error {
	values, err := m.encode()
	if err != nil {
		return err
	}
	for key, value := range values {
		if err := putSealed(b, []byte(key), value); err != nil {
			return err
		}
	}
	return nil
}

func putFormat(b *bbolt.Bucket, format uint64) error {
	return putSealed(b, formatKey, appendWords(nil, format))
}
