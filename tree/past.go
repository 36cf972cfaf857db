package tree

import (
	"iter"
	"sync"
)

// past reads the keys as they were at an earlier revision. It takes a later view and undoes the events between the two. For one key it
// looks for the first event that concerns the key. For a range it undoes the events of this range in a copy-on-write copy of the view. The
// copy is kept, so that the next read of the same range costs nothing.
type past struct {
	revision uint64
	base     *View
	events   EventList // the events after revision that are in base

	mu     sync.Mutex
	undone *View    // base without the events that concern the keys in within; nil before the first read of a range
	within KeyRange // the range for which undone may be read
}

// At returns a reader of the keys as they were at a revision. With the revision 0 it is the current view. It returns an *Error of
// CodeCompacted if the history does not hold all events after the revision, or if the revision is before the compact revision, and of
// CodeFutureRevision if the revision is after that of the current view. Any goroutine may use the reader, and may keep it: it then keeps
// the events since the revision in memory, and what these have removed.
func (s *Store) At(revision uint64) (KeyReader, *Error) {
	v := s.View()
	switch current := v.Revision(); {
	case revision == 0 || revision == current:
		return v, nil
	case revision > current:
		return nil, futureError(revision, current)
	case revision < v.CompactRevision():
		return nil, compactedError(v.CompactRevision())
	}
	return s.undo(v, revision)
}

// undo returns a reader of a revision before that of a view.
func (s *Store) undo(v *View, revision uint64) (KeyReader, *Error) {
	for {
		first, err := s.findRevision(revision + 1)
		if err != nil {
			err.Revision-- // a read needs only the events after its revision
			return nil, err
		}
		if events, ok := s.history.list(first, v.index); ok {
			return &past{revision: revision, base: v, events: events}, nil
		}
		// Events were dropped since findRevision. The next call returns an error.
	}
}

func (p *past) Revision() uint64 { return p.revision }

func (p *past) Key(key string) *Node {
	if v := p.undoneFor(SingleKey(key)); v != nil {
		return v.Key(key)
	}
	for e := range p.events.All() {
		if file, changed := e.fileBefore(key); changed {
			return file
		}
	}
	return p.base.Key(key)
}

func (p *past) Keys(r KeyRange) iter.Seq[*Node] {
	if isEmptyRange(r) {
		return func(func(*Node) bool) {}
	}
	return p.view(r).Keys(r)
}

func (p *past) KeysDescending(r KeyRange) iter.Seq[*Node] {
	if isEmptyRange(r) {
		return func(func(*Node) bool) {}
	}
	return p.view(r).KeysDescending(r)
}

func (p *past) CountKeys(r KeyRange) int64 {
	if isEmptyRange(r) {
		return 0
	}
	return p.view(r).CountKeys(r)
}

// undoneFor returns a view whose keys in a range are those of the revision, if there is one already, and otherwise nil.
func (p *past) undoneFor(r KeyRange) *View {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.undoneForLocked(r)
}

// undoneForLocked is undoneFor. Callers must hold mu.
func (p *past) undoneForLocked(r KeyRange) *View {
	if p.undone != nil && r.From >= p.within.From && (p.within.To == "" || r.To != "" && r.To <= p.within.To) {
		return p.undone
	}
	return nil
}

// view returns a view whose keys in a range are those of the revision. It makes it, if there is none yet.
func (p *past) view(r KeyRange) *View {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v := p.undoneForLocked(r); v != nil {
		return v
	}
	u := undoing(p.base)
	for i := p.events.Len() - 1; i >= 0; i-- {
		u.undoEvent(p.events.At(i), r)
	}
	p.undone, p.within = &View{root: u.root, plain: u.plain, index: p.base.index, users: p.base.users}, r
	return p.undone
}

// undoing returns a store in which events can be undone. Nothing in the view changes.
func undoing(v *View) *Store {
	return &Store{root: v.root, plain: v.plain, index: v.index, epoch: measuringEpoch, measures: true}
}

// undoEvent makes the keys in a range what they were before an event. All later events that concern the range must be undone already. Other
// keys may become what they never were.
func (s *Store) undoEvent(e *Event, r KeyRange) {
	if e.removesDir() {
		if overlap(r, keysBelowRange(e.node.Path())) {
			s.attach(e.prev)
		}
		return
	}
	key, ok := e.key()
	if !ok || !inRange(key, r) {
		return
	}
	if prev := e.keyEvent().Prev; prev != nil {
		s.putKey(prev)
	} else {
		s.deleteKey(key)
	}
}

// attach puts a removed directory back into the tree. It takes the place of the directory at its path, which has no keys of the range that
// is undone, and keeps the file at its path as the shadowed file.
func (s *Store) attach(removed *Node) {
	dir := s.cloneDir(removed)
	above := s.ensureMutableParent(dir.Path(), s.index+1, impliedParents, make(ancestors, 0, usualDepth))
	at := above.parent().children.Get(base(dir.Path()))
	if at == nil {
		above.insert(dir)
	} else {
		file := at
		if at.IsDir() {
			file = at.Shadowed()
			above.changeTotals(at.directory().totals, -1)
		}
		dir = dir.withShadowed(file)
		above.replace(at, dir)
	}
	above.changeTotals(dir.directory().totals, 1)
}
