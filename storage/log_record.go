package storage

import (
	"encoding/binary"
	"hash/crc32"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"google.golang.org/protobuf/encoding/protowire"
)

// The log consists of frames. A frame is a length field of 8 bytes, a record, and padding up
// to a multiple of 8 bytes. A record is a walpb.Record: its type, a checksum, data. The
// checksum covers the data of all records so far, but neither their types nor their lengths.
// So a damaged type can turn a record into one of another kind, and a damaged length can
// look like a torn write. This is why the log is checked here before the wal package opens
// it.

const (
	frameHeadBytes = 8
	// sectorBytes is the size of a sector, which a disk writes whole or not at all.
	sectorBytes = 512
)

// frameHead is a decoded length field.
type frameHead struct {
	record  int64
	padding int64
}

// size is the size of the whole frame.
func (h frameHead) size() int64 { return frameHeadBytes + h.record + h.padding }

// parseFrameHead decodes a length field. It reports false for one that the wal package never
// writes.
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

// record is one record of the log. data refers to the buffer from which it was parsed.
type record struct {
	kind int64
	crc  uint32
	data []byte
}

// parseRecord decodes a record. It reports false for one that the wal package never writes.
func parseRecord(b []byte) (record, bool) {
	m, ok := parseMessage(b, 3)
	r := record{kind: int64(m.numbers[1]), crc: uint32(m.numbers[2]), data: m.bytes}
	return r, ok && m.numbers[2] <= 1<<32-1 && r.kind >= wal.MetadataType && r.kind <= wal.SnapshotType
}

// chained reports whether the checksum of the record follows from that of the record before.
func (r record) chained(before uint32) bool {
	return crc32.Update(before, castagnoli, r.data) == r.crc
}

// recordBytes returns the length of a record that begins with head, as its fields give it. It
// reports false if head is too short or is not the beginning of a record.
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

// message is a protobuf message of numbers and at most one field of bytes, in which each
// field appears at most once: a record, an entry, a hard state, a mark.
type message struct {
	numbers [5]uint64
	bytes   []byte
}

// parseMessage decodes a message that has bytes in the field bytesField and numbers in the
// fields before it. It refuses unknown and repeated fields, which protobuf accepts, because
// it must distinguish the kinds of messages.
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

// parseEntry decodes the index and the term of an entry.
func parseEntry(b []byte) (position, bool) {
	m, ok := parseMessage(b, 4)
	return position{index: m.numbers[3], term: m.numbers[2]}, ok && m.numbers[1] <= 2 && m.numbers[2] > 0 && m.numbers[3] > 0
}

// hardState is a decoded raftpb.HardState.
type hardState struct {
	term, vote, commit uint64
}

func parseHardState(b []byte) (hardState, bool) {
	m, ok := parseMessage(b, 4)
	s := hardState{term: m.numbers[1], vote: m.numbers[2], commit: m.numbers[3]}
	return s, ok && m.bytes == nil && s.term > 0
}

// parseMark decodes a mark: the position of a checkpoint, or of a snapshot from the leader.
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
