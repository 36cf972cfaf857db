package etcdv2

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// checkTail looks at what follows the last record that can be read of the last file of a log. It reports whether anything but
// zeros follows: the rest of a torn write, which is cut off. It returns an error if that is proved to be no torn write.
func checkTail(path string, end int64) (torn bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	rest, err := io.ReadAll(io.NewSectionReader(f, end, 1<<62))
	if err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	rest = bytes.TrimRight(rest, "\x00")
	if len(rest) == 0 {
		return false, nil
	}
	if at := syncedAfter(rest); at >= 0 {
		return false, fmt.Errorf("%w: %s, offset %d: a record can't be read, but intact ones follow at offset %d, which were written after "+
			"it was on the disk", ErrDamaged, path, end, end+int64(at))
	}
	return true, nil
}

// syncedAfter searches the bytes after an unreadable record for an entry, a hard state and another entry, in this order. It returns where
// they begin, or -1.
//
// etcd writes entries first and the hard state after them, and syncs both before it writes the next entries. So everything before
// the hard state was on the disk when the second entry was written.
func syncedAfter(rest []byte) int {
	budget := maxChecked * len(rest)
	for at := 0; at < len(rest) && budget > 0; at++ {
		if followsSync(rest[at:], &budget) {
			return at
		}
	}
	return -1
}

// maxChecked bounds how often syncedAfter computes the checksum of the same bytes, so that a forged log can't take hours.
const maxChecked = 16

// followsSync reports whether a chain of intact records begins with the bytes and holds an entry, a hard state and another entry. It
// subtracts the bytes whose checksum it has computed from budget.
func followsSync(rest []byte, budget *int) bool {
	rec, checksum, rest := looseRecord(rest)
	entry, state := rec.kind == entryRecord, false
	for rec.kind != 0 {
		before := checksum
		*budget -= len(rec.data)
		if rec, checksum, rest = looseRecord(rest); rec.kind == 0 || crc32.Update(before, castagnoli, rec.data) != checksum {
			return false
		}
		switch {
		case rec.kind == checksumRecord:
			return false
		case rec.kind == entryRecord && state:
			return true
		case rec.kind == entryRecord:
			entry = true
		case rec.kind == stateRecord:
			state = entry
		}
	}
	return false
}

// looseRecord decodes a record at the beginning of the bytes, and returns its checksum and the bytes after it. If there is none, the
// kind of the record is 0.
func looseRecord(b []byte) (rec record, checksum uint32, rest []byte) {
	if len(b) < frameHeadBytes {
		return record{}, 0, nil
	}
	length, padding := frameSize(binary.LittleEndian.Uint64(b))
	if length == 0 || length+padding > int64(len(b)-frameHeadBytes) {
		return record{}, 0, nil
	}
	body := b[frameHeadBytes:]
	rec, stored, err := decodeRecord(body[:length])
	if err != nil {
		return record{}, 0, nil
	}
	return rec, stored, body[length+padding:]
}
