package storage

import "bytes"

// replay follows the records of a log by raft's rules, and by no others:
//
//   - An entry truncates the log at its index and follows the one before. Its term may
//     be older than that of the entry that it replaces: a leader of term 4 may send its
//     entry of term 2 over a follower's of term 3 (figure 8 of the raft paper).
//   - What a hard state has committed is never replaced.
//   - Terms never go back, neither from entry to entry nor from hard state to hard state.
//     A term has one vote. The commit index never goes back.
//   - Entries come before the hard state that they are saved with. So the last entries
//     may be of a later term than the last hard state, until that follows.
//   - A snapshot from the leader replaces the whole log, unless the log holds the
//     snapshot's last entry.
//
// What breaks a rule was written by no member: it is damage.
type replay struct {
	start position // the checkpoint that the log is opened at
	// first is the index at which the oldest segment that is read begins.
	first uint64
	// known is false until the records tell where the log ends.
	known bool
	// base is the entry that terms follow. Its term is zero when it is not known.
	base  position
	terms []uint64 // of the entries behind base
	// entries are the entries that belong to terms, if they are kept; nil for those that
	// the checkpoint holds.
	entries [][]byte
	keep    bool

	state     hardState
	committed uint64 // what entries can't replace
	// installed is the position of a mark that the log does not lead up to. The snapshot
	// that it announces has replaced the log, unless a crash came before it got its name:
	// what follows will tell. It is zero when there is none.
	installed position
	marked    bool // the mark of start is there
	// ahead says that the hard state of the last entries is still to come.
	ahead bool
	// afterEntry says that the last record was an entry.
	afterEntry bool
}

// begin takes the place of the oldest segment that is read.
func (r *replay) begin(seg segment) {
	r.first = max(seg.index, 1)
	r.known = seg.seq == 0 // the first segment of all follows nothing
}

// last is the index of the last entry.
func (r *replay) last() uint64 { return r.base.index + uint64(len(r.terms)) }

// term is that of an entry, or zero when it is not known.
func (r *replay) term(index uint64) uint64 {
	switch {
	case index == r.base.index:
		return r.base.term
	case index > r.base.index && index <= r.last():
		return r.terms[index-r.base.index-1]
	}
	return 0
}

// restart makes the log an empty one behind a position.
func (r *replay) restart(at position) {
	r.base, r.known = at, true
	r.terms, r.entries = r.terms[:0], r.entries[:0]
}

// install has the snapshot take effect that a mark has announced.
func (r *replay) install() {
	r.restart(r.installed)
	r.installed = position{}
}

// truncate removes the entries from index on.
func (r *replay) truncate(index uint64) {
	if index <= r.base.index {
		r.restart(position{index: index - 1})
		return
	}
	n := min(index-r.base.index-1, uint64(len(r.terms)))
	r.terms = r.terms[:n]
	if r.keep {
		r.entries = r.entries[:n]
	}
}

// canFollow reports whether an entry of this index can follow what was read, by its
// index alone.
func (r *replay) canFollow(index uint64) bool {
	end := r.last() + 1
	if !r.known {
		end = max(r.first, r.start.index+1)
	}
	return index > r.committed && (index <= end || r.installed.index > 0 && index == r.installed.index+1)
}

// entry takes an entry. Its data may be overwritten afterwards.
func (r *replay) entry(at position, data []byte) error {
	if !r.canFollow(at.index) {
		if at.index <= r.committed {
			return damaged("entry %d is written again, although entries up to %d were committed", at.index, r.committed)
		}
		return damaged("entry %d follows entry %d", at.index, r.last())
	}
	switch {
	case r.installed.index > 0 && at.index == r.installed.index+1:
		r.install()
	case !r.known:
		r.restart(position{index: at.index - 1})
	}
	r.installed = position{} // if it did not take effect now, it never did
	r.truncate(at.index)
	if before := r.term(r.last()); at.term < before {
		return damaged("entry %d is of term %d, the one before of term %d", at.index, at.term, before)
	}
	r.terms = append(r.terms, at.term)
	if r.keep {
		if at.index <= r.start.index {
			data = nil
		}
		r.entries = append(r.entries, bytes.Clone(data))
	}
	r.ahead = r.ahead || at.term > r.state.term
	r.afterEntry = true
	return nil
}

