package etcdv2

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"pando/storage/etcdv3"
	"pando/tree"
)

// openKeys opens the file of v3, which must hold the state at the index of the snapshot or a later one. It sets hasKeys.
func (r *reader) openKeys(snapshot uint64) error {
	path := filepath.Join(r.source.snapDir, "db")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil // etcd 2 has none
	}
	file, has, err := r.openKeysFile(path)
	if err == nil && file.ConsistentIndex < snapshot && (has || file.ConsistentIndex != 0) {
		// Etcd was stopped after it had received a snapshot, and before it had replaced its file.
		received := filepath.Join(r.source.snapDir, fmt.Sprintf("%016x.snap.db", snapshot))
		err = errors.Join(fmt.Errorf("%w: %s: it has the state at index %d, but the snapshot has that at %d, and %s is missing",
			ErrDamaged, path, file.ConsistentIndex, snapshot, received), file.Close())
		if _, e := os.Stat(received); e == nil {
			file, has, err = r.openKeysFile(received)
		}
	}
	switch {
	case err == nil:
		r.keys, r.hasKeys = file, has
		r.total += file.Size()
		return nil
	case r.options.API == V2:
		r.report.note("the file of v3 can't be read, so it may have keys that are left out: %v", err)
		return nil
	}
	return fmt.Errorf("%w; --from-api %s imports the data of v2 alone", err, V2)
}

func (r *reader) openKeysFile(path string) (file *etcdv3.File, has bool, err error) {
	switch file, err = etcdv3.Open(path); {
	case errors.Is(err, etcdv3.ErrInUse):
		return nil, false, fmt.Errorf("%w: %w", ErrRunning, err)
	case err != nil:
		return nil, false, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if has, err = file.HasData(); err != nil {
		return nil, false, errors.Join(err, file.Close())
	}
	return file, has, nil
}

// keysIndex returns the index of the last entry of the log whose v3 request is not needed: it is in the file, or v3 is left out.
func (r *reader) keysIndex() uint64 {
	switch {
	case r.options.API == V2:
		return math.MaxUint64
	case r.keys == nil:
		return 0
	}
	return r.keys.ConsistentIndex
}

// tree makes the tree of the data that the options ask for.
func (r *reader) tree(s *store) (*tree.Store, error) {
	hasV2, hasV3 := hasV2Data(s), r.hasKeys
	where := r.source.dataDir
	switch r.options.API {
	case V2:
		if hasV3 && !hasV2 {
			return nil, fmt.Errorf("%w: %s has data of etcd v3 alone, and none of v2: without --follow, and without --from-api %s, "+
				"import-etcd brings these along", ErrNotEtcd, where, V2)
		}
		if hasV3 {
			r.report.note("the data of etcd v3 were left out: without --follow, and without --from-api %s, import-etcd brings them along", V2)
		}
		hasV3 = false
	case V3:
		if !hasV3 {
			return nil, fmt.Errorf("%w: %s has no data of etcd v3", ErrNotEtcd, where)
		}
		if hasV2 {
			r.report.note("the data of etcd v2 were left out: --from-api %s brings them along", Both)
		}
		hasV2 = false
	}
	if hasV3 && r.keys == nil {
		return nil, fmt.Errorf("%w: %s: the log has requests of v3, but the file is missing; --from-api %s imports the data of v2 alone",
			ErrDamaged, filepath.Join(r.source.snapDir, "db"), V2)
	}
	var t *tree.Store
	var err error
	switch {
	case !hasV3:
		return r.convert(s, nil)
	case hasV2:
		t, err = r.convert(s, r.keys)
	default:
		t, err = newKeysTree(r.keys, r.options.HistorySize)
	}
	if err != nil {
		return nil, err
	}
	if err := r.addKeys(t); err != nil {
		return nil, err
	}
	return t, nil
}

// hasV2Data reports whether there is a key or a user, or an event of one.
func hasV2Data(s *store) bool {
	if len(s.root.children[keySpace[1:]].children) > 0 || s.root.children[userSpace[1:]] != nil {
		return true
	}
	for e := range s.events.all() {
		if _, ok := inKeySpace(e); ok {
			return true
		}
	}
	return false
}
