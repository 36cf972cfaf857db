package tree

// WatchEach is WatchAll for a reader that wants to know each key that the removal of a directory removes. Before the event of the removal
// the watcher returns an event for each removed node at or below the watched paths, hidden ones left out as usual: a part. All have the
// index and the action of the event, and parts are numbered from 1 on (Event.Part). A directory comes after the nodes below it, so the
// parts and the event are in the order in which the tree could have removed the nodes one by one.
//
// received is the number of parts of the event with the index since that the reader has: the watcher does not return them again. It is 0
// for a reader that has none. The other arguments must be the same as before.
//
// A store keeps the removed nodes in memory alone, and only within a limit; see HistoryLimits. If it does not have them any more, the event
// of the removal is Incomplete, and parts are missing before it.
func (s *Store) WatchEach(paths []string, scope Scope, since uint64, received uint32) (*Watcher, error) {
	w := &Watcher{store: s, path: paths[0], scope: scope, options: &watchOptions{
		others: paths[1:], each: true, received: received, receivedOf: since,
	}}
	return s.open(w, since)
}

// watchOptions are the properties of a Watcher that most watchers do not have.
type watchOptions struct {
	others []string // further paths
	each   bool     // see WatchEach

	received   uint32 // the parts of the event with the index receivedOf that the reader has
	receivedOf uint64

	// The watcher holds up to two removals (removals.hold): the one whose parts are being returned, and the first one after it.
	// These are their indexes, or zero. begun is the index up to which the watcher has no more removals to begin with. The watcher's
	// mu guards the three.
	reading, upcoming, begun uint64

	// The polling goroutine alone uses the fields below, without mu.

	removal *Event  // whose parts are being returned; nil if there is none
	part    uint32  // the number of the last part that was collected
	after   string  // the path of the last part that was collected; empty before the first
	next    []*Node // the removed nodes of the next parts, a few at a time
	skip    bool    // the other parts of the removal are left out; see SkipParts
}

// maxCollected is the number of nodes that a watcher collects at a time. It bounds the time for which the caller of Poll waits.
const maxCollected = 64

// eachOptions returns the options of a watcher of WatchEach, and nil for any other watcher.
func (w *Watcher) eachOptions() *watchOptions {
	if w.options == nil || !w.options.each {
		return nil
	}
	return w.options
}

// removesDir reports whether the event removes a directory.
func (e *Event) removesDir() bool { return e.action.Removes() && e.node.IsDir() }

// expand returns what a watcher returns for the next event: the first part of a removal, or the event itself. e may be nil.
func (w *Watcher) expand(e *Event) *Event {
	o := w.eachOptions()
	if o == nil || e == nil || !e.removesDir() {
		return e
	}
	w.beginParts(e.Index())
	o.removal, o.part, o.after, o.skip = e, 0, "", false
	return w.nextPart()
}

// SkipParts leaves out the other parts of the removal whose part Poll has returned last: Poll returns the event of the removal next. Only
// the goroutine that calls Poll may call it.
func (w *Watcher) SkipParts() {
	if o := w.eachOptions(); o != nil {
		o.skip = true
	}
}

// beginParts makes the watcher hold the removal with an index, whose parts it returns next. A closed watcher holds nothing: Close has
// released its holds, or will do so when it gets mu.
func (w *Watcher) beginParts(index uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.options
	if !w.closed.Load() && w.store.removals.hold(index) {
		o.reading = index
	}
	if o.upcoming <= index {
		w.release(&o.upcoming)
	}
	o.begun = index
}

// holdUpcoming makes the watcher hold the removal that an event describes, if it is the first one that the watcher has not begun to
// return. Callers must hold mu.
func (w *Watcher) holdUpcoming(e *Event) {
	o := w.eachOptions()
	if o == nil || !e.removesDir() || o.upcoming != 0 || e.Index() <= o.begun {
		return
	}
	if w.store.removals.hold(e.Index()) {
		o.upcoming = e.Index()
	}
}

// release ends the hold of the removal with an index, unless it is zero, and sets it to zero. Callers must hold mu.
func (w *Watcher) release(index *uint64) {
	if *index != 0 {
		w.store.removals.release(*index)
		*index = 0
	}
}

// releaseAll ends all holds. Callers must hold mu.
func (w *Watcher) releaseAll() {
	if o := w.eachOptions(); o != nil {
		w.release(&o.reading)
		w.release(&o.upcoming)
	}
}

