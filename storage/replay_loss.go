package storage

import "go.etcd.io/etcd/server/v3/storage/wal"

// phases is a set of states of the machine: see replay.
type phases uint8

const (
	committing phases = 1 << iota
	appending
	synced
)

// errSynced says why records after a loss are not those of a torn write.
var errSynced = damaged("a record fails its checksum, and what follows was written after it was synced")

// lost takes a place at which records are lost. kind is the kind of the record that began
// there, or zero when it is not known: then it may have been any number of records.
func (r *replay) lost(kind int64) error {
	var to phases
	if r.phases&committing != 0 {
		switch kind {
		case 0:
			to |= committing | appending | synced
		case wal.EntryType:
			to |= appending
		case wal.StateType:
			to |= committing | synced
		case wal.SnapshotType:
			to |= synced
		}
	}
	if r.phases&appending != 0 {
		switch kind {
		case 0:
			to |= appending | synced
		case wal.EntryType:
			to |= appending
		case wal.StateType:
			to |= synced
		}
	}
	r.lossy, r.expected = true, 0
	return r.enter(to)
}

// lostMore says that the records that were lost last are longer than a hard state. So they
// were not only hard states.
func (r *replay) lostMore() error { return r.enter(r.phases &^ committing) }

// enter sets the states. There must be at least one.
func (r *replay) enter(to phases) error {
	r.phases = to
	if to == 0 {
		return errSynced
	}
	return nil
}

// recordAfterLoss takes an intact record after a loss.
func (r *replay) recordAfterLoss(rec record) error {
	switch rec.kind {
	case wal.EntryType:
		if at, ok := parseEntry(rec.data); ok {
			return r.entryAfterLoss(at.index)
		}
	case wal.StateType:
		if s, ok := parseHardState(rec.data); ok {
			return r.hardStateAfterLoss(s)
		}
	case wal.SnapshotType:
		if _, ok := parseMark(rec.data); ok && r.phases&committing != 0 {
			return r.enter(synced)
		}
	}
	// Other kinds begin a segment, and are synced before the segment gets its name.
	return r.enter(0)
}

func (r *replay) entryAfterLoss(index uint64) error {
	first := r.phases&committing != 0 && r.canFollow(index)
	further := r.phases&appending != 0 && index > r.committed && (r.expected == 0 || index == r.expected)
	r.expected = index + 1
	if first || further {
		return r.enter(appending)
	}
	return r.enter(0)
}

func (r *replay) hardStateAfterLoss(s hardState) error {
	var to phases
	if s.follows(r.state) {
		if r.phases&committing != 0 && s.commit <= max(r.last(), r.installed.index) {
			if s.commitsOnly(r.state) {
				to |= committing
			} else {
				to |= synced
			}
		}
		if r.phases&appending != 0 && (r.expected == 0 || s.commit < r.expected) {
			to |= synced
		}
	}
	r.expected = 0
	return r.enter(to)
}
