package tree

import (
	"slices"
	"strings"
)

// Delta is what a checkpoint has to write: the difference between two
// published views, in paths.
type Delta struct {
	// View is the state that the checkpoint will hold.
	View *View
	// Removed are directories that were deleted. What is stored below these
	// paths goes first, before Changed is written, which holds the paths
	// themselves too.
	Removed []string
	// Changed are the paths whose node may differ. Where View has none, what
	// is stored there goes.
	Changed []string
	// Events came since the last delta, oldest first.
	Events []*Event
	// OldestEvent is the oldest event that View's history holds; stored events
	// before it go.
	OldestEvent uint64
	// All says that all of View is to be stored, and all its events, in the place of
	// what is there. Removed and Changed are empty then.
	All bool
}

// Sort puts Removed and Changed into ascending order, each path once, as they
// are to be written. TakeDelta leaves that to the goroutine that writes the
// checkpoint, because applying must not wait for it.
func (d *Delta) Sort() {
	slices.Sort(d.Removed)
	d.Removed = slices.Compact(d.Removed)
	slices.Sort(d.Changed)
	d.Changed = slices.Compact(d.Changed)
}

// changes collects the paths for the next delta, in the order of the changes,
// so that noting one costs next to nothing.
type changes struct {
	dirs  []string // deleted directories; they are among paths too
	paths []string
	since uint64 // the newest event that a delta has given out
}

// largeValue is the size from which a value is not kept alive by its path.
const largeValue = 512

// changed notes the path of n. It lies in one piece of memory with the value,
// which may be gone from the tree long before the next delta is taken.
func (c *changes) changed(n *Node) {
	path := n.Path()
	if len(n.Value()) > largeValue {
		path = strings.Clone(path)
	}
	c.paths = append(c.paths, path)
}

func (c *changes) removed(path string) {
	c.dirs = append(c.dirs, path)
	c.paths = append(c.paths, path)
}

// TakeDelta gives what has changed since the last call, up to the last
// published view. If the delta cannot be stored, give it back.
func (s *Store) TakeDelta() *Delta {
	v := s.View()
	d := &Delta{View: v, Removed: s.changes.dirs, Changed: s.changes.paths, OldestEvent: v.oldest}
	for i := max(s.changes.since+1, v.oldest); i <= v.index; i++ {
		d.Events = append(d.Events, s.history.at(i))
	}
	s.changes = changes{since: v.index}
	return d
}

// TakeAll is TakeDelta for a checkpoint in which nothing is stored yet. If it can't be
// stored, the next one must take all, too: it can't be given back.
func (s *Store) TakeAll() *Delta {
	s.changes.since = 0
	d := s.TakeDelta()
	d.Removed, d.Changed, d.All = nil, nil, true
	return d
}

// ReturnDelta takes back a delta that was not stored, so that the next one
// holds it as well.
func (s *Store) ReturnDelta(d *Delta) {
	if d.All {
		return
	}
	s.changes.dirs = append(s.changes.dirs, d.Removed...)
	s.changes.paths = append(s.changes.paths, d.Changed...)
	if len(d.Events) > 0 {
		s.changes.since = min(s.changes.since, d.Events[0].Index()-1)
	}
}

// Pending is the number of changes that the next delta will hold.
func (s *Store) Pending() int { return len(s.changes.paths) }
