package storage

import (
	"bytes"
	"fmt"
	"runtime"

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
	top, keys := w.tx.Bucket(metaBucket), w.tx.Bucket(keysBucket)
	if top == nil || keys == nil {
		return damaged("a bucket is missing")
	}
	record := keys.Get(totalsKey)
	value, _, ok := unseal(totalsKey, record)
	nodeTotals, historyTotals, read := decodeTotals(value)
	if !ok || !read {
		return damaged("the totals can't be read")
	}
	nodes, err := w.bucket(keys, nodesBucket, nodeTotals)
	if err != nil {
		return err
	}
	history, err := w.bucket(keys, historyBucket, historyTotals)
	if err != nil {
		return err
	}
	if err := w.nodes(nodes, c.Delta); err != nil {
		return err
	}
	if err := w.history(history, c.Delta); err != nil {
		return err
	}
	if err := putSealed(keys, treeStateKey, c.Delta.View.AppendState(nil)); err != nil {
		return err
	}
	if err := putSealed(keys, totalsKey, encodeTotals(nodes.totals, history.totals)); err != nil {
		return err
	}
	return putMeta(top, &meta{position: position{c.Applied, c.Term}, conf: c.ConfState, members: c.Members})
}

// nodes writes the changed paths. The root is never stored: it always exists.
func (w *stateWriter) nodes(b *recordBucket, d *tree.Delta) error {
	var key []byte
	for _, path := range d.Removed {
		key = append(key[:0], path...)
		if err := w.removeTree(b, key); err != nil {
			return err
		}
	}
	for _, path := range d.Changed {
		if path == "/" {
			continue
		}
		key = append(key[:0], path...)
		n := d.View.Lookup(path)
		if n == nil {
			removed, err := b.remove(key)
			if err != nil {
				return err
			}
			w.stats.Removed += removed
			continue
		}
		at := w.arena.begin()
		written, err := b.put(key, w.arena.finish(seal(key, tree.AppendNode(at, n))))
		if err != nil {
			return err
		}
		w.stats.Nodes++
		w.stats.Bytes += int64(written)
		yield(w.stats.Nodes)
	}
	return nil
}

// removeTree deletes the node at path and all below it.
func (w *stateWriter) removeTree(b *recordBucket, path []byte) error {
	removed, err := b.remove(path)
	if err != nil {
		return err
	}
	w.stats.Removed += removed
	below := append(bytes.Clone(path), '/')
	c := b.bucket.Cursor()
	for k, _ := c.Seek(below); bytes.HasPrefix(k, below); k, _ = c.Seek(below) {
		removed, err := b.remove(k)
		if err != nil {
			return err
		}
		w.stats.Removed += removed
		yield(w.stats.Removed)
	}
	return nil
}

func (w *stateWriter) history(b *recordBucket, d *tree.Delta) error {
	oldest := historyKey(d.OldestEvent)
	c := b.bucket.Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k, oldest) < 0; k, _ = c.First() {
		if _, err := b.remove(k); err != nil {
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

// yield lets requests go first now and then: a checkpoint is in no hurry.
func yield(n int) {
	if n%64 == 0 {
		runtime.Gosched()
	}
}

// recordBucket keeps the totals of a bucket up with its records.
type recordBucket struct {
	bucket *bbolt.Bucket
	totals totals
}

func (w *stateWriter) bucket(parent *bbolt.Bucket, name []byte, t totals) (*recordBucket, error) {
	b := parent.Bucket(name)
	if b == nil {
		return nil, damaged("bucket %s is missing", name)
	}
	b.FillPercent = fillPercent
	return &recordBucket{bucket: b, totals: t}, nil
}

// fillPercent is how full bbolt leaves the pages that it splits.
const fillPercent = 0.8

// put stores a sealed record, which must not change until the transaction ends,
// and gives the number of bytes. It does nothing when the record is there
// already.
func (b *recordBucket) put(key, record []byte) (int, error) {
	if old := b.bucket.Get(key); old != nil {
		if bytes.Equal(old, record) {
			return 0, nil
		}
		if err := b.forget(key, old); err != nil {
			return 0, err
		}
	}
	b.totals.add(sealOf(record))
	return len(key) + len(record), b.bucket.Put(key, record)
}

// remove deletes a record and gives the number of records that were there: one
// or none.
func (b *recordBucket) remove(key []byte) (int, error) {
	old := b.bucket.Get(key)
	if old == nil {
		return 0, nil
	}
	if err := b.forget(key, old); err != nil {
		return 0, err
	}
	return 1, b.bucket.Delete(key)
}

// forget takes a stored record out of the totals.
func (b *recordBucket) forget(key, record []byte) error {
	_, sum, ok := unseal(key, record)
	if !ok {
		return fmt.Errorf("%w: %.80q fails its checksum: stop, and %s", ErrCorrupt, key, restoreAdvice)
	}
	b.totals.remove(sum)
	return nil
}

func putSealed(b *bbolt.Bucket, key, value []byte) error {
	return b.Put(key, seal(key, value))
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

// arena gives room for records that must stay until the transaction ends, many
// in one allocation.
type arena struct{ free []byte }

const (
	arenaBytes  = 256 << 10
	arenaRecord = 4 << 10
)

// begin gives an empty slice to append one record to.
func (a *arena) begin() []byte {
	if cap(a.free) < arenaRecord {
		a.free = make([]byte, 0, arenaBytes)
	}
	return a.free[:0]
}

// finish takes the record back and keeps its room.
func (a *arena) finish(record []byte) []byte {
	if len(record) <= cap(a.free) {
		a.free = a.free[len(record):len(record):cap(a.free)]
	}
	return record[:len(record):len(record)]
}
