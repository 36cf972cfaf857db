package tree

// Poll returns the next events without waiting. It ends a batch with the first revision with which the batch reaches maxBytes, about, and
// returns whole revisions, at least one if there is one. Only a revision that is larger than maxBytes is returned in parts, so that the
// removal of a large directory does not need its memory at once: see KeyBatch.Partial.
//
// If there are no events, the batch has none, and its Revision shows the progress of the watcher. If the history no longer holds the next
// event, because the watcher was too slow, Poll returns an *Error of CodeCompacted; Error.Revision is the first revision with which a new
// watch can begin.
func (w *KeyWatcher) Poll(maxBytes int) (KeyBatch, *Error) {
	if w.closed.Load() {
		return KeyBatch{Revision: w.returned}, nil
	}
	announced := w.store.announcedRevision.Load() // before live is read: the hub has offered all events up to it
	if w.isIdle() {
		w.returned = max(w.returned, announced)
		return KeyBatch{Revision: w.returned}, nil
	}
	p := keyPoll{w: w, max: maxBytes}
	if err := p.read(); err != nil {
		return KeyBatch{}, err
	}
	w.returned = max(w.returned, p.batch.Revision)
	p.batch.Revision = w.returned
	return p.batch, nil
}

// setPrevBeforeRevision makes Prev the file before the revision of the event, if a transaction has changed the key several times with this
// revision. As in etcd, a deletion has the file before the revision in any case, but a put has none if it or an earlier put of the revision
// has created the key. setPrevBeforeRevision returns false if the history no longer holds the events that it needs.
func (w *KeyWatcher) setPrevBeforeRevision(k *KeyEvent) (ok bool) {
	if k.Prev == nil || k.Prev.ModRevision() != k.Node.ModRevision() {
		return true
	}
	k.Prev, ok = w.store.history.fileBeforeRevision(k)
	return ok
}

// isIdle reports whether there is nothing to read. If there is, it makes the watcher behind, with the cursor at the first index to read.
func (w *KeyWatcher) isIdle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.live {
		if w.next == 0 && !w.resumed {
			return true
		}
		if w.next != 0 {
			w.cursor = w.next
		}
	}
	w.live, w.next, w.resumed = false, 0, false
	return false
}

// updateLive makes the watcher live if the cursor has passed the newest index. It returns the newest view and whether the watcher is live.
// No event is lost: events are announced after they are published, so for an event after this view, offer finds the watcher live.
func (w *KeyWatcher) updateLive() (v *View, live bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v = w.store.View()
	w.live, w.resumed = w.cursor > v.index, false
	return v, w.live
}

// keyPoll is one call of Poll.
type keyPoll struct {
	w     *KeyWatcher
	max   int
	batch KeyBatch
	bytes int
	// revision is the revision of the last event that was read. revisionAt is the index of the first event with it that was read, and
	// before the number of events in the batch before that event.
	revision, revisionAt uint64
	before               int
	lost                 bool // the history no longer holds the Prev of an event
}

// read reads the history from the cursor on until the batch is complete, or the watcher is live.
func (p *keyPoll) read() *Error {
	w, h := p.w, p.w.store.history
	for {
		v, live := w.updateLive()
		if live {
			p.batch.Revision, p.batch.Live = v.Revision(), len(p.batch.Events) > 0
			return nil
		}
		for w.cursor = h.next(w.cursor); w.cursor <= v.index; w.cursor = h.next(w.cursor) {
			e := h.at(w.cursor)
			if e == nil || !e.isWhole() && p.concerns(e) {
				return p.lose()
			}
			complete := p.begin(e) || p.add(e)
			if p.lost {
				return p.lose()
			}
			if complete {
				return nil
			}
			w.cursor++
		}
	}
}

// concerns reports whether an event changes keys in the range.
func (p *keyPoll) concerns(e *Event) bool {
	if e.removesDir() {
		return overlap(p.w.keys, keysBelowRange(e.node.Path()))
	}
	key, ok := e.key()
	return ok && inRange(key, p.w.keys)
}

// lose ends the batch before an event that the history does not hold, or whose Prev it does not hold. If the batch has no events, lose
// returns the error.
func (p *keyPoll) lose() *Error {
	if len(p.batch.Events) == 0 {
		s := p.w.store
		_, revision := s.firstWhole(s.View())
		return compactedError(revision)
	}
	p.batch.Revision = p.revision - 1
	p.batch.Partial = len(p.batch.Events) > p.before // events of the revision may be missing, and then the next call returns an error
	return nil
}

// begin takes the revision of the next event. It returns true if the batch is complete without the event.
func (p *keyPoll) begin(e *Event) (complete bool) {
	if e.Revision() == p.revision {
		return false
	}
	if p.bytes >= p.max && len(p.batch.Events) > 0 {
		p.batch.Revision = e.Revision() - 1
		return true
	}
	p.revision, p.revisionAt, p.before = e.Revision(), p.w.cursor, len(p.batch.Events)
	return false
}

// add adds an event to the batch. It returns true if the batch is complete: the cursor is then at the first event that is not in it.
func (p *keyPoll) add(e *Event) (complete bool) {
	w := p.w
	if e.Revision() < w.start || !p.concerns(e) {
		return false
	}
	if e.removesDir() {
		return p.addRemoved(e)
	}
	if p.bytes >= p.max && len(p.batch.Events) > p.before {
		return p.cut()
	}
	return !p.append(e.keyEvent())
}

// addRemoved is add for the removal of a directory: it adds the deletions of the keys after w.after.
func (p *keyPoll) addRemoved(e *Event) (complete bool) {
	w := p.w
	keys := w.keys
	if w.after != "" {
		keys.From = w.after + "\x00"
	}
	q := *p // the function below keeps q on the heap; other calls of Poll need no memory for p
	e.removedKeys(keys, func(n *Node) bool {
		if q.bytes >= q.max && len(q.batch.Events) > q.before {
			complete = true
			return false
		}
		if !q.append(e.deletion(n)) {
			return false
		}
		w.after = n.Path()
		return true
	})
	*p = q
	if p.lost {
		return true
	}
	if complete {
		return p.cut()
	}
	w.after = ""
	return false
}

// append appends an event to the batch. It returns false, and sets lost, if the history no longer holds the Prev of the event.
func (p *keyPoll) append(k KeyEvent) (ok bool) {
	if !p.w.setPrevBeforeRevision(&k) {
		p.lost = true
		return false
	}
	p.batch.Events = append(p.batch.Events, k)
	p.bytes += k.size()
	return true
}

// cut ends the batch within a revision. It leaves the revision to the next call if the batch has events of earlier ones.
func (p *keyPoll) cut() (complete bool) {
	w := p.w
	p.batch.Revision = p.revision - 1
	if p.before == 0 {
		p.batch.Partial = true
		return true
	}
	clear(p.batch.Events[p.before:])
	p.batch.Events = p.batch.Events[:p.before]
	w.cursor, w.after = p.revisionAt, ""
	return true
}
