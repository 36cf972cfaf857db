package storage

import (
	"bytes"
	"slices"
)

// The paths of this file are the keys of records: those of nodes and of files that v2 does not show (see key_record.go).
//
// A checkpoint appends its delta to the bucket of the deltas and changes no record of the
// bucket of the nodes. So the tree that state.db holds is the nodes with all deltas
// merged over them, the newer over the older. Compaction (compact.go) keeps the deltas
// small beside the nodes.

// change is the new state of a path: the stored form of its node, or an empty node, a
// tombstone, when the path was deleted.
type change struct{ path, node []byte }

// run is a sorted run: the merged content of one or more consecutive chunks. Each path is in
// it once, in ascending order. deletedDirs takes effect before the changes: everything older
// below these paths is deleted.
type run struct {
	changes     []change
	deletedDirs dirPrefixes
}

// endsBefore reports whether all changes of the run come before path.
func (r *run) endsBefore(path []byte) bool {
	n := len(r.changes)
	return n == 0 || bytes.Compare(r.changes[n-1].path, path) < 0
}

// over merges the run over an older one. Neither of the two is changed.
func (r run) over(older run) run {
	merged := run{
		changes:     make([]change, 0, len(older.changes)+len(r.changes)),
		deletedDirs: outermost(slices.Concat(older.deletedDirs, r.deletedDirs)),
	}
	m := merger{newer: r, emit: func(c change) error {
		merged.changes = append(merged.changes, c)
		return nil
	}}
	for _, c := range older.changes {
		_ = m.add(c) // fails only when emit fails
	}
	_ = m.finish()
	return merged
}

// dirPrefixes are paths of directories. Each ends in a slash. They are in ascending order,
// and none of them lies below another.
type dirPrefixes [][]byte

// outermost sorts directories, and drops those that lie below another one.
func outermost(dirs [][]byte) dirPrefixes {
	slices.SortFunc(dirs, bytes.Compare)
	var out dirPrefixes
	for _, dir := range dirs {
		if n := len(out); n == 0 || !bytes.HasPrefix(dir, out[n-1]) {
			out = append(out, dir)
		}
	}
	return out
}

// cover reports whether path lies below one of the directories. Callers must ask for paths
// in ascending order: directories that lie before path are dropped from the list.
func (p *dirPrefixes) cover(path []byte) bool {
	for len(*p) > 0 {
		dir := (*p)[0]
		if bytes.Compare(path, dir) < 0 {
			return false
		}
		if bytes.HasPrefix(path, dir) {
			return true
		}
		*p = (*p)[1:]
	}
	return false
}

// merger merges a run over older changes, or over the nodes, and passes the result to emit
// in ascending order of the paths.
type merger struct {
	newer run // what is still to be merged
	emit  func(change) error
}

// add takes the next older change. Changes must come in ascending order of their paths.
func (m *merger) add(older change) error {
	for len(m.newer.changes) > 0 {
		order := bytes.Compare(m.newer.changes[0].path, older.path)
		if order == 0 {
			return nil // replaced by the newer one, which is emitted later
		}
		if order > 0 {
			break
		}
		if err := m.emitNewer(); err != nil {
			return err
		}
	}
	if m.newer.deletedDirs.cover(older.path) {
		return nil
	}
	return m.emit(older)
}

// finish emits the newer changes that come after all older ones.
func (m *merger) finish() error {
	for len(m.newer.changes) > 0 {
		if err := m.emitNewer(); err != nil {
			return err
		}
	}
	return nil
}

func (m *merger) emitNewer() error {
	c := m.newer.changes[0]
	m.newer.changes = m.newer.changes[1:]
	return m.emit(c)
}

// deltas collects the chunks of all deltas, oldest first.
type deltas struct {
	runs  []run
	bytes uint64 // size of the chunks
}

// add takes the next chunk and keeps a reference to it.
func (d *deltas) add(chunk []byte) error {
	next, err := parseChunk(chunk)
	if err != nil {
		return err
	}
	d.bytes += uint64(len(chunk))
	if n := len(d.runs); n > 0 && d.extendsLast(next) {
		d.runs[n-1].changes = append(d.runs[n-1].changes, next.changes...)
	} else {
		d.runs = append(d.runs, next)
	}
	return nil
}

// extendsLast reports whether a run can be appended to the last one, as when both are
// parts of one delta.
func (d *deltas) extendsLast(next run) bool {
	return len(next.deletedDirs) == 0 && len(next.changes) > 0 && d.runs[len(d.runs)-1].endsBefore(next.changes[0].path)
}

// merged returns one run with the content of all chunks. It merges neighbours in
// rounds, so each path is compared about log2 of the number of runs times.
func (d *deltas) merged() run {
	runs := d.runs
	for len(runs) > 1 {
		var half []run
		for pair := range slices.Chunk(runs, 2) {
			newest := pair[len(pair)-1]
			if len(pair) == 2 {
				newest = newest.over(pair[0])
			}
			half = append(half, newest)
		}
		runs = half
	}
	if len(runs) == 0 {
		return run{}
	}
	return runs[0]
}
