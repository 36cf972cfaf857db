package etcdv3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"go.etcd.io/bbolt"

	"pando/tree"
)

// The largest number of entries, and about that of their bytes, in one transaction of Write: bbolt keeps changed pages in memory until the
// commit.
const (
	batchEntries = 10_000
	batchBytes   = 8 << 20
)

// fillPercent is how full the pages of a bucket are. Almost all entries come in the order of the keys, and nothing is added later.
const fillPercent = 0.95

// entryBytes is an estimate of the bytes of an entry of the bucket key in the file, without its key and value.
const entryBytes = 96

// EstimateSize returns an estimate of the size of the file that Write makes. It is rather too large than too small.
func EstimateSize(log *tree.KeyLog) int64 {
	v := log.View()
	return v.Bytes() + entryBytes*v.CountKeys(tree.KeyRange{}) + v.HistoryBytes()
}

// Write writes a file with the state of a source, and opens it. The file is made at path, and its name is removed before Write returns: the
// disk space is freed when the caller closes the file, or when the process ends. Write does not sync the file. The errors are that of ctx
// and those of the disk.
func Write(ctx context.Context, path string, s *Source) (*os.File, int64, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, 0, err
	}
	size, err := writeFile(ctx, path, s)
	if removed := os.Remove(path); err == nil {
		err = removed
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, size, nil
}

// writeFile writes the state to the empty file at path, and returns its size.
func writeFile(ctx context.Context, path string, s *Source) (size int64, err error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, NoGrowSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	w := &fileWriter{ctx: ctx, db: db}
	for _, sections := range [][]section{dataSections, clusterSections} {
		for i := range sections {
			err = errors.Join(err, w.section(&sections[i], s))
		}
	}
	if err == nil {
		err = db.View(func(tx *bbolt.Tx) error {
			size = tx.Size()
			return nil
		})
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return size, nil
}

// fileWriter writes entries in several transactions.
type fileWriter struct {
	ctx    context.Context
	db     *bbolt.DB
	tx     *bbolt.Tx // nil between two transactions
	bucket *bbolt.Bucket
	count  int // entries of the transaction
	bytes  int
}

// section writes a bucket.
func (w *fileWriter) section(from *section, s *Source) (err error) {
	defer func() {
		if w.tx != nil {
			err = errors.Join(err, w.tx.Rollback())
			w.tx = nil
		}
	}()
	name := []byte(from.bucket)
	if err := w.begin(name); err != nil {
		return err
	}
	if err := from.each(s, func(key, value []byte) error { return w.put(name, key, value) }); err != nil {
		return err
	}
	return w.commit()
}

func (w *fileWriter) put(bucket, key, value []byte) error {
	if w.count >= batchEntries || w.bytes >= batchBytes {
		if err := w.commit(); err != nil {
			return err
		}
		if err := w.begin(bucket); err != nil {
			return err
		}
	}
	w.count++
	w.bytes += len(key) + len(value)
	return w.bucket.Put(append([]byte(nil), key...), append([]byte(nil), value...)) // bbolt keeps both until the commit
}

// begin begins a transaction that writes to a bucket.
func (w *fileWriter) begin(bucket []byte) error {
	if err := context.Cause(w.ctx); err != nil {
		return err
	}
	tx, err := w.db.Begin(true)
	if err != nil {
		return err
	}
	w.tx, w.count, w.bytes = tx, 0, 0
	if w.bucket, err = tx.CreateBucketIfNotExists(bucket); err != nil {
		return err
	}
	w.bucket.FillPercent = fillPercent
	return nil
}

func (w *fileWriter) commit() error {
	err := w.tx.Commit()
	w.tx = nil
	return err
}
