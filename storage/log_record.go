package storage

import (
	"encoding/binary"
	"hash/crc32"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"google.golang.org/protobuf/encoding/protowire"
)

// The frames of the log. A frame is 8 bytes of length and padding, a record, and
// the padding that brings the next frame to a multiple of 8. A record is a
// walpb.Record: its type, a checksum, data. The checksum covers the data of all
// records so far, but neither types nor lengths; so a damaged type can turn one
// kind of record into another, and a damaged length can look like a torn write.
// That is why the log is checked here before the wal package gets to repair it.

const (
	frameHeadBytes = 8
	// sectorBytes is what a disk writes whole or not at all.
	sectorBytes = 512
)

// frameHead is the length field of a frame.
type frameHead struct {
	record  int64
	padding int64
}

// size is the number of bytes from this frame to the next.
func (h frameHead) size() int64 { return frameHeadBytes + h.record + h.padding }

// parseFrameHead reads a length field that is not zero. It reports false for one
// that no writer makes.
func parseFrameHead(b []byte) (frameHead, bool) {
	field := binary.LittleEndian.Uint64(b)
	h := frameHead{record: int64(field & (1<<56 - 1))}
	if mark := field >> 56; mark != 0 {
		h.padding = int64(mark & 0x7F)
		if mark&0x80 == 0 || h.padding == 0 || h.padding > 7 {
			return h, false
		}
	}
	return h, h.record > 0 && (h.record+h.padding)%8 == 0
}

// record is one record of the log. The data belongs to the buffer it was read
// from.
type record struct {
	kind int64
	crc  uint32
	data []byte
}

// parseRecord reads a record and refuses what no writer makes.
func parseRecord(b []byte) (record, bool) {
	m, ok := parseMessage(b, 3)
	r := record{kind: int64(m.numbers[1]), crc: uint32(m.numbers[2]), data: m.bytes}
	return r, ok && m.numbers[2] <= 1<<32-1 && r.kind >= wal.MetadataType && r.kind <= wal.SnapshotType
}

// chained reports whether the record's checksum follows from the one before.
func (r record) chained(before uint32) bool {
	return crc32.Update(before, castagnoli, r.data) == r.crc
}

// recordBytes gives the length that a record claims for itself, judged by its
// first bytes; false if there are too few of them to tell.
func recordBytes(head []byte) (int64, bool) {
	at := 0
	for {
		number, kind, n := protowire.ConsumeTag(head[at:])
		if n < 0 {
			return 0, false
		}
		at += n
		size, n := protowire.ConsumeVarint(head[at:])
		if n < 0 {
			return 0, false
		}
		at += n
		if kind == protowire.BytesType && number == 3 {
			return int64(at) + int64(size), size < 1<<56
		}
		if kind != protowire.VarintType || number > 2 {
			return 0, false
		}
	}
}

// message is a protobuf message whose fields are numbers, but for one, and appear
// at most once: a record, an entry, a hard state, a snapshot mark.
type message struct {
	numbers [5]uint64
	bytes   []byte
}

// parseMessage reads a message that has bytes in the field bytesField and numbers
// in the fields before it. It is stricter than protobuf, which passes over unknown
// fields, because it must tell kinds of messages apart.
func parseMessage(b []byte, bytesField int) (m message, ok bool) {
	var seen [5]bool
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 || number < 1 || int(number) > bytesField || seen[number] {
			return m, false
		}
		seen[number] = true
		b = b[n:]
		switch {
		case kind == protowire.VarintType && int(number) < bytesField:
			m.numbers[number], n = protowire.ConsumeVarint(b)
		case kind == protowire.BytesType && int(number) == bytesField:
			m.bytes, n = protowire.ConsumeBytes(b)
		default:
			return m, false
		}
		if n < 0 {
			return m, false
		}
		b = b[n:]
	}
	return m, true
}

// parseEntry gives the place of an entry in the log.
func parseEntry(b []byte) (position, bool) {
	m, ok := parseMessage(b, 4)
	return position{index: m.numbers[3], term: m.numbers[2]}, ok && m.numbers[1] <= 2 && m.numbers[2] > 0 && m.numbers[3] > 0
}

// hardState is what raft.HardState holds.
type hardState struct {
	term, vote, commit uint64
}

func parseHardState(b []byte) (hardState, bool) {
	m, ok := parseMessage(b, 4)
	s := hardState{term: m.numbers[1], vote: m.numbers[2], commit: m.numbers[3]}
	return s, ok && m.bytes == nil && s.term > 0
}

// parseMark gives the position at which a checkpoint was taken.
func parseMark(b []byte) (position, bool) {
	m, ok := parseMessage(b, 3)
	return position{index: m.numbers[1], term: m.numbers[2]}, ok
}

// follows reports whether a member may write this hard state after the other one.
func (s hardState) follows(before hardState) bool {
	switch {
	case s.commit < before.commit, s.term < before.term:
		return false
	case s.term == before.term:
		return s.vote == before.vote || before.vote == 0
	}
	return true
}

// commitsOnly reports whether a hard state differs from the one before at most by its
// commit index. Such a hard state is not synced.
func (s hardState) commitsOnly(before hardState) bool {
	return s.term == before.term && s.vote == before.vote
}
