package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"go.etcd.io/etcd/server/v3/storage/wal"
)

// scan is what reading the log from a checkpoint on, without changing it, has
// found.
type scan struct {
	start  position
	head   *Identity
	state  hardState
	marked bool // the checkpoint's record is there
	// terms are those of the entries behind the checkpoint.
	terms []uint64
	// entries are those entries as they are stored, if they are kept: for one
	// who reads beside the member that writes.
	entries [][]byte
	keep    bool
	size    int64 // bytes from the checkpoint's record to the end
	torn    *tornTail

	crc     uint32
	chained bool // crc is that of the record before
	term    uint64
}

// tornTail is where the log ends because a crash interrupted a write.
type tornTail struct {
	path   string
	offset int64
	// frame is set when part of a record is at the offset: the file must be cut
	// there. Otherwise only what lies behind the offset was lost or left over.
	frame bool
}

// scanLog reads the log in dir from the segment on that holds the entry behind
// start, and checks all of it.
func scanLog(dir string, start position) (*scan, error) {
	s := &scan{start: start}
	return s, s.log(dir)
}

// scanEntries is scanLog for a log that may be written to meanwhile, and keeps the
// entries behind start.
func scanEntries(dir string, start position) (*scan, error) {
	s := &scan{start: start, keep: true}
	return s, s.log(dir)
}

func (s *scan) log(dir string) error {
	list, err := segments(dir)
	if err != nil {
		return err
	}
	first := -1
	for i, seg := range list {
		if seg.index <= s.start.index {
			first = i
		}
	}
	if first < 0 {
		return fmt.Errorf("storage: %w: the log in %s has no segment that reaches back to entry %d, where the checkpoint ends: %s",
			ErrCorrupt, dir, s.start.index+1, restoreAdvice)
	}
	list = list[first:]
	for i, seg := range list {
		if i > 0 && seg.seq != list[i-1].seq+1 {
			return fmt.Errorf("storage: %w: the log segment between %s and %s is missing: %s",
				ErrCorrupt, list[i-1].path, seg.path, restoreAdvice)
		}
		if err := s.segment(seg, i == len(list)-1); err != nil {
			return err
		}
	}
	return s.finish(dir)
}

// last is the index of the last entry; the checkpoint's when none is behind it.
func (s *scan) last() uint64 { return s.start.index + uint64(len(s.terms)) }

// finish checks what can only be said about the whole.
func (s *scan) finish(dir string) error {
	var what string
	switch end := s.last(); {
	case s.head == nil:
		what = "it has no head"
	case !s.marked:
		what = fmt.Sprintf("the record of the checkpoint at entry %d is missing, so the log is older than state.db", s.start.index)
	case s.state.commit > end:
		what = fmt.Sprintf("it ends with entry %d, but entries up to %d were acknowledged", end, s.state.commit)
	case s.term > s.state.term:
		what = fmt.Sprintf("an entry of term %d is there, but the member was only in term %d", s.term, s.state.term)
	default:
		return nil
	}
	return fmt.Errorf("storage: %w: the log in %s is not whole: %s: %s", ErrCorrupt, dir, what, restoreAdvice)
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
	for n := 0; ; n++ {
		rec, err := r.next()
		if err == nil && rec.kind != wal.CrcType && !rec.chained(s.crc) {
			err = errNotWhole
		}
		switch {
		case err == nil:
			err = s.record(n, rec)
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errNotWhole) && last && n >= 2:
			return s.tail(seg.path, f, r)
		case errors.Is(err, errNotWhole):
			err = damaged("a record fails its checksum")
		}
		if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrForeign) {
			err = fmt.Errorf("%w: %s", err, restoreAdvice)
		}
		if err != nil {
			return fmt.Errorf("storage: %s at byte %d: %w", seg.path, r.at, err)
		}
		if s.marked {
			s.size += r.step
		}
		r.accept()
	}
}

// record takes record n of a segment.
func (s *scan) record(n int, rec record) error {
	if (n == 0) != (rec.kind == wal.CrcType) || (n == 1) != (rec.kind == wal.MetadataType) {
		return damaged("a segment does not begin as it should")
	}
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
		if err := s.entry(at, rec.data); err != nil {
			return err
		}
	case wal.StateType:
		state, ok := parseHardState(rec.data)
		if !ok {
			return damaged("a hard state can't be read")
		}
		s.state = state
	case wal.SnapshotType:
		return s.mark(rec)
	}
	s.crc = rec.crc
	return nil
}

func (s *scan) metadata(rec record) error {
	id, err := decodeHead(rec.data)
	if err != nil {
		return err
	}
	if s.head != nil && *s.head != id {
		return damaged("the segment is of another member than the one before")
	}
	s.head = &id
	s.crc = rec.crc
	return nil
}

// mark takes the record of a checkpoint.
func (s *scan) mark(rec record) error {
	at, ok := parseMark(rec.data)
	if !ok {
		return damaged("the record of a checkpoint can't be read")
	}
	if at.index == s.start.index {
		if at.term != s.start.term {
			return damaged("the checkpoint at entry %d is of term %d here and of term %d in %s",
				at.index, at.term, s.start.term, stateName)
		}
		s.marked = true
		s.size = 0
	}
	s.crc = rec.crc
	return nil
}

// entry takes the entry at a place in the log. Entries follow each other; one
// that was never committed may be replaced by one of a later term.
func (s *scan) entry(at position, data []byte) error {
	s.term = max(s.term, at.term)
	if at.index <= s.start.index {
		s.terms, s.entries = s.terms[:0], s.entries[:0]
		return nil
	}
	n := at.index - s.start.index - 1
	have := uint64(len(s.terms))
	switch {
	case n > have:
		return damaged("entry %d follows entry %d", at.index, s.start.index+have)
	case n < have && at.term <= s.terms[n]:
		return damaged("entry %d is there twice", at.index)
	case n > 0 && at.term < s.terms[n-1]:
		return damaged("entry %d is of an older term than the one before", at.index)
	}
	s.terms = append(s.terms[:n], at.term)
	if s.keep {
		s.entries = append(s.entries[:n], bytes.Clone(data))
	}
	return nil
}