// hardState takes a hard state.
func (r *replay) hardState(s hardState) error {
	switch {
	case !s.follows(r.state):
		return damaged("a hard state of term %d, vote %x and commit %d follows one of term %d, vote %x and commit %d",
			s.term, s.vote, s.commit, r.state.term, r.state.vote, r.state.commit)
	case r.ahead && s.term < r.term(r.last()):
		return damaged("a hard state of term %d follows an entry of term %d", s.term, r.term(r.last()))
	}
	if r.installed.index > 0 && s.commit >= r.installed.index {
		r.install()
	}
	if r.known && s.commit > r.last() {
		return damaged("entries up to %d are committed, but entry %d is the last one", s.commit, r.last())
	}
	r.state = s
	r.committed = max(r.committed, s.commit)
	r.ahead, r.afterEntry = false, false
	return nil
}

// mark takes the record of a checkpoint or of a snapshot from the leader.
func (r *replay) mark(at position) error {
	if r.ahead {
		return damaged("the hard state of entry %d is missing", r.last())
	}
	if at.index == r.start.index {
		if at.term != r.start.term {
			return damaged("the checkpoint at entry %d is of term %d here and of term %d in %s", at.index, at.term, r.start.term, stateName)
		}
		r.marked = true
	}
	r.installed, r.afterEntry = position{}, false
	has := r.term(at.index)
	switch {
	case !r.known && at.index < r.first, r.known && at.index < r.base.index:
		// of an entry that lies before those that are read
	case !r.known, at.index > r.last(), has != 0 && has != at.term:
		r.installed = at
	default:
		r.committed = max(r.committed, at.index) // it was applied
	}
	return nil
}

// finish checks what can only be said of the whole log, and leaves the entries behind
// the checkpoint.
func (r *replay) finish() error {
	if r.installed == r.start && r.start.index > 0 {
		r.install()
	}
	if !r.known {
		r.restart(r.start)
	}
	first := r.term(r.start.index)
	switch {
	case !r.marked:
		return damaged("the record of the checkpoint at entry %d is missing, so the log is older than %s", r.start.index, stateName)
	case r.base.index > r.start.index:
		return damaged("it goes on behind entry %d, but the checkpoint in %s is of entry %d", r.base.index, stateName, r.start.index)
	case r.last() < r.start.index:
		return damaged("it ends with entry %d, but the checkpoint in %s is of entry %d", r.last(), stateName, r.start.index)
	case first != 0 && first != r.start.term:
		return damaged("entry %d is of term %d here and of term %d in %s", r.start.index, first, r.start.term, stateName)
	case r.last() > r.start.index && r.term(r.start.index+1) < r.start.term:
		return damaged("entry %d is of term %d, the checkpoint before it of term %d", r.start.index+1, r.term(r.start.index+1), r.start.term)
	case r.state.commit > r.last():
		return damaged("it ends with entry %d, but entries up to %d were acknowledged", r.last(), r.state.commit)
	}
	n := r.start.index - r.base.index
	r.terms = r.terms[n:]
	if r.keep {
		r.entries = r.entries[n:]
	}
	r.base = r.start
	return nil
}

// recoveredState is the hard state to go on with. A crash may have come between a
// checkpoint and the hard state that commits its entries. Nobody can have voted in the
// term of a snapshot that was installed and not yet acknowledged.
func (r *replay) recoveredState() hardState {
	s := r.state
	if s.term < r.start.term {
		s.term, s.vote = r.start.term, 0
	}
	s.commit = max(s.commit, r.start.index)
	return s
}

// follows reports whether a member whose hard state was before can come to this one.
func (s hardState) follows(before hardState) bool {
	switch {
	case s.commit < before.commit, s.term < before.term:
		return false
	case s.term == before.term:
		return s.vote == before.vote || before.vote == 0
	}
	return true
}

// commitsOnly reports whether a hard state differs from the one before by its commit
// index at most, so that writing it was followed by no sync.
func (s hardState) commitsOnly(before hardState) bool {
	return s.term == before.term && s.vote == before.vote
}
