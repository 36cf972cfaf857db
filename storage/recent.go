package storage

import (
	"bytes"
	"slices"
)

// A checkpoint appends what has changed to the bucket of recent changes, and leaves
// the nodes as they are: were each changed node put into its place at once, it
// would cost a page. So what is stored is the nodes with the recent changes over
// them. When these have become many, they are folded into the nodes.

// change is what became of a path: the stored form of its node, or nothing when
// it is gone.
type change struct{ path, node []byte }

// run is what some chunks say that follow each other: each path once, in
// ascending order, and under which directories nothing older counts.
type run struct {
	changes []change
	removed removals
}

func (r *run) endsBefore(path []byte) bool {
	n := len(r.changes)
	return n == 0 || bytes.Compare(r.changes[n-1].path, path) < 0
}

// over gives what two runs say together.
func (r run) over(older run) run {
	both := run{
		changes: make([]change, 0, len(older.changes)+len(r.changes)),
		removed: outermost(slices.Concat(older.removed, r.removed)),
	}
	m := merger{run: r, give: func(c change) error {
		both.changes = append(both.changes, c)
		return nil
	}}
	for _, c := range older.changes {
		_ = m.older(c) // the errors are those of give, which has none
	}
	_ = m.rest()
	return both
}

// removals are the paths of deleted directories, each with a slash at its end, in
// ascending order, none below another.
type removals [][]byte

func outermost(dirs [][]byte) removals {
	slices.SortFunc(dirs, bytes.Compare)
	var out removals
	for _, dir := range dirs {
		if n := len(out); n == 0 || !bytes.HasPrefix(dir, out[n-1]) {
			out = append(out, dir)
		}
	}
	return out
}

// hide reports whether path lies in one of the directories. It must be asked for
// paths in ascending order, and forgets the directories before them.
func (r *removals) hide(path []byte) bool {
	for len(*r) > 0 {
		dir := (*r)[0]
		if bytes.Compare(path, dir) < 0 {
			return false
		}
		if bytes.HasPrefix(path, dir) {
			return true
		}
		*r = (*r)[1:]
	}
	return false
}

// merger lays a run over what is older, and gives the outcome in ascending order.
type merger struct {
	run
	give func(change) error
}

// older takes the older changes, or the nodes, in ascending order.
func (m *merger) older(c change) error {
	for len(m.changes) > 0 {
		order := bytes.Compare(m.changes[0].path, c.path)
		if order == 0 {
			return nil // replaced
		}
		if order > 0 {
			break
		}
		if err := m.next(); err != nil {
			return err
		}
	}
	if m.removed.hide(c.path) {
		return nil
	}
	return m.give(c)
}

// rest gives what comes behind all that is older.
func (m *merger) rest() error {
	for len(m.changes) > 0 {
		if err := m.next(); err != nil {
			return err
		}
	}
	return nil
}

func (m *merger) next() error {
	c := m.changes[0]
	m.changes = m.changes[1:]
	return m.give(c)
}

// recent collects the chunks of the recent changes, oldest first.
type recent struct {
	runs  []run
	bytes uint64
}

// add takes the next chunk, and keeps it.
func (r *recent) add(chunk []byte) error {
	next, err := parseChunk(chunk)
	if err != nil {
		return err
	}
	r.bytes += uint64(len(chunk))
	r.append(next)
	return nil
}

// append takes what the next chunk says.
func (r *recent) append(next run) {
	if n := len(r.runs); n > 0 && r.continuedBy(next) {
		r.runs[n-1].changes = append(r.runs[n-1].changes, next.changes...)
	} else {
		r.runs = append(r.runs, next)
	}
}

// continuedBy reports whether a run has nothing to say about the last one, as when
// both are of one checkpoint.
func (r *recent) continuedBy(next run) bool {
	return len(next.removed) == 0 && len(next.changes) > 0 && r.runs[len(r.runs)-1].endsBefore(next.changes[0].path)
}

// merged gives what all chunks say together. It merges neighbours, so that a path
// is compared as often as the number of runs can be halved.
func (r *recent) merged() run {
	runs := r.runs
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
