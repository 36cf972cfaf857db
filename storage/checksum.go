package storage

import (
	"encoding/binary"
	"hash/crc32"
)

// The pages of bbolt have no checksums. So a record of state.db is a value followed by a seal
// of four bytes: the CRC-32C of the key's length, the key and the value.

const sealBytes = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(key, value []byte) uint32 {
	var n [4]byte
	binary.LittleEndian.PutUint32(n[:], uint32(len(key)))
	c := crc32.Update(0, castagnoli, n[:])
	c = crc32.Update(c, castagnoli, key)
	return crc32.Update(c, castagnoli, value)
}

// seal appends the seal to a value, possibly in place, and returns the record.
func seal(key, value []byte) []byte {
	return binary.LittleEndian.AppendUint32(value, checksum(key, value))
}

// sealOf returns the checksum at the end of a record.
func sealOf(record []byte) uint32 {
	return binary.LittleEndian.Uint32(record[len(record)-sealBytes:])
}

// unseal returns the value of a record, in the record's memory, and its checksum. It
// reports false when the checksum is not that of the key and the value.
func unseal(key, record []byte) (value []byte, sum uint32, ok bool) {
	n := len(record) - sealBytes
	if n < 0 {
		return nil, 0, false
	}
	sum = sealOf(record)
	value = record[:n:n]
	return value, sum, checksum(key, value) == sum
}

// totals are the number of the records of a bucket and the sum of their checksums. They
// are updated with every change. They show that records vanished or came back, which the
// checksums of the records can't show.
type totals struct {
	records uint64
	sum     uint64
}

func (t *totals) add(sum uint32) {
	t.records++
	t.sum += uint64(sum)
}

func (t *totals) remove(sum uint32) {
	t.records--
	t.sum -= uint64(sum)
}
