package storage

import (
	"encoding/binary"
	"hash/crc32"
)

// bbolt's pages carry no checksums, so every value of state.db ends in four
// bytes of CRC-32C over the key's length, the key and the value.

const sealBytes = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(key, value []byte) uint32 {
	var n [4]byte
	binary.LittleEndian.PutUint32(n[:], uint32(len(key)))
	c := crc32.Update(0, castagnoli, n[:])
	c = crc32.Update(c, castagnoli, key)
	return crc32.Update(c, castagnoli, value)
}

// seal appends the checksum of value, which must be all of record, to it.
func seal(key, record []byte) []byte {
	return binary.LittleEndian.AppendUint32(record, checksum(key, record))
}

// sealOf gives the checksum that ends a sealed record.
func sealOf(record []byte) uint32 {
	return binary.LittleEndian.Uint32(record[len(record)-sealBytes:])
}

// unseal gives the value of a record and its checksum. It reports false when
// the record is not what was sealed under this key.
func unseal(key, record []byte) (value []byte, sum uint32, ok bool) {
	n := len(record) - sealBytes
	if n < 0 {
		return nil, 0, false
	}
	sum = sealOf(record)
	value = record[:n:n]
	return value, sum, checksum(key, value) == sum
}

// totals are the number of a bucket's records and the sum of their checksums,
// whatever their order. They are kept up with every change and show records
// that vanished or came back, which checksums of records cannot.
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
