package storage

import (
	"errors"
	"fmt"
	"math"

	"pando/tree"
)

// ReadSnapshotNodes checks a snapshot file and passes its nodes to take, one after the other, hidden ones included, in the order of their
// paths as byte strings. It reads the file from start to end twice, and needs memory only for the changes since the last full checkpoint.
// It does not check that each node has a directory, as InspectSnapshot does. Files that v2 does not show are left out.
//
// The errors are those of InspectSnapshot, and the error of take, unchanged, which ends the reading.
func ReadSnapshotNodes(path string, take func(tree.NodeFields) error) error {
	f, err := openSnapshot(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var refused error // the error of take
	err = f.readNodes(func(path string, data []byte) error {
		if !isNodeRecord(path) {
			return nil
		}
		fields, err := tree.DecodeFields(path, data)
		if err != nil {
			return err
		}
		refused = take(fields)
		return refused
	})
	switch {
	case refused != nil:
		return refused
	case errors.Is(err, ErrCorrupt):
		return fmt.Errorf("storage: %s: %w: %s", path, err, snapshotAdvice)
	case err != nil:
		return fmt.Errorf("storage: %s: %w", path, err)
	}
	return nil
}

// readNodes passes the stored nodes of the checkpoint in the file to take.
func (f *snapshotFile) readNodes(take func(path string, data []byte) error) error {
	p, err := openBoltReader(f.checkpoint(), f.length)
	if err != nil {
		return err
	}
	metaRef, keysRef, err := topBuckets(p)
	if err != nil {
		return err
	}
	d := &checkpointData{}
	if err := d.readMeta(p, *metaRef); err != nil {
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
	chunks := uint64(math.MaxUint64)
	if d.unfinished {
		chunks = want.deltas.records
	}
	var got treeTotals
	if err := b.loadNodes(p, chunks, &got, take); err != nil {
		return err
	}
	if got.nodes != want.nodes || got.deltas != want.deltas {
		return damaged("it holds %d nodes and %d chunks of deltas, but %d and %d were stored",
			got.nodes.records, got.deltas.records, want.nodes.records, want.deltas.records)
	}
	return nil
}
