package storage

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"slices"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"

	"pando/tree"
)

// historyRecord is a record of the history: an event, or a node that was removed with a directory (tree.RemovedNode). Both are stored under
// keys that begin with the index of the event. Neither changes once it is stored, and both are deleted in the order of the keys.
type historyRecord struct {
	removed    bool // the record is a node
	key, value []byte
}

// historyReader returns the records of a history one by one. The nodes that an event has removed come after it.
type historyReader struct {
	// next returns the next record, which is valid until the next call. It returns a record without a key at the end.
	next func() (historyRecord, error)
	stop func() // must be called in the end
}

// readDelta returns the events of a delta, with the removed nodes.
func readDelta(d *tree.Delta) *historyReader {
	var buf, key []byte
	pull, stop := iter.Pull(func(yield func(historyRecord) bool) {
		for e := range d.Events.All() {
			buf = tree.AppendEvent(buf[:0], e)
			if !yield(historyRecord{key: historyKey(e.Index()), value: buf}) {
				return
			}
			for n := range d.View.RemovedNodes(e) {
				key, buf = n.AppendKey(key[:0]), tree.AppendNode(buf[:0], n.Node)
				if !yield(historyRecord{removed: true, key: bytes.Clone(key), value: buf}) {
					return
				}
			}
		}
	})
	next := func() (historyRecord, error) {
		r, _ := pull()
		return r, nil
	}
	return &historyReader{next: next, stop: stop}
}

var errStopped = errors.New("the reader stopped")

// readStoredHistory returns the history of the checkpoint at path: all events, and then all removed nodes.
func readStoredHistory(path string) *historyReader {
	var failed error
	pull, stop := iter.Pull(func(yield func(historyRecord) bool) {
		failed = eachStored(path, func(r historyRecord) error {
			if !yield(r) {
				return errStopped
			}
			return nil
		})
	})
	next := func() (historyRecord, error) {
		if r, more := pull(); more {
			return r, nil
		}
		return historyRecord{}, failed
	}
	return &historyReader{next: next, stop: stop}
}

// eachStored passes the records of the history of the checkpoint at path to take.
func eachStored(path string, take func(historyRecord) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	p, err := openBoltReader(f, info.Size())
	if err != nil {
		return err
	}
	_, keysRef, err := topBuckets(p)
	if err != nil {
		return err
	}
	b, err := readTreeBuckets(p, *keysRef)
	if err != nil {
		return err
	}
	want, ok := decodeTotals(b.values[string(totalsKey)])
	if !ok {
		return damaged("keys: no totals")
	}
	events, err := readRecords(p, *b.history, math.MaxUint64, func(key, value []byte) error {
		return take(historyRecord{key: key, value: value})
	})
	if err != nil {
		return err
	}
	var removed totals
	if b.removed != nil {
		removed, err = readRecords(p, *b.removed, math.MaxUint64, func(key, value []byte) error {
			return take(historyRecord{removed: true, key: key, value: value})
		})
	}
	if err == nil && (events != want.history || removed != want.removed) {
		err = damaged("it holds %d events and %d removed nodes, but %d and %d were stored",
			events.records, removed.records, want.history.records, want.removed.records)
	}
	return err
}

// history appends the records of the history.
func (w *checkpointWriter) history(t *treeBucket) (more bool, err error) {
	oldest := historyKey(w.c.Delta.OldestEvent)
	for w.portion < w.maxPortion {
		r, err := w.events.next()
		if r.key == nil || err != nil {
			return false, err
		}
		if bytes.Compare(r.key, oldest) < 0 {
			continue
		}
		b := t.history
		if r.removed {
			if b, err = w.removedBucket(t); err != nil {
				return false, err
			}
		}
		key := w.arena.keep(append(w.arena.begin(), r.key...))
		written, err := b.put(key, w.sealed(key, r.value))
		if err != nil {
			return false, err
		}
		w.count(written)
		if r.removed {
			w.stats.RemovedNodes++
		} else {
			w.stats.Events++
		}
		yield(w.stats.Events + w.stats.RemovedNodes)
	}
	return true, nil
}

