package v3

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"time"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

// snapshotStatus is what is in a snapshot file of etcd.
type snapshotStatus struct {
	Hash      uint32 `json:"hash"`
	Revision  int64  `json:"revision"`
	TotalKey  int    `json:"totalKey"`
	TotalSize int64  `json:"totalSize"` // in bytes
	Version   string `json:"version"`
}

// errDamaged is the error for a database that is no snapshot of etcd.
var errDamaged = errors.New("the file is no snapshot of etcd, or is damaged")

// Names in a snapshot.
var (
	keyBucket      = []byte("key")
	metaBucket     = []byte("meta")
	storageVersion = []byte("storageVersion")
)

// The form of the names of records: a revision of 8 bytes, a separator, the place of the change in its revision, and a mark for a deletion.
const (
	revisionSize    = 17
	tombstoneLength = revisionSize + 1
)

// readSnapshotStatus reads a snapshot file, or the database of a stopped member.
func readSnapshotStatus(file string) (s snapshotStatus, err error) {
	if _, err := os.Stat(file); err != nil {
		return s, err
	}
	db, err := bbolt.Open(file, 0o400, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return s, err
	}
	defer db.Close()
	hash := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	live := map[string]bool{}
	err = db.View(func(tx *bbolt.Tx) error {
		s.TotalSize = tx.Size()
		if meta := tx.Bucket(metaBucket); meta != nil {
			s.Version = string(meta.Get(storageVersion))
		}
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			hash.Write(name)
			return b.ForEach(func(k, v []byte) error {
				hash.Write(k)
				hash.Write(v)
				if string(name) != string(keyBucket) {
					return nil
				}
				return s.count(live, k, v)
			})
		})
	})
	s.Hash, s.TotalKey = hash.Sum32(), len(live)
	return s, err
}

// count counts a record of the history. live has the keys that exist after it.
func (s *snapshotStatus) count(live map[string]bool, k, v []byte) error {
	if len(k) < revisionSize {
		return fmt.Errorf("%w: a record of the history has the name %x", errDamaged, k)
	}
	s.Revision = int64(binary.BigEndian.Uint64(k))
	var kv mvccpb.KeyValue
	if err := proto.Unmarshal(v, &kv); err != nil {
		return fmt.Errorf("%w: the record %x of the history: %w", errDamaged, k, err)
	}
	if len(k) == tombstoneLength {
		delete(live, string(kv.Key))
	} else {
		live[string(kv.Key)] = true
	}
	return nil
}
