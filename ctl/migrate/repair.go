package migrate

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"pando/tree"
)

// batches returns changes with the nodes and the removed paths, each with at most changeLimit bytes. The nodes are in the order of their
// paths, so that a directory comes before what is below it.
func batches(nodes []tree.NodeFields, removed []string) iter.Seq[*tree.MirrorChange] {
	return func(yield func(*tree.MirrorChange) bool) {
		slices.SortFunc(nodes, func(a, b tree.NodeFields) int { return strings.Compare(a.Path, b.Path) })
		change, size := &tree.MirrorChange{}, 0
		full := func(added int) bool {
			if size += added; size <= changeLimit || size == added {
				return false
			}
			size = added
			return true
		}
		for _, path := range removed {
			if full(nodeOverhead + len(path)) {
				if !yield(change) {
					return
				}
				change = &tree.MirrorChange{}
			}
			change.Removed = append(change.Removed, path)
		}
		for i := range nodes {
			if full(nodeSize(&nodes[i])) {
				if !yield(change) {
					return
				}
				change = &tree.MirrorChange{}
			}
			change.Nodes = append(change.Nodes, nodes[i])
		}
		if size > 0 {
			yield(change)
		}
	}
}

// split returns the nodes of the source at the differences, and the paths that it does not have.
func split(differences []difference) (nodes []tree.NodeFields, removed []string) {
	slices.SortFunc(differences, func(a, b difference) int { return strings.Compare(a.path, b.path) })
	for _, d := range differences {
		if d.source != nil {
			nodes = append(nodes, fieldsOf(d.source))
			continue
		}
		if n := len(removed); n == 0 || !isBelow(d.path, removed[n-1]) {
			removed = append(removed, d.path)
		}
	}
	return nodes, removed
}

// isBelow reports whether a path lies below a directory other than the root.
func isBelow(path, dir string) bool { return strings.HasPrefix(path, dir+"/") }

// walk compares the whole trees, at the given indexes or above. It returns the walk that has found the differences.
func (f *Follower) walk(ctx context.Context, sinceSource, sinceTarget uint64) (*walk, error) {
	w := &walk{source: f.source.read, target: f.target.read, sinceSource: sinceSource, sinceTarget: sinceTarget}
	return w, w.run(ctx, f.hiddenPaths())
}

// hiddenPaths returns the paths of the known hidden nodes.
func (f *Follower) hiddenPaths() []string {
	f.listMu.Lock()
	defer f.listMu.Unlock()
	return f.list.hiddenPaths()
}

// repair compares the whole trees, and makes the target equal where no event explains a difference: where a TTL was set by a refresh.
func (f *Follower) repair(ctx context.Context) error {
	track := f.trackers.begin()
	defer f.trackers.end(track)
	w, err := f.walk(ctx, track.position(), track.position())
	if err != nil {
		return err
	}
	if err := await(ctx, track, w.last); err != nil {
		return err
	}
	w.differences = slices.DeleteFunc(w.differences, func(d difference) bool { return track.touches(d.path) })
	nodes, removed := split(w.differences)
	changed, err := f.applyNodes(ctx, nodes, removed, track.touches)
	if changed > 0 {
		f.o.Note(fmt.Sprintf("compared %d nodes: %d were changed by the source without an event, and are the same now", w.nodes, changed))
	}
	return err
}

// rereadAll makes the target equal to the source at an index, after the changes between were lost. Changes of the source after the index
// may be there before they are applied as events.
func (f *Follower) rereadAll(ctx context.Context, index uint64) error {
	f.trackers.reset(index)
	before := f.targetIndex()
	w, err := f.walk(ctx, index, before)
	if err != nil {
		return err
	}
	later := func(d difference) bool { return d.source != nil && d.source.ModifiedIndex > index }
	w.differences = slices.DeleteFunc(w.differences, later) // they have an event
	nodes, removed := split(w.differences)
	changed, err := f.applyNodes(ctx, nodes, removed, func(string) bool { return false })
	if err != nil {
		return err
	}
	moved := false
	err = f.retryChange(ctx, func(now uint64) *tree.MirrorChange {
		if moved = now != before && now != index; moved || now == index {
			return nil
		}
		return &tree.MirrorChange{After: now, To: index, Reset: true}
	})
	if moved {
		err = errMoved
	}
	if err != nil {
		return err
	}
	f.progress.applied(index, 0, 0)
	f.o.Note(fmt.Sprintf("read %d nodes again: %d were changed in the meantime, without an event; watchers of older changes get error 401 "+
		"and read again; hidden keys that are new can't be found: name them, or the hidden directories above them, with --hidden",
		w.nodes, changed))
	return nil
}
