package etcdv2

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
)

// checkContent notes data of v3, which is not brought along. It returns an error if there is no v2 data beside it.
func (r *reader) checkContent(s *store, v3 bool) error {
	where := "the log"
	if !v3 {
		where = filepath.Join(r.source.snapDir, "db")
		has, err := hasV3Keys(where)
		if err != nil {
			r.report.note("it is not known whether etcd has v3 keys: %v", err)
		}
		v3 = has
	}
	if !v3 {
		return nil
	}
	if !hasV2Data(s) {
		return fmt.Errorf("%w: %s has keys of etcd v3 alone (%s), and none of v2: import-etcd brings the data of v2 along",
			ErrNotEtcd, r.source.dataDir, where)
	}
	r.report.note("keys and leases of etcd v3, of which %s has some, were left out: import-etcd brings the data of v2 along", where)
	return nil
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

// dbLockTimeout is how long hasV3Keys waits for the lock of the file, which etcd has while it runs.
const dbLockTimeout = time.Second

// hasV3Keys reports whether etcd's file of v3 has any keys. A file that does not exist has none.
func hasV3Keys(path string) (has bool, err error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	// bbolt follows the pointers of a damaged page to any address.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", path, p)
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: dbLockTimeout})
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte("key")); b != nil {
			k, _ := b.Cursor().First()
			has = k != nil
		}
		return nil
	})
	return has, err
}
