package tree

import (
	"slices"
	"strings"

	"pando/tree/users"
)

// Delta is the difference between two published views, for a checkpoint. To store a
// delta, remove the stored nodes and shadowed files below the paths in Removed, then write or remove the
// nodes in Changed and the files in ChangedKeys, and write the events and the state (View.AppendState).
type Delta struct {
	// View is the newer view, which the checkpoint will hold.
	View *View
	// Removed holds the paths of deleted directories. These paths are in Changed, too.
	Removed []string
	// Changed holds the paths of all nodes that may differ. If View has no node at a
	// path, the stored node must be removed.
	Changed []string
	// ChangedKeys holds the keys of all plain and shadowed files that may differ. If View.V3OnlyKey returns nil for a key, its stored
	// file must be removed.
	ChangedKeys []string
	// Events are the events since the last delta, the oldest first.
	Events EventList
	// UsersBefore are the users of the last delta. It is nil if All is set. If it is not
	// View.Users(), the records of View.Users().Difference(UsersBefore) must be written or
	// removed, and View.Users().AppendHead must be written.
	UsersBefore *users.State
	// ChangedLeases holds the IDs of all leases that may differ. If View has no lease with an ID, the stored lease must be removed.
	ChangedLeases []int64
	// OldestEvent is the index of the oldest event in the history of View. Stored
	// events before it must be removed.
	OldestEvent uint64
	// All is set if the checkpoint must hold the whole View and all its events instead
	// of everything that was stored before. Removed, Changed, ChangedKeys and ChangedLeases are empty then.
	All bool
}

// Sort sorts Removed, Changed, ChangedKeys and ChangedLeases, and removes duplicates. The goroutine that writes the
// checkpoint calls Sort: it takes too long for the applying goroutine.
func (d *Delta) Sort() {
	slices.Sort(d.Removed)
	d.Removed = slices.Compact(d.Removed)
	slices.Sort(d.Changed)
	d.Changed = slices.Compact(d.Changed)
	slices.Sort(d.ChangedLeases)
	d.ChangedLeases = slices.Compact(d.ChangedLeases)
	slices.Sort(d.ChangedKeys)
	d.ChangedKeys = slices.Compact(d.ChangedKeys)
}

// dirtyPaths are the paths of the next delta, in the order of the changes. A path may be
// in them many times: duplicates are removed later (see Sort), because adding a path must
// be cheap.
type dirtyPaths struct {
	removedDirs []string // also in changed
	changed     []string
	keys        []string // of plain and shadowed files
	leases      []int64
	lastEvent   uint64 // the index of the newest event that was in a delta
	// users are the users of the last delta; nil if the next delta has all.
	users *users.State
}

// largeValue is the largest value, in bytes, that a dirty path may keep alive.
const largeValue = 512

// add adds the path of n. The path and the value of n share one piece of memory. So if
// the value is large, add copies the path: otherwise it would keep the value alive, even
// if the node is removed before the next delta is taken.
func (d *dirtyPaths) add(n *Node) { d.changed = append(d.changed, dirtyPath(n)) }

// addKey is add for a plain file, and for a file that is or was a shadowed one.
func (d *dirtyPaths) addKey(n *Node) { d.keys = append(d.keys, dirtyPath(n)) }

// addAll is add for several files, and addKeys is addKey for several files.
func (d *dirtyPaths) addAll(files []*Node) {
	d.changed = slices.Grow(d.changed, len(files))
	for _, n := range files {
		d.add(n)
	}
}

func (d *dirtyPaths) addKeys(files []*Node) {
	d.keys = slices.Grow(d.keys, len(files))
	for _, n := range files {
		d.addKey(n)
	}
}

func dirtyPath(n *Node) string {
	if len(n.Value()) > largeValue {
		return strings.Clone(n.Path())
	}
	return n.Path()
}

func (d *dirtyPaths) addRemovedDir(path string) {
	d.removedDirs = append(d.removedDirs, path)
	d.changed = append(d.changed, path)
}

// TakeDelta returns the changes since the last call, up to the last published view. If
// the delta can't be stored, the caller must pass it to ReturnDelta.
func (s *Store) TakeDelta() *Delta {
	v := s.View()
	d := &Delta{
		View: v, Removed: s.dirty.removedDirs, Changed: s.dirty.changed, ChangedKeys: s.dirty.keys,
		UsersBefore: s.dirty.users, OldestEvent: v.oldest,
	}
	d.ChangedLeases = s.dirty.leases
	d.Events, _ = s.history.list(max(s.dirty.lastEvent+1, v.oldest), v.index) // the history holds all events from oldest on
	s.dirty = dirtyPaths{lastEvent: v.index, users: v.users}
	return d
}

// TakeAll returns a delta of the whole tree, for a checkpoint that replaces everything
// that is stored. If it can't be stored, the caller must call TakeAll again before it
// calls TakeDelta: the stored state is then unknown.
func (s *Store) TakeAll() *Delta {
	s.dirty.lastEvent, s.dirty.users = 0, nil
	d := s.TakeDelta()
	d.Removed, d.Changed, d.ChangedKeys, d.ChangedLeases, d.All = nil, nil, nil, nil, true
	return d
}

// ReturnDelta adds a delta that was not stored to the next delta. It does nothing for a
// delta of TakeAll.
func (s *Store) ReturnDelta(d *Delta) {
	if d.All {
		return
	}
	s.dirty.removedDirs = append(s.dirty.removedDirs, d.Removed...)
	s.dirty.changed = append(s.dirty.changed, d.Changed...)
	s.dirty.keys = append(s.dirty.keys, d.ChangedKeys...)
	s.dirty.leases = append(s.dirty.leases, d.ChangedLeases...)
	s.dirty.users = d.UsersBefore
	if d.Events.Len() > 0 {
		s.dirty.lastEvent = min(s.dirty.lastEvent, d.Events.At(0).Index()-1)
	}
}

// DirtyPaths returns the number of paths and keys in the next delta, before Sort: each counts
// once for each of its changes.
func (s *Store) DirtyPaths() int { return len(s.dirty.changed) + len(s.dirty.keys) }
