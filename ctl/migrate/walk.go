package migrate

import (
	"context"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"pando/ctl/client"
	"pando/ctl/diff"
)

// walkWidth is the number of directories that a walk reads at the same time.
const walkWidth = 4

// readFunc reads the node at a path with its children, and the index of the store, which is at least since. The node is nil if there is
// none.
type readFunc func(ctx context.Context, path string, since uint64) (*client.Node, uint64, error)

// difference is a path at which two trees differ. A node is nil if there is none. The nodes have no children.
type difference struct {
	path           string
	source, target *client.Node
}

// walk compares two trees directory by directory. It holds only the directories in memory that it reads at the moment.
type walk struct {
	source, target           readFunc
	sinceSource, sinceTarget uint64
	progress                 func(nodes int64) // called with the number of nodes that were compared; may be nil

	mu          sync.Mutex
	ready       sync.Cond
	open        []task // a stack, so that it stays short
	running     int
	failed      bool
	nodes       int64
	last        uint64 // the largest index of a response
	differences []difference
}

// task is a node to compare with everything below it, except for hidden nodes.
type task struct {
	path               string
	onSource, onTarget bool
	self               bool // the node itself was not compared yet
}

// run compares the whole trees. Hidden nodes, and everything below them, are compared only if their paths are given.
func (w *walk) run(ctx context.Context, hidden []string) error {
	w.ready.L = &w.mu
	for _, path := range append([]string{"/"}, hidden...) {
		w.open = append(w.open, task{path: path, onSource: true, onTarget: true, self: true})
	}
	group, ctx := errgroup.WithContext(ctx)
	for range walkWidth {
		group.Go(func() error {
			for {
				t, ok := w.next()
				if !ok {
					return nil
				}
				err := w.compare(ctx, t)
				w.done(err)
				if err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// next returns the next task. It returns false if there is none and will be none.
func (w *walk) next() (task, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.open) == 0 && w.running > 0 && !w.failed {
		w.ready.Wait()
	}
	if len(w.open) == 0 || w.failed {
		return task{}, false
	}
	t := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	w.running++
	return t, true
}

func (w *walk) done(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	w.failed = w.failed || err != nil
	w.ready.Broadcast()
}

// compare reads a node of both trees and compares their children.
func (w *walk) compare(ctx context.Context, t task) error {
	var source, target *client.Node
	var indexes [2]uint64
	var err error
	if t.onSource {
		if source, indexes[0], err = w.source(ctx, t.path, w.sinceSource); err != nil {
			return err
		}
	}
	if t.onTarget {
		if target, indexes[1], err = w.target(ctx, t.path, w.sinceTarget); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = max(w.last, indexes[0], indexes[1])
	if t.self && t.path != "/" {
		w.pair(t.path, withoutChildren(source), withoutChildren(target), false)
	}
	w.children(childrenOf(source), childrenOf(target))
	w.ready.Broadcast()
	if w.progress != nil {
		w.progress(w.nodes)
	}
	return nil
}

// children compares sorted children of a directory in two trees. Callers must hold mu.
func (w *walk) children(source, target []*client.Node) {
	for pair, _ := range diff.Merge(diff.Of(source), diff.Of(target)) { // without requests there is no error
		w.pair(pair.Key(), pair.A, pair.B, true)
	}
}

// pair compares two nodes. With below it adds a task for what is below them. Callers must hold mu.
func (w *walk) pair(path string, source, target *client.Node, below bool) {
	if source == nil && target == nil {
		return
	}
	w.nodes++
	if !diff.Exact.Equal(source, target) {
		w.differences = append(w.differences, difference{path, source, target})
	}
	onSource, onTarget := source != nil && source.Dir, target != nil && target.Dir
	if below && (onSource || onTarget) {
		w.open = append(w.open, task{path: path, onSource: onSource, onTarget: onTarget})
	}
}

// childrenOf returns the children of a node in the order of their keys.
func childrenOf(n *client.Node) []*client.Node {
	if n == nil {
		return nil
	}
	slices.SortFunc(n.Nodes, func(a, b *client.Node) int { return strings.Compare(a.Key, b.Key) })
	for i, child := range n.Nodes {
		n.Nodes[i] = withoutChildren(child)
	}
	return n.Nodes
}

// withoutChildren returns n without its children. The children stay with n.
func withoutChildren(n *client.Node) *client.Node {
	if n == nil || n.Nodes == nil {
		return n
	}
	alone := *n
	alone.Nodes = nil
	return &alone
}
