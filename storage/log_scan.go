package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/storage/wal"
)

// scan reads the log from a checkpoint on and changes nothing. It checks the frames and the
// checksums, and passes the records to replay. After the last record of the last segment it
// decides whether a torn write follows.
type scan struct {
	replay
	identity  *Identity   // from the metadata
	format    uint64      // of the log
	size      int64       // bytes from the record of the checkpoint to the end
	end       place       // where the records end
	torn      bool        // a torn write lies there
	stopAt    place       // where to stop reading, unless it is zero
	pendingAt place       // the first entry whose hard state has not been read yet
	note      openingNote // what an interrupted opening of the log has left
	crc       uint32      // of the record before
	crcKnown  bool        // false before the first record
}

// place is an offset in a segment.
type place struct {
	path   string
	offset int64
}

// segmentHead is the number of records at the head of a segment. They are synced before the
// segment gets its name: a checksum, the metadata, and a hard state. The first segment has the
// mark of an empty checkpoint in place of the hard state.
const segmentHead = 3

// scanLog reads and checks the log in dir, from the segment on that holds the entry after
// start. It keeps no entries.
func scanLog(dir string, start position) (*scan, error) {
	return scanWhole(dir, replay{start: start})
}

// scanEntries is scanLog for a log to which a member may be writing. It keeps the entries
// after start.
func scanEntries(dir string, start position) (*scan, error) {
	return scanWhole(dir, replay{start: start, keep: true})
}

// scanWhole reads a log. Entries at its end whose hard state is missing belong to a torn
// write. They may have replaced other entries, so the log is read again without them.
func scanWhole(dir string, begin replay) (*scan, error) {
	s := &scan{replay: begin}
	err := s.log(dir)
	if err == nil && s.needsHardState() {
		s = &scan{replay: begin, stopAt: s.pendingAt}
		err = s.log(dir)
	}
	if err != nil {
		return s, err
	}
	if s.identity == nil {
		return s, damageAt(dir, damaged("the log has no metadata"))
	}
	if err := s.finish(); err != nil {
		return s, damageAt(dir, err)
	}
	return s, nil
}

// damageAt adds the place of the damage and an advice to an error.
func damageAt(where string, err error) error {
	if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrForeign) {
		err = fmt.Errorf("%w: %s", err, restoreAdvice)
	}
	return fmt.Errorf("storage: %s: %w", where, err)
}

func (s *scan) log(dir string) error {
	list, err := segments(dir)
	if err != nil {
		return err
	}
	if s.note, err = readOpeningNote(dir); err != nil {
		return err
	}
	first := -1
	for i, seg := range list {
		if seg.index <= s.start.index {
			first = i
		}
	}
	if first < 0 {
		return damageAt(dir, damaged("no segment of the log reaches back to entry %d, the first one after the checkpoint", s.start.index+1))
	}
	list = list[first:]
	s.begin(list[0])
	for i, seg := range list {
		if i > 0 && seg.seq != list[i-1].seq+1 {
			return damageAt(seg.path, damaged("the log segment between %s and this one is missing", list[i-1].path))
		}
		if err := s.segment(seg, i == len(list)-1); err != nil {
			return err
		}
	}
	return nil
}

// segmentFile is a segment being read.
type segmentFile struct {
	*io.SectionReader
	io.Closer
}

// open opens a segment. One to which a member may be writing is read into memory, so that
// it does not change between two looks at it.
func (s *scan) open(seg segment) (*segmentFile, error) {
	if s.keep {
		data, err := os.ReadFile(seg.path)
		return &segmentFile{io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))), io.NopCloser(nil)}, err
	}
	f, err := os.Open(seg.path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &segmentFile{io.NewSectionReader(f, 0, info.Size()), f}, nil
}

func (s *scan) segment(seg segment, last bool) error {
	f, err := s.open(seg)
	if err != nil {
		return fmt.Errorf("storage: log: %w", err)
	}
	defer f.Close()
	r := newFrames(f, f.Size())
	if err := s.records(r, seg.path, last); err != nil {
		return damageAt(fmt.Sprintf("%s at byte %d", seg.path, r.at), err)
	}
	s.end = place{seg.path, r.at}
	if !last {
		return nil
	}
	if err := s.checkSize(r, seg); err != nil {
		return damageAt(seg.path, err)
	}
	if s.stopAt == s.end {
		s.torn = true
		return nil
	}
	return s.tail(f, r)
}

