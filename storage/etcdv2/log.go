package etcdv2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"pando/storage/wire"

	"google.golang.org/protobuf/encoding/protowire"
)

// pandoMagic begins the metadata of a log of Pando, which has the same form of records.
const pandoMagic = "PANDOLOG"

// survey is what the first pass over the log finds.
type survey struct {
	marks  []position // of the snapshots that the log confirms
	state  hardState  // the last one
	torn   string     // where a torn write was cut off; empty for none
	member identity   // of the member and its cluster
}

// identity holds the IDs of a member and its cluster.
type identity struct {
	member, cluster uint64
}

func (i *identity) decode(metadata []byte) error {
	return wire.Scalars(metadata, map[protowire.Number]*uint64{1: &i.member, 2: &i.cluster}, nil)
}

// isBackup reports whether "etcdctl backup" has made the log. It takes two numbers in a row as the IDs. Those of a real member
// are hash values.
func (i identity) isBackup() bool { return i.cluster != 0 && i.cluster == i.member+1 }

// log is the log of a member.
type log struct {
	files    []logFile
	progress func(bytes int64) // called with the bytes that were read
}

// survey reads the whole log and checks all checksums.
func (l *log) survey(ctx context.Context) (*survey, error) {
	s := new(survey)
	end, err := l.read(ctx, l.files, func(file string, r record) error {
		switch r.kind {
		case metadataRecord:
			if bytes.HasPrefix(r.data, []byte(pandoMagic)) {
				return fmt.Errorf("%w: %s is a log of Pando", ErrNotEtcd, file)
			}
			if err := s.member.decode(r.data); err != nil {
				return recordError(file, r.offset, "the IDs of the member and the cluster can't be decoded")
			}
		case snapshotRecord:
			at, err := decodePosition(r.data)
			if err != nil {
				return recordError(file, r.offset, "the mark of a snapshot can't be decoded")
			}
			s.marks = append(s.marks, at)
		case stateRecord:
			h, err := decodeHardState(r.data)
			if err != nil {
				return recordError(file, r.offset, "a hard state can't be decoded")
			}
			if h.commit < s.state.commit || h.term < s.state.term {
				return recordError(file, r.offset, fmt.Sprintf("the commit index %d of term %d follows %d of term %d",
					h.commit, h.term, s.state.commit, s.state.term))
			}
			s.state = h
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	last := l.files[len(l.files)-1].path
	torn, err := checkTail(last, end)
	if torn {
		s.torn = fmt.Sprintf("%s, offset %d", last, end)
	}
	return s, err
}

// confirms reports whether the log confirms a snapshot: its mark is in the log, and its state was committed.
func (s *survey) confirms(at position) bool {
	return at.index <= s.state.commit && slices.Contains(s.marks, at)
}

// section is the part of a log after a position.
type section struct {
	committed []entry  // in order, without a gap
	last      position // of the last committed entry
	undecided []entry  // the entries after last: no hard state says that they were committed

	v3Known uint64 // the v3 requests up to this index are not needed, and kept without their data
	hasV3   bool   // there were such requests
}

// after reads the entries after a position. The v3 requests up to the index v3Known are not needed.
func (l *log) after(ctx context.Context, start position, v3Known uint64) (*section, error) {
	files, err := l.filesFrom(start.index)
	if err != nil {
		return nil, err
	}
	s := &section{last: start, v3Known: v3Known}
	_, err = l.read(ctx, files, func(file string, r record) error {
		switch r.kind {
		case entryRecord:
			e, err := decodeEntry(r.data)
			if err != nil {
				return recordError(file, r.offset, "an entry can't be decoded")
			}
			e.file, e.offset = file, r.offset
			return s.add(e, start)
		case stateRecord:
			h, err := decodeHardState(r.data)
			if err != nil {
				return recordError(file, r.offset, "a hard state can't be decoded")
			}
			s.commit(h.commit)
		}
		return nil
	})
	return s, err
}

// add adds an entry and copies its data. It replaces those from its index on, which were never committed. Entries up to start are in
// the snapshot.
func (s *section) add(e entry, start position) error {
	if e.index <= start.index || (position{e.index, e.term}) == s.last { // or written twice
		return nil
	}
	if e.index <= s.last.index {
		return recordError(e.file, e.offset, fmt.Sprintf("entry %d follows, but entry %d was committed before", e.index, s.last.index))
	}
	at := e.index - s.last.index - 1
	if at > uint64(len(s.undecided)) {
		return recordError(e.file, e.offset, fmt.Sprintf("entry %d follows entry %d", e.index, s.last.index+uint64(len(s.undecided))))
	}
	if e.index <= s.v3Known && e.isV3() {
		e.data, s.hasV3 = nil, true // an entry without data changes nothing
	}
	e.data = bytes.Clone(e.data)
	s.undecided = append(s.undecided[:at], e)
	return nil
}

// isV3 reports whether an entry changes data of v3 alone.
func (e *entry) isV3() bool {
	if e.kind != normalEntry || len(e.data) == 0 {
		return false
	}
	c, err := decodeCommand(e.data)
	return err == nil && c.v3 && c.request == nil && c.version == "" && c.attributes == nil
}

// commit marks the entries up to an index as committed.
func (s *section) commit(index uint64) {
	for len(s.undecided) > 0 && s.undecided[0].index <= index {
		e := s.undecided[0]
		s.committed, s.last, s.undecided = append(s.committed, e), position{e.index, e.term}, s.undecided[1:]
	}
}

// filesFrom returns the files that hold the entries after an index.
func (l *log) filesFrom(index uint64) ([]logFile, error) {
	for i := len(l.files) - 1; i >= 0; i-- {
		if l.files[i].first <= index+1 {
			return l.files[i:], nil
		}
	}
	return nil, recordError(l.files[0].path, 0, fmt.Sprintf("it begins with entry %d, but the entries from %d on are needed: "+
		"older files of the log or newer snapshots are missing", l.files[0].first, index+1))
}

// read calls visit for each record of consecutive files. It returns the offset in the last one after the last record that can be
// read.
func (l *log) read(ctx context.Context, files []logFile, visit func(file string, r record) error) (end int64, err error) {
	var checksum uint32
	for i, f := range files {
		r, err := openFrames(f.path)
		if err != nil {
			return 0, err
		}
		r.checksum, r.started, r.last = checksum, i > 0, i == len(files)-1
		err = l.readFile(ctx, r, visit)
		checksum, end = r.checksum, r.at
		if err = errors.Join(err, r.close()); err != nil {
			return 0, err
		}
	}
	return end, nil
}

// readFile calls visit for each record of one file.
func (l *log) readFile(ctx context.Context, r *frames, visit func(file string, r record) error) error {
	reported := int64(0)
	for n := 0; ; n++ {
		rec, err := r.next()
		if n%1024 == 0 || err != nil {
			l.progress(r.at - reported)
			reported = r.at
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if errors.Is(err, errEnd) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := visit(r.file, rec); err != nil {
			return err
		}
	}
}

func recordError(file string, offset int64, text string) error {
	return fmt.Errorf("%w: %s, offset %d: %s", ErrDamaged, file, offset, text)
}
