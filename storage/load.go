package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"pando/tree"
)

// checkpointData is the content of state.db.
type checkpointData struct {
	meta  meta
	store *tree.Store
	// unfinished says that the last chunks and events may be those of a checkpoint that
	// never became valid.
	unfinished bool
}

// loadState reads and checks the whole checkpoint at path.
func loadState(path string, historySize int) (*checkpointData, error) {
	return loadStateBeside(path, historySize, func(position) {})
}

// loadStateBeside is loadState. It calls begun with the position of the checkpoint before it loads the tree.
func loadStateBeside(path string, historySize int, begun func(position)) (*checkpointData, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	adviseWillNeed(f)
	data, err := readStateBeside(f, info.Size(), historySize, begun)
	switch {
	case errors.Is(err, ErrNewerFormat), errors.Is(err, ErrOlderFormat):
		return nil, fmt.Errorf("storage: %s: %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("storage: %s: %w: %s", path, err, restoreAdvice)
	}
	return data, nil
}

// readState reads and checks a whole checkpoint of size bytes.
func readState(src io.ReaderAt, size int64, historySize int) (*checkpointData, error) {
	return readStateBeside(src, size, historySize, func(position) {})
}

// readStateBeside is readState. It calls begun with the position of the checkpoint before it reads the tree.
func readStateBeside(src io.ReaderAt, size int64, historySize int, begun func(position)) (*checkpointData, error) {
	p, err := openBoltReader(src, size)
	if err != nil {
		return nil, err
	}
	metaRef, keysRef, err := topBuckets(p)
	if err != nil {
		return nil, err
	}
	d := &checkpointData{}
	if err := d.readMeta(p, *metaRef); err != nil {
		return nil, err
	}
	begun(d.meta.position)
	if err := d.readTree(p, *keysRef, historySize); err != nil {
		return nil, err
	}
	return d, p.checkFreelist()
}

// readMetaOnly reads the bucket meta of a checkpoint.
func readMetaOnly(src io.ReaderAt, size int64) (*meta, error) {
	p, err := openBoltReader(src, size)
	if err != nil {
		return nil, err
	}
	metaRef, _, err := topBuckets(p)
	if err != nil {
		return nil, err
	}
	d := &checkpointData{}
	return &d.meta, d.readMeta(p, *metaRef)
}

// topBuckets finds the buckets meta and keys.
func topBuckets(p *boltReader) (metaRef, keysRef *bucketRef, err error) {
	err = p.bucket(bucketRef{root: p.root}, func(key, _ []byte, ref *bucketRef) error {
		switch {
		case ref != nil && bytes.Equal(key, metaBucket):
			metaRef = ref
		case ref != nil && bytes.Equal(key, keysBucket):
			keysRef = ref
		default:
			return damaged("%.80q is unknown", key)
		}
		return nil
	})
	if err == nil && (metaRef == nil || keysRef == nil) {
		err = damaged("the bucket meta or the bucket keys is missing")
	}
	return metaRef, keysRef, err
}

// readMeta reads the bucket meta. It checks the format before it reads the other values.
func (d *checkpointData) readMeta(p *boltReader, ref bucketRef) error {
	values := map[string][]byte{}
	err := p.bucket(ref, func(key, record []byte, ref *bucketRef) error {
		value, _, ok := unseal(key, record)
		if ref != nil || !ok {
			return damaged("meta: %.80q fails its checksum", key)
		}
		values[string(key)] = bytes.Clone(value)
		return nil
	})
	if err != nil {
		return err
	}
	var version uint64
	if !readWords(values[string(formatKey)], &version) {
		return damaged("meta: no format")
	}
	if err := checkFormat(version, unfinishedLevelFormat); err != nil {
		return err
	}
	d.unfinished = isUnfinished(version)
	delete(values, string(formatKey))
	for _, key := range [][]byte{identityKey, positionKey, confKey, membersKey} {
		if _, ok := values[string(key)]; !ok {
			return damaged("meta: no %s", key)
		}
	}
	for key, value := range values {
		if !d.meta.set(key, value) {
			return damaged("meta: %.80q can't be read", key)
		}
	}
	return checkLevel(d.meta.level)
}

// treeBuckets is the content of the bucket of a tree.
type treeBuckets struct {
	values                        map[string][]byte
	nodes, history, deltas, users *bucketRef
	removed, leases               *bucketRef // nil if there is none
}

func readTreeBuckets(p *boltReader, ref bucketRef) (*treeBuckets, error) {
	b := &treeBuckets{values: map[string][]byte{}}
	err := p.bucket(ref, func(key, record []byte, ref *bucketRef) error {
		switch {
		case ref == nil:
			value, _, ok := unseal(key, record)
			if !ok {
				return damaged("keys: %.80q fails its checksum", key)
			}
			b.values[string(key)] = bytes.Clone(value)
		case bytes.Equal(key, nodesBucket):
			b.nodes = ref
		case bytes.Equal(key, historyBucket):
			b.history = ref
		case bytes.Equal(key, deltaBucket):
			b.deltas = ref
		case bytes.Equal(key, usersBucket):
			b.users = ref
		case bytes.Equal(key, removedBucket):
			b.removed = ref
		case bytes.Equal(key, leasesBucket):
			b.leases = ref
		default:
			return damaged("keys: bucket %.80q is unknown", key)
		}
		return nil
	})
	if err == nil && (b.nodes == nil || b.history == nil) {
		err = damaged("keys: the bucket nodes or the bucket history is missing")
	}
	return b, err
}

// readTree loads the tree. Before the first checkpoint it has no state, and then it must have
// no nodes and events.
func (d *checkpointData) readTree(p *boltReader, ref bucketRef, historySize int) error {
	b, err := readTreeBuckets(p, ref)
	if err != nil {
		return err
	}
	want, ok := decodeTotals(b.values[string(totalsKey)])
	if !ok {
		return damaged("keys: no totals")
	}
	loader := tree.NewLoader(historySize)
	state, used := b.values[string(treeStateKey)]
	if used {
		if err := loader.State(state); err != nil {
			return damaged("%v", err)
		}
	}
	if err := d.loadMirror(b, loader, used); err != nil {
		return err
	}
	if err := d.checkUsers(b, used); err != nil {
		return err
	}
	if err := d.checkLeases(b, used); err != nil {
		return err
	}
	unlimited := totals{records: math.MaxUint64}
	limit := treeTotals{deltas: unlimited, history: unlimited, removed: unlimited}
	if d.unfinished {
		limit = want
	}
	got, err := b.load(p, loader, d.meta.level, limit, want)
	if err != nil {
		return err
	}
	if got != want || !used && got != (treeTotals{}) {
		return damaged("it holds %d nodes, %d events, %d chunks of deltas, %d users and roles, %d removed nodes and %d leases, "+
			"but %d, %d, %d, %d, %d and %d were stored",
			got.nodes.records, got.history.records, got.deltas.records, got.users.records, got.removed.records, got.leases.records,
			want.nodes.records, want.history.records, want.deltas.records, want.users.records, want.removed.records, want.leases.records)
	}
	if !used {
		d.store = tree.New(historySize)
		return nil
	}
	if d.store, err = loader.Finish(); err != nil {
		return damaged("%v", err)
	}
	if err := checkRevisions(d.store.View(), d.meta.level); err != nil {
		return damaged("keys: %v", err)
	}
	return nil
}

// loadMirror passes what the checkpoint holds about an etcd that the cluster follows or has followed to a loader.
func (d *checkpointData) loadMirror(b *treeBuckets, loader *tree.Loader, used bool) error {
	mirror, exists := b.values[string(mirrorKey)]
	if !exists {
		return nil
	}
	if !used || d.meta.level < tree.MirrorLevel {
		return damaged("keys: a mirror at feature level %d", d.meta.level)
	}
	if err := loader.Mirror(mirror); err != nil {
		return damaged("%v", err)
	}
	return nil
}

// checkUsers refuses users that no checkpoint can have. Their head and their bucket are written
// together, and only at feature level 2 or higher.
func (d *checkpointData) checkUsers(b *treeBuckets, used bool) error {
	_, head := b.values[string(usersKey)]
	switch {
	case head != (b.users != nil):
		return damaged("keys: %s or the bucket %s is missing", usersKey, usersBucket)
	case head && (!used || d.meta.level < tree.UsersLevel):
		return damaged("keys: users at feature level %d", d.meta.level)
	case b.removed != nil && (!used || d.meta.level < tree.KVLevel):
		return damaged("keys: removed directories at feature level %d", d.meta.level)
	}
	return nil
}

// loadUsers passes the users and roles to a loader, and returns the totals of their records.
func (b *treeBuckets) loadUsers(p *boltReader, loader *tree.Loader) (totals, error) {
	if b.users == nil {
		return totals{}, nil
	}
	if err := loader.Users(b.values[string(usersKey)]); err != nil {
		return totals{}, damaged("%v", err)
	}
	t, err := readRecords(p, *b.users, math.MaxUint64, loader.UserRecord)
	if err != nil {
		return t, fmt.Errorf("users: %w", err)
	}
	return t, nil
}

// load passes the users, the leases, the nodes and keys, with the deltas merged over them, and the events to a loader.
// It skips the chunks and events beyond the numbers of limit, and returns the totals of the
// records that it has read.
func (b *treeBuckets) load(p *boltReader, loader *tree.Loader, level uint64, limit, want treeTotals) (got treeTotals, err error) {
	if got.users, err = b.loadUsers(p, loader); err != nil {
		return got, err
	}
	if got.leases, err = b.loadLeases(p, loader); err != nil {
		return got, err
	}
	if err := b.shareFiles(p, loader, want.history.records); err != nil {
		return got, err
	}
	if err := b.loadNodes(p, limit.deltas.records, &got, recordLoader(loader, level)); err != nil {
		return got, err
	}
	return got, b.loadHistory(p, loader, limit, &got)
}

// loadNodes passes the records of nodes and of files that v2 does not show, with the deltas merged over them, to take, in the order of
// their keys. It skips the chunks of deltas beyond a limit, and sets the totals of the records that it has read.
func (b *treeBuckets) loadNodes(p *boltReader, chunks uint64, got *treeTotals, take func(record string, data []byte) error) (err error) {
	var d deltas
	if b.deltas != nil { // format 1 has none
		got.deltas, err = readRecords(p, *b.deltas, chunks, func(_, chunk []byte) error { return d.add(bytes.Clone(chunk)) })
		if err != nil {
			return fmt.Errorf("deltas: %w", err)
		}
	}
	got.deltaBytes = d.bytes
	m := newMerger(d.merged(), func(c change) error {
		if len(c.node) == 0 {
			return nil
		}
		return take(string(c.path), c.node)
	})
	got.nodes, err = readRecords(p, *b.nodes, math.MaxUint64, func(key, value []byte) error {
		if len(value) == 0 { // would be taken for a tombstone
			return fmt.Errorf("%.80q has no node", key)
		}
		return m.add(change{key, value})
	})
	if err != nil {
		return fmt.Errorf("nodes: %w", err)
	}
	if err := m.finish(); err != nil {
		return damaged("deltas: %v", err)
	}
	return nil
}