// records reads the whole records of a segment. In the last segment they may end before
// the file does.
func (s *scan) records(r *frames, path string, last bool) error {
	for n := 0; s.stopAt != (place{path, r.at}); n++ {
		rec, err := r.next()
		if err == nil && rec.kind != wal.CrcType && !rec.chained(s.crc) {
			err = errNotWhole
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errNotWhole):
			if n < segmentHead {
				return damaged("the head of the segment is not whole")
			}
			if last || errors.Is(err, io.EOF) {
				return nil
			}
			return damaged("a record fails its checksum")
		case err != nil:
			return err
		}
		pending := s.needsHardState()
		if err := s.recordOf(n, rec); err != nil {
			return err
		}
		if s.needsHardState() && !pending {
			s.pendingAt = place{path, r.at}
		}
		if s.marked {
			s.size += r.step
		}
		r.accept()
	}
	return nil
}

// recordOf takes record n of a segment.
func (s *scan) recordOf(n int, rec record) error {
	if (n == 0) != (rec.kind == wal.CrcType) || (n == 1) != (rec.kind == wal.MetadataType) {
		return damaged("a segment does not begin with its checksum and its metadata")
	}
	if n == 0 && s.needsHardState() {
		return damaged("the hard state of entry %d is missing", s.last())
	}
	defer func() { s.crc = rec.crc }()
	switch rec.kind {
	case wal.CrcType:
		if s.crcKnown && rec.crc != s.crc {
			return damaged("the segment does not follow from the one before")
		}
		s.crcKnown = true
		return nil
	case wal.MetadataType:
		return s.metadata(rec)
	}
	return s.record(rec)
}

func (s *scan) metadata(rec record) error {
	id, format, err := decodeMetadata(rec.data)
	if err != nil {
		return err
	}
	if s.identity != nil && (*s.identity != id || s.format != format) {
		return damaged("the segment is of another log than the one before")
	}
	s.identity, s.format = &id, format
	return nil
}

// checkSize refuses a last segment that is shorter than a whole one: the missing end may have
// held acknowledged writes. A segment may be shorter in two cases: a version that wrote
// format 1 of the log has repaired it, or the opening of the log was interrupted.
func (s *scan) checkSize(r *frames, seg segment) error {
	if r.size >= wal.SegmentSizeBytes || s.format < fullSegments {
		return nil
	}
	if n := s.note; n.segment == filepath.Base(seg.path) && r.size >= n.offset && r.at >= n.offset {
		return nil
	}
	return damaged("the last segment of the log has %d bytes instead of %d: its end is missing", r.size, wal.SegmentSizeBytes)
}

// tail decides what lies after the last whole record of the last segment: unused space, a
// torn write, or damage.
func (s *scan) tail(f io.ReaderAt, r *frames) error {
	used, err := usedUntil(f, r.at, r.size)
	if err != nil {
		return fmt.Errorf("storage: %s: %w", s.end.path, err)
	}
	if left := r.size - r.at; used == r.at && (left == 0 || left >= frameHeadBytes) {
		return nil
	}
	rest := make([]byte, used-r.at)
	if _, err := f.ReadAt(rest, r.at); err != nil {
		return fmt.Errorf("storage: %s: %w", s.end.path, err)
	}
	t := &tornWrite{
		rest: rest, end: len(rest), fileEnd: r.size - r.at, offset: r.at,
		inSync: true, crcKnown: true, crc: s.crc, log: s.replay,
	}
	if err := t.check(); err != nil {
		return damageAt(fmt.Sprintf("%s at byte %d", s.end.path, r.at), err)
	}
	s.torn = true
	return nil
}

// usedUntil returns the offset at which the zeros at the end of a file begin, or offset if
// they begin before it.
func usedUntil(f io.ReaderAt, offset, size int64) (int64, error) {
	used := offset
	block := make([]byte, 256<<10)
	for at := offset; at < size; at += int64(len(block)) {
		b := block[:min(int64(len(block)), size-at)]
		if _, err := f.ReadAt(b, at); err != nil {
			return 0, err
		}
		if allZero(b) {
			continue
		}
		used = at + int64(len(b))
		for b[used-at-1] == 0 {
			used--
		}
	}
	return used, nil
}
