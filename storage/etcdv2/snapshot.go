package etcdv2

import (
	"context"
	"errors"
	"fmt"

	"pando/storage/etcdv3"
)

// readSnapshot reads a file that `etcdctl snapshot save` has written, or a copy of the file of v3 of a data directory. It has data of v3
// alone.
func readSnapshot(ctx context.Context, o Options) (*Imported, error) {
	if o.API == V2 {
		return nil, fmt.Errorf("%w: %s is a file, which can only be a snapshot of the data of v3: without --follow, and without --from-api %s, "+
			"import-etcd reads it; for the data of v2 give the directory that etcd had in --data-dir", ErrNotEtcd, o.DataDir, V2)
	}
	found := new(Imported)
	r := &reader{ctx: ctx, options: o, report: &found.Report}
	file, err := openSnapshot(ctx, o)
	switch {
	case errors.Is(err, etcdv3.ErrNoHash):
		return nil, fmt.Errorf("%w: %w: give the directory that etcd had in --data-dir, or a file of `etcdctl snapshot save`; "+
			"for a copy of its file member/snap/db add --skip-hash-check", ErrNotEtcd, err)
	case err != nil:
		return nil, err
	}
	defer func() { _ = file.Close() }() // an error has no consequence: the file was only read
	r.total = file.Size()
	// All members that are made from the file must have the same position. Etcd 3.4 does not store the term.
	found.Applied, found.Term = max(file.ConsistentIndex, 1), max(file.Term, 1)
	found.Report.ClusterVersion = file.ClusterVersion
	found.Report.V3 = &KeysReport{File: o.DataDir}
	if found.Store, err = newKeysTree(file, o.HistorySize); err != nil {
		return nil, err
	}
	if _, err := importKeys(ctx, file, found.Store, &found.Report, r.progress); err != nil {
		return nil, err
	}
	found.Report.describeUsers(found.Store.View().Users())
	found.finish()
	return found, nil
}

// openSnapshot opens the file, and checks its checksum unless the options exclude that.
func openSnapshot(ctx context.Context, o Options) (*etcdv3.File, error) {
	if o.SkipHashCheck {
		return etcdv3.Open(o.DataDir)
	}
	return etcdv3.OpenSnapshot(o.DataDir, func(int64) error { return ctx.Err() })
}
