package storage

import (
	"bytes"

	"go.etcd.io/etcd/server/v3/storage/wal"
)

// replay is the state machine that reads the records of a log, one by one, and decides for
// each whether a member can have written it. A record that no member can have written is
// damage.
//
// # What raft writes
//
//   - An entry truncates the log at its index and follows the entry before. Its term may
//     be lower than that of the entry that it replaces: a leader of term 4 may send its
//     entry of term 2 to a follower that has one of term 3 (figure 8 of the raft paper).
//   - Entries that a hard state has committed are never replaced.
//   - Terms never decrease, neither from entry to entry nor from hard state to hard state.
//     A term has one vote. The commit index never decreases.
//   - A snapshot from the leader replaces the whole log, unless the log holds the last
//     entry of the snapshot. A mark, which is also the record of a checkpoint, announces it.
//
// # The order of writes, and syncs
//
// A member writes, one after the other:
//
//   - any number of hard states that change only the commit index: they are not synced;
//   - then one of these, which is synced before anything else is written: entries, with
//     a hard state after them; or a hard state with a new term or vote; or a mark.
//
// So the machine has three states (type phase):
//
//	        hard state: only commits               entry
//	           ┌──────────┐                     ┌─────────┐
//	           │          ▼                     │         ▼
//	start ───► committing ─────── entry ──────► appending
//	               │                                │ hard state
//	               └── mark, hard state: ─► synced ◄┘
//	                   new term or vote
//
// As long as no record is lost, synced is the same as committing: the next write begins.
// Older versions wrote no hard state after entries of the current term. So after such
// entries the machine may be in committing or in appending, and phases holds both.
//
// # After lost records
//
// A crash may tear the last write: some of its sectors are lost, others are not. From the
// first lost record on, the machine follows only the set of the states in which it may be
// (replay_loss.go). An intact record that fits none of them was written after the lost one
// had been synced. Then the loss is not a torn write but damage.
type replay struct {
	start position // the checkpoint at which the log is opened
	// first is the index at which the oldest segment that is read begins.
	first uint64
	// known is false until the records show where the log ends.
	known bool
	// base is the entry before the first one of terms. Its term is zero when it is not known.
	base  position
	terms []uint64 // of the entries after base
	// entries are the encoded entries that belong to terms, if keep is set; nil for those
	// that the checkpoint holds.
	entries [][]byte
	keep    bool

	state     hardState // the last one
	committed uint64    // entries up to here are never replaced
	// installed is the position of a mark that lies beyond the log, or contradicts it. It is
	// zero when there is no such mark. The mark announces a snapshot. If that snapshot became
	// state.db, it has replaced the log. If a crash came before, it has not. The next records
	// show which of the two happened.
	installed position
	marked    bool // the mark of start was read

	phases   phases // the states in which the machine may be
	lossy    bool   // a record was lost; only phases and expected change from there on
	expected uint64 // after a loss: the index of the next entry, or zero when it is not known
}

// begin prepares for the records of the oldest segment that is read.
func (r *replay) begin(seg segment) {
	r.first = max(seg.index, 1)
	r.known = seg.seq == 0 // nothing comes before the first segment of all
	r.phases = committing
}

// record takes the next intact record: an entry, a hard state or a mark. It may keep a copy
// of the data. An error wraps ErrCorrupt.
func (r *replay) record(rec record) error {
	if r.lossy {
		return r.recordAfterLoss(rec)
	}
	switch rec.kind {
	case wal.EntryType:
		if at, ok := parseEntry(rec.data); ok {
			return r.entry(at, rec.data)
		}
		return damaged("an entry can't be read")
	case wal.StateType:
		if state, ok := parseHardState(rec.data); ok {
			return r.hardState(state)
		}
		return damaged("a hard state can't be read")
	default:
		if at, ok := parseMark(rec.data); ok {
			return r.mark(at)
		}
		return damaged("the record of a checkpoint can't be read")
	}
}

// needsHardState reports whether a hard state must follow: the last entries are of a
// later term than the last hard state.
func (r *replay) needsHardState() bool { return r.phases == appending }

// last is the index of the last entry.
func (r *replay) last() uint64 { return r.base.index + uint64(len(r.terms)) }

// term returns the term of an entry, or zero when it is not known.
func (r *replay) term(index uint64) uint64 {
	switch {
	case index == r.base.index:
		return r.base.term
	case index > r.base.index && index <= r.last():
		return r.terms[index-r.base.index-1]
	}
	return 0
}

// restart makes the log an empty one after a position.
func (r *replay) restart(at position) {
	r.base, r.known = at, true
	r.terms, r.entries = r.terms[:0], r.entries[:0]
}

// install replaces the log by the snapshot that a mark has announced.
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

// canFollow reports whether an entry may come next, by its index alone.
func (r *replay) canFollow(index uint64) bool {
	end := r.last() + 1
	if !r.known {
		end = max(r.first, r.start.index+1)
	}
	return index > r.committed && (index <= end || r.installed.index > 0 && index == r.installed.index+1)
}

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
	r.installed = position{} // a snapshot that has not replaced the log by now never did
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
	if r.needsHardState() || at.term > r.state.term {
		r.phases = appending
	} else {
		r.phases = committing | appending
	}
	return nil
}

func (r *replay) hardState(s hardState) error {
	switch {
	case !s.follows(r.state):
		return damaged("a hard state of term %d, vote %x and commit %d follows one of term %d, vote %x and commit %d",
			s.term, s.vote, s.commit, r.state.term, r.state.vote, r.state.commit)
	case r.needsHardState() && s.term < r.term(r.last()):
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
	r.phases = committing
	return nil
}

func (r *replay) mark(at position) error {
	if r.needsHardState() {
		return damaged("the hard state of entry %d is missing", r.last())
	}
	if at.index == r.start.index {
		if at.term != r.start.term {
			return damaged("the checkpoint at entry %d is of term %d here and of term %d in %s", at.index, at.term, r.start.term, stateName)
		}
		r.marked = true
	}
	r.installed, r.phases = position{}, committing
	term := r.term(at.index)
	switch {
	case !r.known && at.index < r.first, r.known && at.index < r.base.index:
		// It is of an entry before those that are read.
	case !r.known, at.index > r.last(), term != 0 && term != at.term:
		r.installed = at
	default:
		r.committed = max(r.committed, at.index) // it was applied
	}
	return nil
}

// finish checks the rules that concern the log as a whole. It leaves the entries after the
// checkpoint in terms and entries.
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
		return damaged("it goes on after entry %d, but the checkpoint in %s is of entry %d", r.base.index, stateName, r.start.index)
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

// recoveredState returns the hard state with which the member goes on. A crash may have come
// after a checkpoint and before the hard state that commits its entries. A member can't
// have voted in the term of a snapshot that it installed and has not acknowledged.
func (r *replay) recoveredState() hardState {
	s := r.state
	if s.term < r.start.term {
		s.term, s.vote = r.start.term, 0
	}
	s.commit = max(s.commit, r.start.index)
	return s
}
