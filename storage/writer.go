package storage

import (
	"errors"
	"iter"

	"go.etcd.io/bbolt"

	"pando/tree"
)

// portionBytes is about how much of a checkpoint is written in one transaction, which is
// kept in memory until it ends. What a checkpoint takes is bounded by that, and by the
// largest node.
const portionBytes = 4 << 20

// stateWriter stores one checkpoint, a portion in each transaction. Only the last one makes
// it valid: until then the checkpoint before counts, and what was written behind it is
// unfinished. The format says so, for a reader must know to pass over it.
type stateWriter struct {
	c       *Checkpoint
	removed []string
	changed func() (path string, more bool) // the next path of a node that may differ
	events  []*tree.Event
	begun   bool
	done    bool
	portion int64      // bytes written in this transaction
	totals  treeTotals // with what is unfinished
	arena   arena
	buf     []byte // room for the record at work
	stats   CheckpointStats
}

// newStateWriter gives a writer that must be stopped.
func newStateWriter(c *Checkpoint) (w *stateWriter, stop func()) {
	w = &stateWriter{c: c, removed: c.Delta.Removed, events: c.Delta.Events}
	if c.Delta.All {
		next, stop := iter.Pull(c.Delta.View.Walk())
		w.changed = func() (string, bool) {
			if n, more := next(); more {
				return n.Path(), true
			}
			return "", false
		}
		return w, stop
	}
	left := c.Delta.Changed
	w.changed = func() (path string, more bool) {
		if len(left) == 0 {
			return "", false
		}
		path, left = left[0], left[1:]
		return path, true
	}
	return w, func() {}
}

// step writes the next portion.
func (w *stateWriter) step(tx *bbolt.Tx) error {
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

// resume goes on where the last portion ended. The first one removes what a checkpoint
// that failed has left.
func (w *stateWriter) resume(top *bbolt.Bucket, t *treeBucket) error {
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
	return errors.Join(t.recent.dropUnfinished(), t.history.dropUnfinished())
}

// write reports whether there is more than a portion.
func (w *stateWriter) write(t *treeBucket) (more bool, err error) {
	if w.c.Delta.All {
		more, err = w.nodes(t.nodes)
	} else {
		more, err = w.recent(t)
	}
	if more || err != nil {
		return more, err
	}
	return w.history(t.history)
}

// finish makes the checkpoint valid.
func (w *stateWriter) finish(top *bbolt.Bucket, t *treeBucket) error {
	if err := t.history.removeBefore(historyKey(w.c.Delta.OldestEvent)); err != nil {
		return err
	}
	w.stats.Recent = int64(t.recentBytes)
	w.stats.Stored = int64(t.nodes.totals.records)
	if err := putSealed(t.bucket, treeStateKey, w.c.Delta.View.AppendState(nil)); err != nil {
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

// recent appends the delta to the recent changes.
func (w *stateWriter) recent(t *treeBucket) (more bool, err error) {
	chunks := newChunkWriter(t.recent)
	for ; len(w.removed) > 0; w.removed = w.removed[1:] {
		if err := chunks.add(w.removed[0]+"/", nil); err != nil {
			return false, err
		}
	}
	for !more && err == nil {
		path, ok := w.changed()
		if !ok {
			break
		}
		if path != "/" { // the root is never stored: it always exists
			err = chunks.add(path, w.node(path))
			more = chunks.stored >= portionBytes
		}
	}
	if err := errors.Join(err, chunks.flush()); err != nil {
		return false, err
	}
	t.recentBytes += chunks.bytes
	w.stats.Bytes += chunks.stored
	w.portion += chunks.stored
	return more, nil
}

// node gives the stored form of a node; nothing if it is gone.
func (w *stateWriter) node(path string) []byte {
	w.buf = w.buf[:0]
	if n := w.c.Delta.View.Lookup(path); n != nil {
		w.buf = tree.AppendNode(w.buf, n)
		w.stats.Nodes++
	} else {
		w.stats.Removed++
	}
	yield(w.stats.Nodes + w.stats.Removed)
	return w.buf
}

// nodes puts the nodes into their place.
func (w *stateWriter) nodes(b *recordBucket) (more bool, err error) {
	for w.portion < portionBytes {
		path, ok := w.changed()
		if !ok {
			return false, nil
		}
		if err := w.put(b, []byte(path), w.node(path)); err != nil {
			return false, err
		}
	}
	return true, nil
}

// history appends the events.
func (w *stateWriter) history(b *recordBucket) (more bool, err error) {
	for ; len(w.events) > 0 && w.portion < portionBytes; w.events = w.events[1:] {
		e := w.events[0]
		if e.Index() < w.c.Delta.OldestEvent {
			continue
		}
		w.buf = tree.AppendEvent(w.buf[:0], e)
		if err := w.put(b, historyKey(e.Index()), w.buf); err != nil {
			return false, err
		}
		w.stats.Events++
	}
	return len(w.events) > 0, nil
}

// put stores a record.
func (w *stateWriter) put(b *recordBucket, key, value []byte) error {
	record := append(w.arena.begin(), value...)
	written, err := b.put(key, w.arena.finish(seal(key, record)))
	w.stats.Bytes += int64(written)
	w.portion += int64(written)
	return err
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

func putFormat(b *bbolt.Bucket, format uint64) error {
	return putSealed(b, formatKey, appendWords(nil, format))
}
