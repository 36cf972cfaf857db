package tree

import (
	"slices"
	"strings"
)

// A removal of many keys makes one event for each key, but changes the tree once for each run: files that follow each other in the order of
// their keys and lie in one directory, or plain keys. The result is the same as if the keys were removed one after the other.

// removedFile is a file that is to be removed.
type removedFile struct {
	node *Node
	kind fileKind
}

// fileKind says where a file lies.
type fileKind uint8

const (
	visibleFile  fileKind = iota // in a directory, as v2 shows it
	shadowedFile                 // see Node.Shadowed
	plainFile                    // see plainKeys
)

// removeFiles removes files in the order of their keys, and emits the event of each. All must be in the tree.
func (s *Store) removeFiles(action Action, files []removedFile) {
	s.batch = slices.Grow(s.batch, len(files))
	r := fileRemoval{store: s, action: action}
	for len(files) > 0 {
		n := runLength(files)
		r.removeRun(files[:n])
		files = files[n:]
	}
}

// runLength returns the length of the run at the beginning of a list of files.
func runLength(files []removedFile) int {
	first := &files[0]
	if first.kind == shadowedFile {
		return 1
	}
	dir := ""
	if first.kind == visibleFile {
		dir = first.node.Path()[:strings.LastIndexByte(first.node.Path(), '/')+1]
	}
	for i := range files {
		f := &files[i]
		if f.kind != first.kind {
			return i
		}
		if f.kind == visibleFile {
			if name, ok := strings.CutPrefix(f.node.Path(), dir); !ok || strings.IndexByte(name, '/') >= 0 {
				return i
			}
		}
	}
	return len(files)
}

// fileRemoval is one call of removeFiles.
type fileRemoval struct {
	store  *Store
	action Action
	// events is the unused rest of an allocation for several events. The history drops events in their order, so it frees the allocation
	// soon.
	events []Event
	nodes  []*Node // is reused by removeRun
}

// eventsPerAllocation is the number of events that share one allocation.
const eventsPerAllocation = 64

// emit emits the event of the removal of a file.
func (r *fileRemoval) emit(f *removedFile) {
	if len(r.events) == 0 {
		r.events = make([]Event, eventsPerAllocation)
	}
	e := &r.events[0]
	r.events = r.events[1:]
	e.action, e.v3Only, e.prev = r.action, f.kind != visibleFile, f.node
	e.node = tombstone(f.node, r.store.nextNumbers(f.node))
	r.store.emit(e, nil)
}

// removeRun removes files of a run, and emits their events.
func (r *fileRemoval) removeRun(run []removedFile) {
	last := len(run) - 1
	for i := range run[:last] {
		r.emit(&run[i])
	}
	// The directories change with the index of the last event.
	if last == 0 {
		r.store.deleteKey(run[0].node.Path())
	} else {
		r.nodes = r.nodes[:0]
		for i := range run {
			r.nodes = append(r.nodes, run[i].node)
		}
		r.store.deleteFiles(r.nodes, run[0].kind)
	}
	r.emit(&run[last])
}

// deleteFiles removes the files of a run from the tree, as deleteKey removes one file. All files must have the same kind: visibleFile, and
// then they must lie in one directory, or plainFile. The caller must emit an event with the next index.
func (s *Store) deleteFiles(files []*Node, kind fileKind) {
	var sum totals
	for _, n := range files {
		sum.add(n.totals(), 1)
		s.moveLease(n, nil)
	}
	s.superseded += sum.bytes
	if kind == plainFile {
		p := s.mutablePlain()
		p.nodes.DeleteAll(files)
		p.bytes -= sum.bytes
		s.dirty.addKeys(files)
		return
	}
	above := s.ensureMutableParent(files[0].Path(), 0, keepParents, make(ancestors, 0, usualDepth))
	above.removeFiles(files, sum)
	s.dirty.addAll(files)
	if above.parent().children.Len() == 0 {
		s.removeImplied(parent(files[0].Path()))
	}
}

// removeFiles removes files from the parent. sum is the sum of their totals.
func (a ancestors) removeFiles(files []*Node, sum totals) {
	a.parent().children.DeleteAll(files)
	a.changeTotals(sum, -1)
	switch d := a.parent(); {
	case d.due == nil:
	case d.children.Len() == 0:
		first := d.firstDue()
		d.due = nil
		a[:len(a)-1].reschedule(first, expiry{})
	default:
		for _, n := range files {
			a.reschedule(n.expiry(), expiry{})
		}
	}
}

// fileFinder finds files by their keys. It is fastest if the keys are looked up in ascending order. The tree must not change meanwhile.
type fileFinder struct {
	store *Store
	dir   *Node // the directory of the last key that is a path, or nil
}

// file returns the file of a key, which must have one.
func (f *fileFinder) file(key string) removedFile {
	if !isPathKey(key) {
		return removedFile{f.store.plain.nodes.Get(key), plainFile}
	}
	if above := parent(key); f.dir == nil || f.dir.Path() != above {
		if f.dir = f.store.root; above != "/" {
			f.dir = nodeAt(f.store.root, above)
		}
	}
	n := f.dir.directory().children.Get(base(key))
	if n.IsDir() {
		return removedFile{n.Shadowed(), shadowedFile}
	}
	return removedFile{n, visibleFile}
}
