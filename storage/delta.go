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
//
// A start holds all chunks in memory. The changes in them are decoded when they are merged, so that they need no memory of their own.

// change is the new state of a path: the stored form of its node, or an empty node, a
// tombstone, when the path was deleted.
type change struct{ path, node []byte }

// changes are sorted changes. Each path is among them once, in ascending order.
type changes interface {
	// next returns the next change, or one without a path at the end.
	next() change
}

// run is a sorted run. deletedDirs takes effect before the changes: everything older
// below these paths is deleted.
type run struct {
	changes     changes
	deletedDirs dirPrefixes
}

// over merges the run over an older one. Neither of the two may be used afterwards.
func (r run) over(older run) run {
	return run{
		changes:     &overlay{newer: r.changes, older: older.changes, deletedDirs: slices.Clone(r.deletedDirs)},
		deletedDirs: outermost(slices.Concat(older.deletedDirs, r.deletedDirs)),
	}
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

// overlay merges newer changes over older ones.
type overlay struct {
	newer, older         changes
	nextNewer, nextOlder change      // without a path before the first call of next, and at the end
	deletedDirs          dirPrefixes // of the newer changes
	begun                bool
}

func (o *overlay) next() change {
	if !o.begun {
		o.begun, o.nextNewer, o.nextOlder = true, o.newer.next(), o.older.next()
	}
	for len(o.nextOlder.path) > 0 {
		order := -1
		if len(o.nextNewer.path) == 0 {
			order = 1
		} else {
			order = bytes.Compare(o.nextNewer.path, o.nextOlder.path)
		}
		if order < 0 {
			break
		}
		older := o.nextOlder
		o.nextOlder = o.older.next()
		if order > 0 && !o.deletedDirs.cover(older.path) { // otherwise the newer change replaces it
			return older
		}
	}
	newer := o.nextNewer
	if len(newer.path) > 0 {
		o.nextNewer = o.newer.next()
	}
	return newer
}

// merger merges a run over the nodes, and passes the result to emit
// in ascending order of the paths.
type merger struct {
	newer run // what is still to be merged, without first
	first change
	emit  func(change) error
}

func newMerger(newer run, emit func(change) error) *merger {
	return &merger{newer: newer, first: newer.changes.next(), emit: emit}
}

// add takes the next older change. Changes must come in ascending order of their paths.
func (m *merger) add(older change) error {
	for len(m.first.path) > 0 {
		order := bytes.Compare(m.first.path, older.path)
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
	for len(m.first.path) > 0 {
		if err := m.emitNewer(); err != nil {
			return err
		}
	}
	return nil
}

func (m *merger) emitNewer() error {
	c := m.first
	m.first = m.newer.changes.next()
	return m.emit(c)
}

// deltas collects the chunks of all deltas, oldest first.
type deltas struct {
	runs  []chunkRun
	bytes uint64 // size of the chunks
}

// chunkRun is one run in consecutive chunks.
type chunkRun struct {
	chunks      [][]byte // without the deleted directories
	last        []byte   // the last path; empty if there is no change
	deletedDirs dirPrefixes
}

// run returns the run. It does not change r.
func (r *chunkRun) run() run {
	return run{&chunkChanges{chunks: slices.Clone(r.chunks)}, slices.Clone(r.deletedDirs)}
}

// add takes the next chunk and keeps a reference to it.
func (d *deltas) add(chunk []byte) error {
	next, first, err := parseChunk(chunk)
	if err != nil {
		return err
	}
	d.bytes += uint64(len(chunk))
	if n := len(d.runs); n > 0 && len(next.deletedDirs) == 0 && len(first) > 0 && bytes.Compare(d.runs[n-1].last, first) < 0 {
		// Both are parts of one delta, or might be.
		d.runs[n-1].chunks, d.runs[n-1].last = append(d.runs[n-1].chunks, next.chunks...), next.last
	} else {
		d.runs = append(d.runs, next)
	}
	return nil
}

// merged returns one run with the content of all chunks. It merges neighbours in
// rounds, so each path is compared about log2 of the number of runs times.
func (d *deltas) merged() run {
	runs := make([]run, 0, len(d.runs))
	for _, r := range d.runs {
		runs = append(runs, r.run())
	}
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
		return run{changes: &chunkChanges{}}
	}
	return runs[0]
}
