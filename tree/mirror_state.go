package tree

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// mirrored is the state of a cluster that follows a running etcd, or has followed one. It never changes.
type mirrored struct {
	mirror *Mirror // nil after the end
	// newest is the largest modifiedIndex of MirrorChange.Nodes. It may be above the index of the tree.
	newest uint64
	// skipped are the indexes that the end has skipped.
	skipped indexRange
}

// indexRange is a range of indexes. The zero value is empty.
type indexRange struct{ first, last uint64 }

func (r indexRange) len() uint64 {
	if r.last == 0 {
		return 0
	}
	return r.last - r.first + 1
}

// Follow makes the tree follow a running etcd, in PhaseFollowing. It is for a store whose content was just read from a directory of that
// etcd. It must not be called once other members have the same content.
func (s *Store) Follow() {
	s.mirrored = &mirrored{mirror: &Mirror{Phase: PhaseFollowing}}
	s.revisions = revisions{started: s.revisions.started}
	s.publish()
}

// follows reports whether the tree follows a running etcd.
func (s *Store) follows() bool { return s.mirrored != nil && s.mirrored.mirror != nil }

// after returns the state after a change, which must be valid. It returns an error if the phase can't be that of the change.
func (m *mirrored) after(c *MirrorChange) (*mirrored, error) {
	next, mirror := *m, *m.mirror
	for i := range c.Nodes {
		next.newest = max(next.newest, c.Nodes[i].Modified)
	}
	if c.Phase == PhaseEnded {
		if mirror.Phase != PhaseFenced {
			return nil, fmt.Errorf("the phase is %s: it must be %s before it ends", mirror.Phase, PhaseFenced)
		}
		if next.newest > c.To {
			return nil, fmt.Errorf("a node has the modifiedIndex %d, but the index at the end is %d", next.newest, c.To)
		}
		next.mirror = nil
		return &next, nil
	}
	if c.Phase != 0 {
		mirror.Phase = c.Phase
	}
	if c.Sources != nil {
		mirror.Sources = slices.Clone(c.Sources)
	}
	if c.ForwardWrites != nil {
		mirror.ForwardWrites = *c.ForwardWrites
	}
	next.mirror = &mirror
	return &next, nil
}

// AppendMirror appends the stored form of what the view holds about an etcd that the cluster follows or has followed. It appends nothing
// if there was none.
func (v *View) AppendMirror(dst []byte) []byte {
	m := v.mirrored
	if m == nil {
		return dst
	}
	var mirror Mirror
	if m.mirror != nil {
		mirror = *m.mirror
	}
	var forward byte
	if mirror.ForwardWrites {
		forward = 1
	}
	dst = append(dst, stateVersion, byte(mirror.Phase), forward)
	dst = appendTexts(dst, mirror.Sources)
	dst = binary.AppendUvarint(dst, m.newest)
	dst = binary.AppendUvarint(dst, m.skipped.first)
	return binary.AppendUvarint(dst, m.skipped.last)
}

func decodeMirror(data []byte) (*mirrored, error) {
	r := decoder{src: data}
	if v := r.octet(); v != stateVersion {
		return nil, fmt.Errorf("%w: version %d of the mirror, but this program reads version %d", ErrBadState, v, stateVersion)
	}
	mirror := Mirror{Phase: MirrorPhase(r.octet())}
	forward := r.octet()
	mirror.ForwardWrites = forward == 1
	mirror.Sources = r.texts()
	m := &mirrored{newest: r.uvarint(), skipped: indexRange{r.uvarint(), r.uvarint()}}
	ended := mirror.Phase == 0
	if !ended {
		m.mirror = &mirror
	}
	skipped := m.skipped != indexRange{}
	switch {
	case r.bad, len(r.src) > 0, forward > 1, mirror.Phase > PhaseFenced,
		ended && (mirror.ForwardWrites || mirror.Sources != nil), skipped && (!ended || m.skipped.first <= firstIndex),
		m.skipped.first > m.skipped.last:
		return nil, fmt.Errorf("%w: mirror", ErrBadState)
	}
	return m, nil
}

// newestNode returns the largest modifiedIndex that a node may have.
func (s *Store) newestNode() uint64 {
	if s.follows() {
		return max(s.index, s.mirrored.newest)
	}
	return s.index
}