// removedBucket returns the bucket of the removed nodes, and makes it if it does not exist.
func (w *checkpointWriter) removedBucket(t *treeBucket) (*recordBucket, error) {
	if w.c.Level < tree.KVLevel {
		return nil, fmt.Errorf("storage: removed directories at feature level %d, but they need level %d", w.c.Level, tree.KVLevel)
	}
	if t.removed == nil {
		if _, err := t.bucket.CreateBucket(removedBucket); err != nil {
			return nil, err
		}
		t.removed = openRecords(t.bucket, removedBucket, totals{})
	}
	return t.removed, nil
}

// loadHistory passes the removed nodes and then the events to a loader, and sets the totals of the records that it has read. It skips the
// records beyond the numbers of limit.
func (b *treeBuckets) loadHistory(p *boltReader, loader *tree.Loader, limit treeTotals, got *treeTotals) (err error) {
	if b.removed != nil {
		first, err := firstKey(p, *b.history)
		if err != nil {
			return fmt.Errorf("history: %w", err)
		}
		got.removed, err = readRecords(p, *b.removed, limit.removed.records, func(key, value []byte) error {
			if bytes.Compare(key, first) < 0 {
				return nil // the event was dropped
			}
			return loader.RemovedNode(key, value)
		})
		if err != nil {
			return fmt.Errorf("removed directories: %w", err)
		}
	}
	got.history, err = readRecords(p, *b.history, limit.history.records, func(_, value []byte) error { return loader.Event(value) })
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// shareFiles makes the loader share the files of so many events with the tree.
func (b *treeBuckets) shareFiles(p *boltReader, loader *tree.Loader, events uint64) error {
	first, err := firstKey(p, *b.history)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	var index uint64
	if readWords(first, &index) && events <= uint64(p.size)/elementBytes {
		loader.ShareFiles(index, events)
	}
	return nil
}

// firstKey returns the first key of a bucket, or nil if the bucket is empty. The bucket may be read again afterwards.
func firstKey(p *boltReader, ref bucketRef) (first []byte, err error) {
	ahead := *p
	ahead.seen, ahead.levels = slices.Clone(p.seen), nil
	err = ahead.bucket(ref, func(key, _ []byte, _ *bucketRef) error {
		first = bytes.Clone(key)
		return errStopped
	})
	if errors.Is(err, errStopped) {
		err = nil
	}
	return first, err
}

// dropHistory deletes the events before an index and then the nodes that they have removed, until about limit bytes are deleted. It reports
// whether there may be more to delete. Until all is deleted, a loader gets more events than the tree has, which it drops, and skips the
// nodes whose events are deleted already.
func (t *treeBucket) dropHistory(oldest uint64, limit int64) (more bool, err error) {
	deleted, more, err := t.history.removeBefore(historyKey(oldest), limit)
	if more || err != nil || t.removed == nil {
		return more, err
	}
	_, more, err = t.removed.removeBefore(historyKey(oldest), limit-deleted)
	return more, err
}

// pruneHistory deletes, after a checkpoint, what its last transaction has left of the events that the tree has dropped: a transaction keeps
// the pages that it changes in memory, so each deletes a portion. The checkpoint stays valid between them.
func (d *Disk) pruneHistory(w *checkpointWriter) {
	for w.historyLeft && d.deferrals.Load() == 0 {
		pages, err := d.changeState(d.paths.state, func(tx *bbolt.Tx) error {
			t, err := openTree(tx)
			if err != nil {
				return err
			}
			if w.historyLeft, err = t.dropHistory(w.c.Delta.OldestEvent, w.maxPortion); err != nil {
				return err
			}
			return t.putTotals()
		})
		if err != nil {
			d.lg.Error("the checkpoint is valid, but old events could not be deleted from state.db; the next checkpoint tries again",
				zap.String("file", d.paths.state), zap.Error(err))
			return
		}
		w.stats.PageBytes += pages
	}
}
