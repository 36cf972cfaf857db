package tree

import (
	"encoding/binary"
	"fmt"
)

// kvStateVersion is the version of the stored form of a state after StartRevisions. Programs below KVLevel can't read it.
const kvStateVersion = 2

// The flags of a stored state of kvStateVersion.
const (
	stateCounts     = 1 << iota // the tree counts revisions
	stateKeyHistory             // keyHistory is not zero, and follows
)

// AppendState appends the stored form of the index, the revision and the counters: the part of the
// view that is not in nodes.
func (v *View) AppendState(dst []byte) []byte {
	version := byte(stateVersion)
	if v.revisions.started {
		version = kvStateVersion
	}
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, v.index)
	counters := v.counters
	for _, n := range counters.all() {
		dst = binary.AppendUvarint(dst, *n)
	}
	if !v.revisions.started {
		return dst
	}
	var flags byte
	if v.revisions.counts {
		flags |= stateCounts
	}
	if v.keyHistory.from != 0 {
		flags |= stateKeyHistory
	}
	dst = append(dst, flags)
	dst = binary.AppendUvarint(dst, v.index-v.Revision())
	if v.keyHistory.from != 0 {
		dst = binary.AppendUvarint(dst, v.keyHistory.from)
		dst = binary.AppendUvarint(dst, v.keyHistory.compacted)
	}
	return dst
}

// storedState is the decoded state of a view.
type storedState struct {
	index     uint64
	counters  Counters
	revisions revisions

	keyHistory keyHistory
}

func decodeState(data []byte) (s storedState, err error) {
	r := decoder{src: data}
	version := r.octet()
	if version != stateVersion && version != kvStateVersion {
		return s, fmt.Errorf("%w: version %d, but this program reads versions up to %d", ErrBadState, version, kvStateVersion)
	}
	s.index = r.uvarint()
	for _, n := range s.counters.all() {
		*n = r.uvarint()
	}
	if version == kvStateVersion {
		flags := r.octet()
		s.revisions = revisions{started: true, counts: flags&stateCounts != 0}
		last := s.index - r.uvarint()
		if s.revisions.counts {
			s.revisions.last = last
		}
		if flags&stateKeyHistory != 0 {
			s.keyHistory = keyHistory{from: r.uvarint(), compacted: r.uvarint()}
			r.bad = r.bad || s.keyHistory.from == 0 || s.keyHistory.from > s.index+1 || s.keyHistory.compacted > last
		}
		r.bad = r.bad || flags > stateCounts|stateKeyHistory || last > s.index || last < firstIndex || !s.revisions.counts && last != s.index
	}
	if r.bad || len(r.src) > 0 || s.index < firstIndex {
		return s, fmt.Errorf("%w: index, counters or revision", ErrBadState)
	}
	if err := checkIndex(s.index); err != nil {
		return s, fmt.Errorf("%w: %w", ErrBadState, err)
	}
	return s, nil
}
