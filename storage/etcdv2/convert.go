package etcdv2

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pando/storage/etcdv3"
	"pando/tree"
)

// converter makes a tree.Store from the model.
type converter struct {
	loader *tree.Loader
	report *Report
}

// maxExamples is how many of the nodes that can't be brought along are named.
const maxExamples = 5

// convert makes the tree. It frees the model step by step, so that both are not in memory as a whole. If beside
// is not nil, the caller must add the keys of this file of v3, and the users are those of the API that has any.
func convert(s *store, historySize int, report *Report, beside *etcdv3.File) (*tree.Store, error) {
	c := &converter{loader: tree.NewLoader(historySize), report: report}
	list, err := readUsers(s, report)
	if err != nil {
		return nil, err
	}
	state, err := list.state(s.index)
	if err == nil && beside != nil {
		state, err = list.merge(state, beside)
	}
	if err != nil {
		return nil, err
	}
	// The index of an empty tree is 1, so that of a store without any change is not brought along.
	if err := c.loader.ImportState(max(s.index, 1), s.counters, state); err != nil {
		return nil, err
	}
	if beside != nil {
		c.loader.ImportRevisions(tree.ImportBase(beside.Compacted))
	}
	if err := c.children(s.root.children[keySpace[1:]], ""); err != nil {
		return nil, err
	}
	if err := c.events(s); err != nil {
		return nil, err
	}
	return c.loader.Finish()
}

// children adds the nodes below a directory.
func (c *converter) children(dir *node, path string) error {
	for _, name := range slices.Sorted(maps.Keys(dir.children)) {
		n := dir.children[name]
		delete(dir.children, name)
		below := path + "/" + name
		if !tree.ValidPath(below) {
			c.leaveOut(below, n)
			continue
		}
		f := tree.NodeFields{Path: below, Value: n.value, Dir: n.isDir(), Created: n.created, Modified: n.modified, Expires: n.expires}
		c.report.count(&f)
		if err := c.loader.ImportNode(f); err != nil {
			return err
		}
		if n.isDir() {
			if err := c.children(n, below); err != nil {
				return err
			}
		}
	}
	return nil
}

// leaveOut notes a node that the tree can't hold, with all below it.
func (c *converter) leaveOut(path string, n *node) {
	c.report.LeftOut++
	if c.report.LeftOut <= maxExamples {
		kind := "key"
		if n.isDir() {
			kind = "directory"
		}
		c.report.note("%s %.80q was left out, with all below it: its path is longer than %d bytes or deeper than %d levels",
			kind, path, tree.MaxPathBytes, tree.MaxPathDepth)
	}
}

// events adds the history. Events of other namespaces, and those that the tree can't hold, keep their indexes.
func (c *converter) events(s *store) error {
	for e := range s.events.all() {
		if e.Node.Modified <= 1 {
			continue // the tree has no event 1; in etcd it is always one of the membership
		}
		f := tree.EventFields{Action: tree.ActionAuth, Node: tree.NodeFields{Path: "/", Dir: true, Modified: e.Node.Modified}}
		if moved, ok := inKeySpace(e); ok {
			f = moved
			f.Time = shownTime(&f)
		}
		if err := c.loader.ImportEvent(f); err != nil {
			return fmt.Errorf("event %d: %w", e.Node.Modified, err)
		}
		c.report.addEvent(e.Node.Modified)
	}
	return nil
}

// inKeySpace returns the event with the paths that clients see, if it is one of a key.
func inKeySpace(e *tree.EventFields) (tree.EventFields, bool) {
	moved := *e
	path, ok := strings.CutPrefix(e.Node.Path, keySpace+"/")
	if moved.Node.Path = "/" + path; !ok || !tree.ValidPath(moved.Node.Path) {
		return moved, false
	}
	if e.Prev != nil {
		prev := *e.Prev
		prev.Path = moved.Node.Path
		moved.Prev = &prev
	}
	return moved, true
}
