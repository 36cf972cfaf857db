package tree

import (
	"encoding/binary"
	"fmt"
)

// kvStateVersion is the version of the stored form of a state after StartRevisions. Programs below KVLevel can't read it.
const kvStateVersion = 2

// stateCounts is the flag of a stored state that counts revisions.
const stateCounts = 1

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
	dst = append(dst, flags)
	return binary.AppendUvarint(dst, v.index-v.Revision())
}

// storedState is the decoded state of a view.
type storedState struct {
	index     uint64
	counters  Counters
	revisions revisions
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
		r.bad = r.bad || flags > stateCounts || last > s.index || last < firstIndex || !s.revisions.counts && last != s.index
	}
	if r.bad || len(r.src) > 0 || s.index < firstIndex {
		return s, fmt.Errorf("%w: index, counters or revision", ErrBadState)
	}
	if err := checkIndex(s.index); err != nil {
		return s, fmt.Errorf("%w: %w", ErrBadState, err)
	}
	return s, nil
}
