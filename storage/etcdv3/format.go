package etcdv3

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The names of the buckets. Etcd makes all of them when it creates a file.
const (
	KeyBucket            = "key"
	LeaseBucket          = "lease"
	AuthBucket           = "auth"
	AuthUsersBucket      = "authUsers"
	AuthRolesBucket      = "authRoles"
	MembersBucket        = "members"
	MembersRemovedBucket = "members_removed"
	ClusterBucket        = "cluster"
	AlarmBucket          = "alarm"
	MetaBucket           = "meta"
)

// Buckets are the names of all buckets of a file.
var Buckets = []string{
	KeyBucket, LeaseBucket, AuthBucket, AuthUsersBucket, AuthRolesBucket, MembersBucket, MembersRemovedBucket, ClusterBucket, AlarmBucket,
	MetaBucket,
}

// The keys of the bucket meta.
const (
	// ConsistentIndexKey has the raft index of the last entry that was applied, in 8 bytes, big-endian. Entries up to it are not applied
	// to the file again.
	ConsistentIndexKey = "consistent_index"
	// TermKey has the raft term of this entry, in 8 bytes, big-endian. Etcd 3.4 has no such key.
	TermKey = "term"
	// ConfStateKey has a raftpb.ConfState in JSON. Etcd 3.4 has no such key.
	ConfStateKey = "confState"
	// StorageVersionKey has the version of the format, as a text: 3.7.0. Etcd before 3.6 has no such key.
	StorageVersionKey = "storageVersion"
	// ScheduledCompactKey has the Revision of the last compaction that was requested: the compact revision.
	ScheduledCompactKey = "scheduledCompactRev"
	// FinishedCompactKey has the Revision of the last compaction after which no older entry is left in the file.
	FinishedCompactKey = "finishedCompactRev"
)

// The keys of the bucket auth.
const (
	AuthEnabledKey  = "authEnabled"  // one byte: 1 if auth is enabled
	AuthRevisionKey = "authRevision" // 8 bytes, big-endian: 1 before the first change of users
)

// ClusterVersionKey is the key in the bucket cluster of the version of the cluster, as a text: 3.7.0.
const ClusterVersionKey = "clusterVersion"

// RemovedMember is the value of a member in the bucket members_removed.
const RemovedMember = "removed"

// Revision is the position of a change: the revision of its transaction, and its number in the transaction, from 0.
type Revision struct{ Main, Sub int64 }

// The sizes of the keys of the bucket key, in bytes, and the bytes with a fixed value in them.
const (
	revisionSize  = 17
	tombstoneSize = 18
	separator     = '_' // between the two numbers
	tombstoneMark = 't' // at the end of the key of a deletion
)

// ErrRevision means that a key of the bucket key does not have the form of a Revision.
var ErrRevision = errors.New("malformed revision")

// AppendRevision appends the key under which a put lies in the bucket key: the two numbers in 8 bytes each, big-endian. The order of
// the keys is that of the revisions.
func AppendRevision(dst []byte, r Revision) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Main))
	dst = append(dst, separator)
	return binary.BigEndian.AppendUint64(dst, uint64(r.Sub))
}

// AppendTombstone appends the key under which the deletion of a key lies in the bucket key.
func AppendTombstone(dst []byte, r Revision) []byte {
	return append(AppendRevision(dst, r), tombstoneMark)
}

// ParseRevision is the reverse of AppendRevision and of AppendTombstone.
func ParseRevision(key []byte) (r Revision, tombstone bool, err error) {
	tombstone = len(key) == tombstoneSize && key[revisionSize] == tombstoneMark
	if (len(key) != revisionSize && !tombstone) || key[8] != separator {
		return Revision{}, false, fmt.Errorf("%w: %q", ErrRevision, key)
	}
	r = Revision{int64(binary.BigEndian.Uint64(key)), int64(binary.BigEndian.Uint64(key[9:]))}
	if r.Main < 0 || r.Sub < 0 {
		return Revision{}, false, fmt.Errorf("%w: %q", ErrRevision, key)
	}
	return r, tombstone, nil
}

// AppendNumber appends a number in 8 bytes, big-endian: the form of numbers in the buckets meta and auth, and of the keys of leases.
func AppendNumber(dst []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(dst, n) }

// ParseNumber is the reverse of AppendNumber.
func ParseNumber(value []byte) (uint64, error) {
	if len(value) != 8 {
		return 0, fmt.Errorf("malformed number: %q", value)
	}
	return binary.BigEndian.Uint64(value), nil
}
