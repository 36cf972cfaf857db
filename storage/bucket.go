package storage

import (
	"bytes"
	"fmt"
	"runtime"

	"go.etcd.io/bbolt"
)

// treeBucket is the bucket of a tree within one transaction, with the buckets that
// keep the tree's records.
type treeBucket struct {
	bucket                 *bbolt.Bucket
	nodes, history, recent *recordBucket
	recentBytes            uint64
}

func openTree(tx *bbolt.Tx) (*treeBucket, error) {
	b := tx.Bucket(keysBucket)
	if b == nil {
		return nil, damaged("bucket %s is missing", keysBucket)
	}
	value, _, ok := unseal(totalsKey, b.Get(totalsKey))
	totals, read := decodeTotals(value)
	if !ok || !read {
		return nil, damaged("the totals can't be read")
	}
	if _, err := b.CreateBucketIfNotExists(recentBucket); err != nil { // format 1 has none
		return nil, err
	}
	t := &treeBucket{
		bucket:      b,
		nodes:       openRecords(b, nodesBucket, totals.nodes),
		history:     openRecords(b, historyBucket, totals.history),
		recent:      openRecords(b, recentBucket, totals.recent),
		recentBytes: totals.recentBytes,
	}
	if t.nodes == nil || t.history == nil {
		return nil, damaged("the buckets %s and %s are not both there", nodesBucket, historyBucket)
	}
	return t, nil
}

func (t *treeBucket) totals() treeTotals {
	return treeTotals{t.nodes.totals, t.history.totals, t.recent.totals, t.recentBytes}
}

func (t *treeBucket) setTotals(totals treeTotals) {
	t.nodes.totals, t.history.totals, t.recent.totals = totals.nodes, totals.history, totals.recent
	t.recentBytes = totals.recentBytes
}

// putTotals must follow the last change of a record.
func (t *treeBucket) putTotals() error {
	totals := t.totals()
	return putSealed(t.bucket, totalsKey, totals.encode())
}

// clearRecent deletes the recent changes.
func (t *treeBucket) clearRecent() error {
	if err := t.bucket.DeleteBucket(recentBucket); err != nil {
		return err
	}
	if _, err := t.bucket.CreateBucket(recentBucket); err != nil {
		return err
	}
	t.recent, t.recentBytes = openRecords(t.bucket, recentBucket, totals{}), 0
	return nil
}

// recordBucket keeps the totals of a bucket up with its records.
type recordBucket struct {
	bucket *bbolt.Bucket
	totals totals
}

// fillPercent is how full bbolt leaves the pages that it splits.
const fillPercent = 0.8

// openRecords gives nil when the bucket is not there.
func openRecords(parent *bbolt.Bucket, name []byte, t totals) *recordBucket {
	b := parent.Bucket(name)
	if b == nil {
		return nil
	}
	b.FillPercent = fillPercent
	return &recordBucket{bucket: b, totals: t}
}

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

// remove deletes a record, if it is there.
func (b *recordBucket) remove(key []byte) error {
	old := b.bucket.Get(key)
	if old == nil {
		return nil
	}
	if err := b.forget(key, old); err != nil {
		return err
	}
	return b.bucket.Delete(key)
}

// removePrefix deletes the records whose keys begin with prefix, at most limit of
// them, and gives their number.
func (b *recordBucket) removePrefix(prefix []byte, limit int) (int, error) {
	c := b.bucket.Cursor()
	n := 0
	for k, _ := c.Seek(prefix); n < limit && bytes.HasPrefix(k, prefix); k, _ = c.Seek(prefix) {
		if err := b.remove(k); err != nil {
			return n, err
		}
		n++
		yield(n)
	}
	return n, nil
}

// removeBefore deletes the records whose keys come before a key.
func (b *recordBucket) removeBefore(key []byte) error {
	c := b.bucket.Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k, key) < 0; k, _ = c.First() {
		if err := b.remove(k); err != nil {
			return err
		}
	}
	return nil
}

// dropUnfinished deletes the records that a checkpoint has added which never became
// valid. They come behind all others, and are in no totals. Each search goes on at the last
// one: from the first one, it would pass all the pages that are empty already.
func (b *recordBucket) dropUnfinished() error {
	c := b.bucket.Cursor()
	k, _ := c.First()
	for n := uint64(0); k != nil && n < b.totals.records; n++ {
		k, _ = c.Next()
	}
	for ; k != nil; k, _ = c.Seek(k) {
		if err := b.bucket.Delete(k); err != nil {
			return err
		}
	}
	return nil
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

// yield lets requests go first now and then: what is written to state.db is in no
// hurry.
func yield(n int) {
	if n%64 == 0 {
		runtime.Gosched()
	}
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
