package storage

import (
	"fmt"
	"math"

	"pando/tree"
)

// writeLeases writes and removes the leases that have changed. It must be called in the last transaction, because the earlier ones must
// not change the leases of the previous checkpoint.
func (w *checkpointWriter) writeLeases(t *treeBucket) error {
	view, changed := w.c.Delta.View, w.c.Delta.ChangedLeases
	if len(changed) == 0 && (!w.c.Delta.All || view.LeaseCount() == 0) {
		return nil
	}
	if w.c.Level < tree.KVLevel {
		return fmt.Errorf("storage: leases at feature level %d, but they need level %d", w.c.Level, tree.KVLevel)
	}
	if err := t.makeLeases(); err != nil {
		return err
	}
	if w.c.Delta.All {
		for lease := range view.Leases() {
			if err := w.writeLease(t.leases, lease); err != nil {
				return err
			}
		}
		return nil
	}
	for _, id := range changed {
		lease, exists := view.Lease(id)
		if !exists {
			lease = tree.Lease{ID: id}
		}
		if err := w.writeLease(t.leases, lease); err != nil {
			return err
		}
	}
	return nil
}

// writeLease writes one lease, or removes it if its TTL is zero.
func (w *checkpointWriter) writeLease(b *recordBucket, lease tree.Lease) error {
	w.stats.Leases++
	yield(w.stats.Leases)
	key := w.arena.keep(tree.AppendLeaseKey(w.arena.begin(), lease.ID))
	if lease.TTL == 0 {
		return b.remove(key)
	}
	w.buf = tree.AppendLease(w.buf[:0], lease)
	written, err := b.put(key, w.sealed(key, w.buf))
	w.count(written)
	return err
}

// makeLeases makes the bucket of the leases if it does not exist.
func (t *treeBucket) makeLeases() error {
	if t.leases != nil {
		return nil
	}
	if _, err := t.bucket.CreateBucket(leasesBucket); err != nil {
		return err
	}
	t.leases = openRecords(t.bucket, leasesBucket, totals{})
	return nil
}

// checkLeases refuses leases that no checkpoint can have.
func (d *checkpointData) checkLeases(b *treeBuckets, used bool) error {
	if b.leases != nil && (!used || d.meta.level < tree.KVLevel) {
		return damaged("keys: leases at feature level %d", d.meta.level)
	}
	return nil
}

// loadLeases passes the leases to a loader, and returns the totals of their records.
func (b *treeBuckets) loadLeases(p *boltReader, loader *tree.Loader) (totals, error) {
	if b.leases == nil {
		return totals{}, nil
	}
	t, err := readRecords(p, *b.leases, math.MaxUint64, loader.Lease)
	if err != nil {
		return t, fmt.Errorf("leases: %w", err)
	}
	return t, nil
}
