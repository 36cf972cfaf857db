package storage

import "go.etcd.io/etcd/server/v3/storage/wal"

// A write that a crash interrupts may be torn: the disk has written some of its sectors
// and not others. Which records can be among those that were not synced yet follows
// from how the log is written. One after the other:
//
//   - any number of hard states that only commit more: no sync follows them,
//   - then one of: entries and a hard state behind them, which may be missing; a hard
//     state of a new term or vote; the mark of a checkpoint. Each is synced, and only
//     then comes the next write.
//
// So an intact record that can't belong to the same write as a bad place before it
// proves that the bad place was synced, and is damage.

// phases is a set of places in the write that a crash interrupted.
type phases uint8

const (
	committing phases = 1 << iota // nothing but commits so far
	appending                     // entries, and no hard state behind them yet
	complete                      // whatever follows was written after a sync
)

// unsynced follows the records behind a bad place, as long as they can belong to the
// write that a crash interrupted.
type unsynced struct {
	log *replay // as it was before the bad place
	at  phases  // where that write can be; none when the records prove that there was a sync
	// next is the index that the next entry must have, or zero when that is not known.
	next uint64
}

func newUnsynced(log *replay) *unsynced {
	u := &unsynced{log: log, at: committing}
	if log.afterEntry {
		u.at |= appending
	}
	if log.ahead {
		u.at = appending
	}
	return u
}

// lost takes a place at which something can't be read: a record of a kind, or anything
// at all if the kind is zero.
func (u *unsynced) lost(kind int64) {
	var to phases
	if u.at&committing != 0 {
		switch kind {
		case 0:
			to |= committing | appending | complete
		case wal.EntryType:
			to |= appending
		case wal.StateType:
			to |= committing | complete
		case wal.SnapshotType:
			to |= complete
		}
	}
	if u.at&appending != 0 {
		switch kind {
		case 0:
			to |= appending | complete
		case wal.EntryType:
			to |= appending
		case wal.StateType:
			to |= complete
		}
	}
	u.at, u.next = to, 0
}

// lostLarge is told that what was lost last was longer than hard states are.
func (u *unsynced) lostLarge() { u.at &^= committing }

// record takes an intact record.
func (u *unsynced) record(rec record) {
	switch rec.kind {
	case wal.EntryType:
		at, ok := parseEntry(rec.data)
		u.entry(at.index, ok)
	case wal.StateType:
		s, ok := parseHardState(rec.data)
		u.hardState(s, ok)
	case wal.SnapshotType:
		_, ok := parseMark(rec.data)
		u.at, u.next = ifAll(complete, ok, u.at&committing != 0), 0
	default:
		u.at = 0 // a segment's head, which is synced before the segment gets its name
	}
}

func (u *unsynced) entry(index uint64, ok bool) {
	first := u.at&committing != 0 && u.log.canFollow(index)
	further := u.at&appending != 0 && index > u.log.committed && (u.next == 0 || index == u.next)
	u.at, u.next = ifAll(appending, ok, first || further), index+1
}

func (u *unsynced) hardState(s hardState, ok bool) {
	before := u.log.state
	alone := u.at&committing != 0 && s.follows(before) && s.commit <= max(u.log.last(), u.log.installed.index)
	behindEntries := u.at&appending != 0 && s.follows(before) && (u.next == 0 || s.commit < u.next)
	u.at = ifAll(committing, ok, alone, s.commitsOnly(before)) |
		ifAll(complete, ok, alone, !s.commitsOnly(before)) |
		ifAll(complete, ok, behindEntries)
	u.next = 0
}

// ifAll gives p if all conditions hold, and otherwise none.
func ifAll(p phases, conditions ...bool) phases {
	for _, c := range conditions {
		if !c {
			return 0
		}
	}
	return p
}
