package storage

import (
	"bytes"

	"go.etcd.io/bbolt"

	"pando/tree"
)

// stateWriter stores one checkpoint within one transaction.
type stateWriter struct {
	tx    *bbolt.Tx
	arena arena
	stats CheckpointStats
}

func (w *stateWriter) write(c *Checkpoint) error {
	top := w.tx.Bucket(metaBucket)
	if top == nil {
		return damaged("bucket %s is missing", metaBucket)
	}
	t, err := openTree(w.tx)
	if err != nil {
		return err
	}
	if err := w.recent(t, c.Delta); err != nil {
		return err
	}
	if err := w.history(t.history, c.Delta); err != nil {
		return err
	}
	if err := putSealed(t.bucket, treeStateKey, c.Delta.View.AppendState(nil)); err != nil {
		return err
	}
	if err := t.putTotals(); err != nil {
		return err
	}
	if err := putFormat(top); err != nil {
		return err
	}
	return putMeta(top, &meta{position: position{c.Applied, c.Term}, conf: c.ConfState, members: c.Members})
}

// recent appends the delta to the recent changes.
func (w *stateWriter) recent(t *treeBucket, d *tree.Delta) error {
	chunks, err := newChunkWriter(t.recent)
	if err != nil {
		return err
	}
	for _, dir := range d.Removed {
		if err := chunks.add(dir+"/", nil); err != nil {
			return err
		}
	}
	if err := w.changed(chunks, d); err != nil {
		return err
	}
	if err := chunks.flush(); err != nil {
		return err
	}
	t.recentBytes += chunks.bytes
	w.stats.Bytes += chunks.stored
	w.stats.Recent = int64(t.recentBytes)
	w.stats.Stored = int64(t.nodes.totals.records)
	return nil
}

// changed adds the changed paths. The root is never stored: it always exists.
func (w *stateWriter) changed(chunks *chunkWriter, d *tree.Delta) error {
	var node []byte
	for i, path := range d.Changed {
		if path == "/" {
			continue
		}
		node = node[:0]
		if n := d.View.Lookup(path); n != nil {
			node = tree.AppendNode(node, n)
			w.stats.Nodes++
		} else {
			w.stats.Removed++
		}
		if err := chunks.add(path, node); err != nil {
			return err
		}
		yield(i)
	}
	return nil
}

func (w *stateWriter) history(b *recordBucket, d *tree.Delta) error {
	oldest := historyKey(d.OldestEvent)
	c := b.bucket.Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k, oldest) < 0; k, _ = c.First() {
		if err := b.remove(k); err != nil {
			return err
		}
	}
	for _, e := range d.Events {
		if e.Index() < d.OldestEvent {
			continue
		}
		key := historyKey(e.Index())
		at := w.arena.begin()
		written, err := b.put(key, w.arena.finish(seal(key, tree.AppendEvent(at, e))))
		if err != nil {
			return err
		}
		w.stats.Events++
		w.stats.Bytes += int64(written)
	}
	return nil
}

// putMeta stores what changes with a checkpoint.
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

func putFormat(b *bbolt.Bucket) error {
	return putSealed(b, formatKey, appendWords(nil, stateFormat))
}
