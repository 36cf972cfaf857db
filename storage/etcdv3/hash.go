package etcdv3

import (
	"hash/crc32"

	"pando/tree"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// HashKV returns the number that the method HashKV of etcd returns for the same history at a revision, which must not be before the floor
// of the log, nor after its view. It is a checksum of the entries of the bucket key: of the changes after the floor, and of those up to it
// whose keys have not changed until the revision. If no key exists at the revision, all changes up to the floor count. A negative revision
// is before all changes.
func HashKV(log *tree.KeyLog, revision int64) uint32 {
	h := checksum{}
	h.add([]byte(KeyBucket))
	if revision < 0 {
		return h.sum
	}
	living := uint64(revision)
	if !log.HasKeys(living) {
		living = log.Floor()
	}
	for r := range log.Living(living) {
		h.record(&r)
	}
	for r := range log.Changes(log.Floor(), uint64(revision)) {
		h.record(&r)
	}
	return h.sum
}

// Hash returns a checksum of the buckets of a file that are equal on all members with the same state. etcd returns another
// number for the same requests: its checksum covers the members and the position in the log, too.
func Hash(log *tree.KeyLog) uint32 {
	h := checksum{}
	s := &Source{Log: log}
	for i := range dataSections {
		h.add([]byte(dataSections[i].bucket))
		_ = dataSections[i].each(s, func(key, value []byte) error { // no error: put returns none
			h.add(key)
			h.add(value)
			return nil
		})
	}
	return h.sum
}

// checksum is a checksum of entries.
type checksum struct {
	sum        uint32
	key, value []byte
}

func (h *checksum) add(data []byte) { h.sum = crc32.Update(h.sum, castagnoli, data) }

func (h *checksum) record(r *tree.KeyRecord) {
	h.key, h.value = appendRecord(h.key[:0], h.value[:0], r)
	h.add(h.key)
	h.add(h.value)
}

// appendRecord appends the key and the value of an entry of the bucket key.
func appendRecord(key, value []byte, r *tree.KeyRecord) (k, v []byte) {
	at, n := Revision{int64(r.Revision), int64(r.Sub)}, r.Node
	if r.Deleted {
		return AppendTombstone(key, at), AppendKeyValue(value, &KeyValue{Key: n.Path()})
	}
	return AppendRevision(key, at), AppendKeyValue(value, &KeyValue{
		Key: n.Path(), Value: n.Value(), Lease: n.Lease(), Version: int64(n.Version()),
		CreateRevision: int64(n.CreateRevision()), ModRevision: int64(n.ModRevision()),
	})
}
