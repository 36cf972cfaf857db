package tree

import (
	"slices"
	"strings"
)

// Delta is what a checkpoint has to write: the difference between two published
// views, in paths. To store it, remove what is stored below the paths in Removed,
// then write the nodes of Changed, the events and the state.
type Delta struct {
	// View is the state that the checkpoint will hold.
	View *View
	// Removed holds the directories that were deleted. Their own paths are in
	// Changed as well.
	Removed []string
	// Changed holds the paths of all nodes that may differ. What is stored at a path
	// that View does not have must be removed.
	Changed []string
	// Events are those since the last delta, the oldest first.
	Events []*Event
	// OldestEvent is the index of the oldest event in the history of View. Stored
	// events before it must be removed.
	OldestEvent uint64
	// All says that the whole View and all its events have to be stored, and that
	// everything stored before must be removed. Removed and Changed are empty then.
	All bool
}

// Sort puts Removed and Changed into ascending order, each path once. TakeDelta does
// not do that: it takes long, and it can be done by the goroutine that writes the
// checkpoint.
func (d *Delta) Sort() {
	slices.Sort(d.Removed)
	d.Removed = slices.Compact(d.Removed)
	slices.Sort(d.Changed)
	d.Changed = slices.Compact(d.Changed)
}

// dirtyPaths are the paths that the next delta will hold, in the order of the
// changes. A path may be in it many times: adding one must cost next to nothing.
type dirtyPaths struct {
	removedDirs []string // they are in changed as well
	changed     []string
	lastEvent   uint64 // the index of the newest event that was in a delta
}

// largeValue is the size from which a dirty path does not share the memory of its
// node.
const largeValue = 512

// add adds the path of n. The value of n lies in the same piece of memory, and may be
// gone from the tree long before the next delta is taken. So a path beside a large
// value is copied.
func (d *dirtyPaths) add(n *Node) {
	path := n.Path()
	if len(n.Value()) > largeValue {
		path = strings.Clone(path)
	}
	d.changed = append(d.changed, path)
}

func (d *dirtyPaths) addRemovedDir(path string) {
	d.removedDirs = append(d.removedDirs, path)
	d.changed = append(d.changed, path)
}

// TakeDelta returns what has changed between the last call and the last published
// view. If the delta cannot be stored, the caller must hand it to ReturnDelta.
func (s *Store) TakeDelta() *Delta {
	v := s.View()
	d := &Delta{View: v, Removed: s.dirty.removedDirs, Changed: s.dirty.changed, OldestEvent: v.oldest}
	for i := max(s.dirty.lastEvent+1, v.oldest); i <= v.index; i++ {
		d.Events = append(d.Events, s.history.at(i))
	}
	s.dirty = dirtyPaths{lastEvent: v.index}
	return d
}

// TakeAll returns a delta of the whole tree, for a checkpoint that replaces all that
// is stored. If it cannot be stored, the caller must take the whole tree again: until
// then TakeDelta does not know what is stored.
func (s *Store) TakeAll() *Delta {
	s.dirty.lastEvent = 0
	d := s.TakeDelta()
	d.Removed, d.Changed, d.All = nil, nil, true
	return d
}

// ReturnDelta takes back a delta that was not stored, so that the next delta includes
// it. It does nothing with a delta of TakeAll.
func (s *Store) ReturnDelta(d *Delta) {
	if d.All {
		return
	}
	s.dirty.removedDirs = append(s.dirty.removedDirs, d.Removed...)
	s.dirty.changed = append(s.dirty.changed, d.Changed...)
	if len(d.Events) > 0 {
		s.dirty.lastEvent = min(s.dirty.lastEvent, d.Events[0].Index()-1)
	}
}

// DirtyPaths is the number of paths that the next delta will hold. A path counts once
// for each of its changes.
func (s *Store) DirtyPaths() int { return len(s.dirty.changed) }
