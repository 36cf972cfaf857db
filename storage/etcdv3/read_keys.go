package etcdv3

import (
	"context"
	"fmt"

	"pando/tree"
)

// ClashError means that keys can't lie beside the keys of v2 in the tree.
type ClashError struct{ tree.Clashes }

// Error is a method of error.
func (e *ClashError) Error() string {
	return fmt.Sprintf("keys of v2 and of v3 clash: %d changes of v3 keys are at the path of a v2 key, or below one; the first keys are %q",
		e.Changes, e.Keys)
}

// Imported has the numbers of what Import has added.
type Imported struct {
	// Changes is the number of changes in the file, Leases that of the leases.
	Changes, Leases int
	// Detached is the number of keys that were attached to leases that do not exist. Import has detached them.
	Detached int
}

// Import adds the leases and the keys of the file with their history to a tree: see tree.KeyImporter. It calls progress from time to time
// with the bytes that were read since the last call. The errors are ErrDamaged, those of ctx and of progress. After a clash with keys of
// v2 it returns a *ClashError.
//
// The caller may pass the importer to NewApplier, which finds further clashes with it.
func (f *File) Import(ctx context.Context, s *tree.Store, progress func(bytes int64)) (*tree.KeyImporter, Imported, error) {
	var done Imported
	into, err := s.ImportKeys(f.Compacted)
	if err == nil {
		err = f.importLeases(into, &done)
	}
	if err == nil {
		err = f.importKeys(ctx, into, &done, progress)
	}
	if err != nil {
		return nil, done, err
	}
	if c := into.Clashes(); c.Changes > 0 {
		return nil, done, &ClashError{c}
	}
	if done.Detached, err = into.Finish(); err != nil {
		return nil, done, f.damage(err)
	}
	return into, done, nil
}

func (f *File) importLeases(into *tree.KeyImporter, done *Imported) error {
	var lease Lease
	return f.each(LeaseBucket, func(_, value []byte) (err error) {
		lease, err = ParseLease(value)
		return err
	}, func() error {
		done.Leases++
		if err := into.Lease(tree.Lease{ID: lease.ID, TTL: lease.TTL}); err != nil {
			return f.damage(err)
		}
		return nil
	})
}

// reportInterval is the number of changes between two calls of progress.
const reportInterval = 4096

func (f *File) importKeys(ctx context.Context, into *tree.KeyImporter, done *Imported, progress func(bytes int64)) error {
	var fields tree.KeyFields
	size, reported := int64(0), int64(0)
	err := f.each(KeyBucket, func(key, value []byte) (err error) {
		size += int64(len(key) + len(value))
		if fields, err = (tree.KeyFields{}), nil; !f.isRaisedRevision(key, value) {
			fields, err = decodeChange(key, value)
		}
		return err
	}, func() error {
		if fields.ModRevision == 0 {
			return nil
		}
		if done.Changes++; done.Changes%reportInterval == 0 {
			progress(size - reported)
			reported = size
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if err := into.Add(&fields); err != nil {
			return f.damage(err)
		}
		return nil
	})
	progress(max(f.size-reported, 0))
	return err
}

// isRaisedRevision reports whether a record of the bucket key is no change of a key. A restore with the flag --bump-revision adds a record
// without a value at the revision to which it raises the store, and makes this revision the compact revision.
func (f *File) isRaisedRevision(key, value []byte) bool {
	if len(value) > 0 {
		return false
	}
	at, tombstone, err := ParseRevision(key)
	return err == nil && !tombstone && uint64(at.Main) <= f.Compacted
}

// decodeChange decodes a record of the bucket key.
func decodeChange(key, value []byte) (tree.KeyFields, error) {
	at, tombstone, err := ParseRevision(key)
	if err != nil {
		return tree.KeyFields{}, err
	}
	kv, err := ParseKeyValue(value)
	if err != nil {
		return tree.KeyFields{}, err
	}
	f := tree.KeyFields{Key: kv.Key, ModRevision: uint64(at.Main), Sub: uint64(at.Sub), Deleted: tombstone}
	if tombstone {
		return f, nil
	}
	if kv.ModRevision != at.Main || kv.CreateRevision < 0 || kv.Version < 0 {
		return f, fmt.Errorf("key %.64q has the revisions %d and %d, and the version %d", kv.Key, kv.CreateRevision, kv.ModRevision, kv.Version)
	}
	f.Value, f.CreateRevision, f.Version, f.Lease = kv.Value, uint64(kv.CreateRevision), uint64(kv.Version), kv.Lease
	return f, nil
}

// HasData reports whether the v3 API was used: whether the file has a key, a lease, a user, a role or a compaction.
func (f *File) HasData() (has bool, err error) {
	err = f.guard(func() error {
		for _, name := range []string{KeyBucket, LeaseBucket, AuthUsersBucket, AuthRolesBucket} {
			if b := f.tx.Bucket([]byte(name)); b != nil {
				key, _ := b.Cursor().First()
				has = has || key != nil
			}
		}
		has = has || f.Compacted > 1
		return nil
	})
	return has, err
}
