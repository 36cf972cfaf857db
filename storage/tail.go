package storage

import (
	"fmt"
	"io"

	"go.etcd.io/etcd/server/v3/storage/wal"
)

// tail judges the end of the last segment, where r has found no whole record:
// the clean end, a torn tail, or damage. Damage it must be, unless the loss of
// whole sectors explains what is there, since a disk writes a sector whole or not
// at all, and unless all of it can belong to the one write that the crash cut
// short.
func (s *scan) tail(path string, f io.ReaderAt, r *frames) error {
	rest := make([]byte, r.size-r.at)
	if _, err := io.ReadFull(io.NewSectionReader(f, r.at, r.size-r.at), rest); err != nil {
		return fmt.Errorf("storage: %s: %w", path, err)
	}
	end := len(rest)
	for end > 0 && rest[end-1] == 0 {
		end--
	}
	torn := &tornTail{path: path, offset: r.at}
	switch {
	case end == 0 && len(rest) >= frameHeadBytes:
		return nil // the space that was allocated ahead
	case len(rest) < frameHeadBytes:
		torn.frame = true
	case allZero(rest[:frameHeadBytes]):
		if !allZero(rest[:sectorLeft(r.at, len(rest))]) {
			torn = nil
		}
	case !s.tornFrame(rest, r.at):
		torn = nil
	default:
		torn.frame = true
	}
	if torn == nil || laterWrite(rest[:end]) {
		return fmt.Errorf("storage: %s at byte %d: %w: a record fails its checksum: %s", path, r.at, ErrCorrupt, restoreAdvice)
	}
	s.torn = torn
	return nil
}

// sectorLeft is how many of the n bytes at an offset are in the first sector.
func sectorLeft(offset int64, n int) int {
	return min(n, sectorBytes-int(offset%sectorBytes))
}

// tornFrame reports whether the frame at the beginning of rest, whose length
// field is there, has lost whole sectors or the rest of the file.
func (s *scan) tornFrame(rest []byte, offset int64) bool {
	h, ok := parseFrameHead(rest)
	if !ok {
		return false
	}
	// What is in the sector of the length field was written with it.
	near := sectorLeft(offset, len(rest))
	if claimed, ok := recordBytes(rest[frameHeadBytes:near]); ok && claimed != h.record {
		return false
	}
	if h.size() > int64(len(rest)) {
		return true
	}
	body := rest[:frameHeadBytes+h.record]
	for at := near; at < len(body); at += sectorBytes {
		if allZero(body[at:min(at+sectorBytes, len(body))]) {
			return true
		}
	}
	return false
}

// laterWrite reports whether rest holds records that can only have been written
// when those at its beginning were synced. The log syncs after the hard state
// that follows entries, and after the record of a checkpoint; so what comes
// behind either of them belongs to a later write.
func laterWrite(rest []byte) bool {
	for at := 0; at+frameHeadBytes <= len(rest); at += 8 {
		if at > 0 && runHasLaterWrite(rest[at:]) {
			return true
		}
	}
	return false
}

// runHasLaterWrite follows a run of records, each chained to the one before.
func runHasLaterWrite(rest []byte) bool {
	var before *record
	entries, synced := false, false
	for {
		rec, size, ok := frameAt(rest)
		if !ok || before != nil && !rec.chained(before.crc) {
			return false
		}
		if synced {
			return true
		}
		entries = entries || rec.kind == wal.EntryType
		synced = rec.kind == wal.SnapshotType || entries && rec.kind == wal.StateType
		before = &rec
		rest = rest[size:]
	}
}

// frameAt reads the frame at the beginning of b.
func frameAt(b []byte) (rec record, size int64, ok bool) {
	if len(b) < frameHeadBytes || allZero(b[:frameHeadBytes]) {
		return rec, 0, false
	}
	h, ok := parseFrameHead(b)
	if !ok || h.size() > int64(len(b)) {
		return rec, 0, false
	}
	rec, ok = parseRecord(b[frameHeadBytes : frameHeadBytes+h.record])
	return rec, h.size(), ok
}