// nextPart returns the next part of the removal. After the last part it returns the event of the removal.
func (w *Watcher) nextPart() *Event {
	o := w.options
	e := o.removal
	for {
		if o.skip {
			return w.endParts(true)
		}
		if len(o.next) == 0 {
			complete := w.collectParts()
			if len(o.next) == 0 {
				return w.endParts(complete)
			}
		}
		n := o.next[0]
		o.next = o.next[1:]
		o.part++
		if e.Index() == o.receivedOf && o.part <= o.received {
			continue
		}
		return &Event{action: e.action, time: e.time, part: o.part, node: tombstone(n, e.numbers(n)), prev: n.withoutChildren()}
	}
}

// endParts returns the event of the removal after its parts.
func (w *Watcher) endParts(complete bool) *Event {
	o := w.options
	e := o.removal
	o.removal, o.next, o.after = nil, nil, ""
	w.mu.Lock()
	defer w.mu.Unlock()
	w.release(&o.reading)
	if complete {
		return e
	}
	return &Event{action: e.action, time: e.time, reader: incompleteReader, node: e.node, prev: e.prev}
}

// collectParts collects the nodes of the next parts. It returns false if the removed nodes are no longer kept.
func (w *Watcher) collectParts() bool {
	o := w.options
	dir := w.store.removals.dir(o.removal.Index())
	if dir == nil {
		return false
	}
	c := collector{watcher: w, nodes: make([]*Node, 0, maxCollected)}
	if top := w.topOfParts(dir); top != nil && (top == dir || top.Path() != o.after) {
		if c.descend(top, o.after) && top != dir {
			c.visit(top)
		}
	}
	if o.next = c.nodes; len(o.next) > 0 {
		o.after = o.next[len(o.next)-1].Path()
	}
	return true
}

// topOfParts returns the node that all parts of the removal of dir are or lie below: the watched node if the watcher has one path and this
// lies below dir, and otherwise dir. It returns nil if there is no such node.
func (w *Watcher) topOfParts(dir *Node) *Node {
	if len(w.options.others) > 0 || !below(w.path, dir.Path()) {
		return dir
	}
	n, err := find(dir, w.path[len(dir.Path()):])
	if err != nil {
		return nil
	}
	return n
}

// collector collects the nodes of parts.
type collector struct {
	watcher *Watcher
	nodes   []*Node
}

// visit collects a node if the watcher watches it. It returns false if no more nodes must be collected now.
func (c *collector) visit(n *Node) bool {
	if c.watcher.watches(n.Path()) {
		c.nodes = append(c.nodes, n)
	}
	return len(c.nodes) < maxCollected
}

// descend visits the nodes below n that come after the path after, which must lie below n. A directory comes after the nodes below it. An
// empty after stands for the beginning. It returns false if visit has returned false.
func (c *collector) descend(n *Node, after string) bool {
	if !n.IsDir() || !c.watcher.watchesBelow(n.Path()) {
		return true
	}
	children := &n.directory().children
	enter := func(child *Node) bool { return c.descend(child, "") && c.visit(child) }
	if after == "" {
		return children.Scan(enter)
	}
	offset := nameOffset(n.Path())
	name, _, more := cutName(after[offset:])
	return children.ScanFrom(name, func(child *Node) bool {
		switch {
		case child.Path()[offset:] != name:
			return enter(child)
		case more:
			return c.descend(child, after) && c.visit(child)
		}
		return true
	})
}

// watches reports whether a path is watched: as itself, or as one that lies below a watched path.
func (w *Watcher) watches(path string) bool {
	if w.scope.includes(path, w.path) {
		return true
	}
	for _, at := range w.options.others {
		if w.scope.includes(path, at) {
			return true
		}
	}
	return false
}

// watchesBelow reports whether the watcher may watch a path below the directory dir.
func (w *Watcher) watchesBelow(dir string) bool {
	if w.scope.mayIncludeBelow(dir, w.path) {
		return true
	}
	for _, at := range w.options.others {
		if w.scope.mayIncludeBelow(dir, at) {
			return true
		}
	}
	return false
}

// includes reports whether a path is the watched path, or lies below it and is watched, too.
func (s Scope) includes(path, watched string) bool {
	return path == watched || s == Recursive && below(path, watched) && !hiddenBelow(path, watched)
}

// mayIncludeBelow reports whether includes may be true for a path below the directory dir.
func (s Scope) mayIncludeBelow(dir, watched string) bool {
	return below(watched, dir) || s == Recursive && s.includes(dir, watched)
}
