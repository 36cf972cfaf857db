package storage

import (
	"bytes"
	"fmt"
	"runtime"

	"go.etcd.io/bbolt"
)

// treeBucket is the bucket of a tree within one transaction, with the buckets of the
// tree's records.
type treeBucket struct {
	bucket                 *bbolt.Bucket
	nodes, history, deltas *recordBucket
	users, removed, leases *recordBucket // nil while the bucket does not exist
	deltaBytes             uint64
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
	if _, err := b.CreateBucketIfNotExists(deltaBucket); err != nil { // format 1 has none
		return nil, err
	}
	t := &treeBucket{
		bucket:     b,
		nodes:      openRecords(b, nodesBucket, totals.nodes),
		history:    openRecords(b, historyBucket, totals.history),
		deltas:     openRecords(b, deltaBucket, totals.deltas),
		users:      openRecords(b, usersBucket, totals.users),
		removed:    openRecords(b, removedBucket, totals.removed),
		leases:     openRecords(b, leasesBucket, totals.leases),
		deltaBytes: totals.deltaBytes,
	}
	if t.nodes == nil || t.history == nil {
		return nil, damaged("the bucket %s or the bucket %s is missing", nodesBucket, historyBucket)
	}
	if t.users == nil && totals.users.records > 0 {
		return nil, damaged("the bucket %s is missing", usersBucket)
	}
	if t.removed == nil && totals.removed.records > 0 {
		return nil, damaged("the bucket %s is missing", removedBucket)
	}
	if t.leases == nil && totals.leases.records > 0 {
		return nil, damaged("the bucket %s is missing", leasesBucket)
	}
	return t, nil
}

// makeUsers makes the bucket of the users if it does not exist.
func (t *treeBucket) makeUsers() error {
	if t.users != nil {
		return nil
	}
	if _, err := t.bucket.CreateBucket(usersBucket); err != nil {
		return err
	}
	t.users = openRecords(t.bucket, usersBucket, totals{})
	return nil
}

func (t *treeBucket) totals() treeTotals {
	all := treeTotals{nodes: t.nodes.totals, history: t.history.totals, deltas: t.deltas.totals, deltaBytes: t.deltaBytes}
	if t.users != nil {
		all.users = t.users.totals
	}
	if t.removed != nil {
		all.removed = t.removed.totals
	}
	if t.leases != nil {
		all.leases = t.leases.totals
	}
	return all
}

func (t *treeBucket) setTotals(totals treeTotals) {
	t.nodes.totals, t.history.totals, t.deltas.totals = totals.nodes, totals.history, totals.deltas
	t.deltaBytes = totals.deltaBytes
	if t.removed != nil {
		t.removed.totals = totals.removed
	}
}

// putTotals stores the totals. No record may change after it in the same transaction.
func (t *treeBucket) putTotals() error {
	totals := t.totals()
	return putSealed(t.bucket, totalsKey, totals.encode())
}

// recordBucket is a bucket of sealed records. It keeps the totals of its records.
type recordBucket struct {
	bucket *bbolt.Bucket
	totals totals
}

// fillPercent is how full bbolt leaves a page that it splits. Nearly all records are put
// in ascending order, and none is changed, so pages need no space for later insertions.
const fillPercent = 1.0

// openRecords returns nil when the bucket does not exist.
func openRecords(parent *bbolt.Bucket, name []byte, t totals) *recordBucket {
	b := parent.Bucket(name)
	if b == nil {
		return nil
	}
	b.FillPercent = fillPercent
	return &recordBucket{bucket: b, totals: t}
}

// put stores a sealed record and gives the number of bytes. The record must not be changed
// until the transaction ends. put does nothing when the same record is already stored.
func (b *recordBucket) put(key, record []byte) (int, error) {
	if old := b.bucket.Get(key); old != nil {
		if bytes.Equal(old, record) {
			return 0, nil
		}
		if err := b.subtract(key, old); err != nil {
			return 0, err
		}
	}
	return b.add(key, record)
}

// add is put for a key that is not stored.
func (b *recordBucket) add(key, record []byte) (int, error) {
	b.totals.add(sealOf(record))
	return len(key) + len(record), b.bucket.Put(key, record)
}

// remove deletes the record with a key, if there is one.
func (b *recordBucket) remove(key []byte) error {
	record := b.bucket.Get(key)
	if record == nil {
		return nil
	}
	if err := b.subtract(key, record); err != nil {
		return err
	}
	return b.bucket.Delete(key)
}

// removeBefore deletes the records whose keys are less than key, the least keys first, until their values have so many bytes. It returns
// the bytes of the values that it has deleted, and whether there may be more records to delete.
func (b *recordBucket) removeBefore(key []byte, bytesLimit int64) (deleted int64, more bool, err error) {
	c := b.bucket.Cursor()
	for k, record := c.First(); k != nil && bytes.Compare(k, key) < 0; k, record = c.First() {
		if deleted >= bytesLimit {
			return deleted, true, nil
		}
		deleted += int64(len(record))
		if err := b.subtract(k, record); err != nil {
			return deleted, false, err
		}
		if err := b.bucket.Delete(k); err != nil {
			return deleted, false, err
		}
	}
	return deleted, false, nil
}

// dropUnfinished deletes the records of a checkpoint that never became valid. They come
// after all others and are not in the totals. Each search begins at the last deleted key: a
// search from the first one would pass all pages that are already empty.
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

// subtract takes a stored record, which is to be deleted or replaced, out of the totals.
func (b *recordBucket) subtract(key, record []byte) error {
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

// yield lets other goroutines run after every 64th record, so that requests do not wait for the
// writing of state.db.
func yield(n int) {
	if n%64 == 0 {
		runtime.Gosched()
	}
}

// arena allocates records that must stay unchanged until the transaction ends, many in one
// allocation.
type arena struct{ free []byte }

const (
	arenaBytes  = 256 << 10
	arenaRecord = 4 << 10
)

// begin returns an empty slice to which one record may be appended.
func (a *arena) begin() []byte {
	if cap(a.free) < arenaRecord {
		a.free = make([]byte, 0, arenaBytes)
	}
	return a.free[:0]
}

// keep takes the record that was appended to begin's slice, and reserves its memory.
func (a *arena) keep(record []byte) []byte {
	if len(record) <= cap(a.free) {
		a.free = a.free[len(record):len(record):cap(a.free)]
	}
	return record[:len(record):len(record)]
}
