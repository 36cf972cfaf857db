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

// scan is what reading the log from a checkpoint on, without changing it, has
// found.
type scan struct {
	replay
	head    *Identity
	format  uint64  // of the log
	size    int64   // bytes from the checkpoint's record to the end
	end     place   // where the records end
	torn    bool    // a torn write lies there
	until   place   // where to stop reading, unless it is zero
	aheadAt place   // the first entry whose hard state is still to come
	opening opening // what an interrupted opening of the log has left
	crc     uint32  // of the record before
	chained bool    // crc is known
}

// place is a byte of the log.
type place struct {
	path   string
	offset int64
}

// segmentHead is how many records a segment begins with that were synced before it got
// its name: its checksum, its metadata, and a hard state. In the first one it is the mark
// of an empty checkpoint.
const segmentHead = 3

// scanLog reads the log in dir from the segment on that holds the entry behind
// start, and checks all of it.
func scanLog(dir string, start position) (*scan, error) {
	return scanWhole(dir, replay{start: start})
}

// scanEntries is scanLog for a log that may be written to meanwhile, and keeps the
// entries behind start.
func scanEntries(dir string, start position) (*scan, error) {
	return scanWhole(dir, replay{start: start, keep: true})
}

// scanWhole reads a log. Entries at its end whose hard state is missing belong to a torn
// write. They may have replaced others, so the log is read again without them.
func scanWhole(dir string, begin replay) (*scan, error) {
	s := &scan{replay: begin}
	err := s.log(dir)
	if err == nil && s.ahead {
		s = &scan{replay: begin, until: s.aheadAt}
		err = s.log(dir)
	}
	if err != nil {
		return s, err
	}
	if s.head == nil {
		return s, refuse(dir, damaged("the log has no head"))
	}
	if err := s.finish(); err != nil {
		return s, refuse(dir, err)
	}
	return s, nil
}

// refuse says where the damage is and what to do.
func refuse(where string, err error) error {
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
	if s.opening, err = readOpening(dir); err != nil {
		return err
	}
	first := -1
	for i, seg := range list {
		if seg.index <= s.start.index {
			first = i
		}
	}
	if first < 0 {
		return refuse(dir, damaged("the log has no segment that reaches back to entry %d, where the checkpoint ends", s.start.index+1))
	}
	list = list[first:]
	s.begin(list[0])
	for i, seg := range list {
		if i > 0 && seg.seq != list[i-1].seq+1 {
			return refuse(seg.path, damaged("the log segment between %s and this one is missing", list[i-1].path))
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

// open opens a segment. One that may be written to is read at once, so that what
// looks at it twice sees the same.
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
		return refuse(fmt.Sprintf("%s at byte %d", seg.path, r.at), err)
	}
	s.end = place{seg.path, r.at}
	if !last {
		return nil
	}
	if err := s.checkSize(r, seg); err != nil {
		return refuse(seg.path, err)
	}
	if s.until == s.end {
		s.torn = true
		return nil
	}
	return s.tail(f, r)
}

// records reads the whole records of a segment. In the last one they may end before the
// file does.
func (s *scan) records(r *frames, path string, last bool) error {
	for n := 0; s.until != (place{path, r.at}); n++ {
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
		ahead := s.ahead
		if err := s.record(n, rec); err != nil {
			return err
		}
		if s.ahead && !ahead {
			s.aheadAt = place{path, r.at}
		}
		if s.marked {
			s.size += r.step
		}
		r.accept()
	}
	return nil
}

// record takes record n of a segment.
func (s *scan) record(n int, rec record) error {
	if (n == 0) != (rec.kind == wal.CrcType) || (n == 1) != (rec.kind == wal.MetadataType) {
		return damaged("a segment does not begin as it should")
	}
	if n == 0 && s.ahead {
		return damaged("the hard state of entry %d is missing", s.last())
	}
	defer func() { s.crc = rec.crc }()
	switch rec.kind {
	case wal.CrcType:
		if s.chained && rec.crc != s.crc {
			return damaged("the segment does not follow from the one before")
		}
		s.chained = true
	case wal.MetadataType:
		return s.metadata(rec)
	case wal.EntryType:
		at, ok := parseEntry(rec.data)
		if !ok {
			return damaged("an entry can't be read")
		}
		return s.entry(at, rec.data)
	case wal.StateType:
		state, ok := parseHardState(rec.data)
		if !ok {
			return damaged("a hard state can't be read")
		}
		return s.hardState(state)
	case wal.SnapshotType:
		at, ok := parseMark(rec.data)
		if !ok {
			return damaged("the record of a checkpoint can't be read")
		}
		return s.mark(at)
	}
	return nil
}

func (s *scan) metadata(rec record) error {
	id, format, err := decodeHead(rec.data)
	if err != nil {
		return err
	}
	if s.head != nil && (*s.head != id || s.format != format) {
		return damaged("the segment is of another log than the one before")
	}
	s.head, s.format = &id, format
	return nil
}

// checkSize refuses a last segment that is shorter than it was made: what is missing may
// have been acknowledged. Two things make a segment shorter for a moment, and none of
// its records: a repair by a version that wrote format 1, and opening the log.
func (s *scan) checkSize(r *frames, seg segment) error {
	if r.size >= wal.SegmentSizeBytes || s.format < fullSegments {
		return nil
	}
	if o := s.opening; o.segment == filepath.Base(seg.path) && r.size >= o.offset && r.at >= o.offset {
		return nil
	}
	return damaged("the last segment of the log has %d bytes, but was made with %d: its end is missing", r.size, wal.SegmentSizeBytes)
}

// tail judges what lies behind the last whole record of the last segment: the space that
// was allocated ahead, a torn write, or damage.
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
		rest: rest, end: len(rest), whole: r.size - r.at, offset: r.at,
		inSync: true, crcKnown: true, crc: s.crc, records: newUnsynced(&s.replay),
	}
	if err := t.judge(); err != nil {
		return refuse(fmt.Sprintf("%s at byte %d", s.end.path, r.at), err)
	}
	s.torn = true
	return nil
}

// usedUntil gives where the zeros at the end of a file begin, not before offset.
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
