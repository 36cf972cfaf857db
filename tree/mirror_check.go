package tree

import (
	"errors"
	"fmt"
)

// maxSourceIndex is the largest index that a store may have that is imported or followed. No source reaches it. It leaves room for the
// changes after that.
const maxSourceIndex = maxIndex / 2

// check returns an error if no tree could apply the change. Apply refuses such a change with CodeInvalidField.
func (c *MirrorChange) check() error {
	switch {
	case c.To < c.After:
		return fmt.Errorf("the change ends at index %d, before the index %d at which it begins", c.To, c.After)
	case c.To > maxSourceIndex:
		return fmt.Errorf("the index %d is above %d, the largest one that a source may have", c.To, maxSourceIndex)
	case c.Phase > PhaseEnded:
		return fmt.Errorf("unknown phase %d", c.Phase)
	}
	for _, source := range c.Sources {
		if source == "" {
			return errors.New("the URL of a source is empty")
		}
	}
	for _, path := range c.Removed {
		if err := checkKey(path); err != nil {
			return fmt.Errorf("removed node: %w", err)
		}
	}
	for i := range c.Nodes {
		if err := c.Nodes[i].check(); err != nil {
			return fmt.Errorf("node: %w", err)
		}
	}
	last := c.After
	for i := range c.Events {
		e := &c.Events[i]
		if err := e.check(); err != nil {
			return fmt.Errorf("event: %w", err)
		}
		if at := e.Node.Modified; at <= last || at > c.To {
			return fmt.Errorf("event: index %d after index %d, in a change that ends at index %d", at, last, c.To)
		}
		last = e.Node.Modified
	}
	return nil
}

// checkKey returns an error if no key can have the path.
func checkKey(path string) error {
	if path == "/" || !ValidPath(path) {
		return fmt.Errorf("%.200q is not the clean path of a key", path)
	}
	return nil
}

// check returns an error if the tree can't store the node.
func (f *NodeFields) check() error {
	if err := checkKey(f.Path); err != nil {
		return err
	}
	switch {
	case f.Dir && f.Value != "":
		return fmt.Errorf("the directory %.200q has a value", f.Path)
	case f.Created == 0 || f.Created > f.Modified || f.Modified > maxSourceIndex:
		return fmt.Errorf("%.200q has the createdIndex %d and the modifiedIndex %d", f.Path, f.Created, f.Modified)
	}
	return nil
}

// check returns an error if the event can't come from a source.
func (f *EventFields) check() error {
	if err := f.Node.check(); err != nil {
		return err
	}
	switch {
	case f.Action == 0 || f.Action >= ActionAuth:
		return fmt.Errorf("unknown action %d of %.200q", f.Action, f.Node.Path)
	case f.Refresh:
		return fmt.Errorf("a refreshed TTL of %.200q: etcd sends no event for it", f.Node.Path)
	case f.Action.Removes() && (f.Node.Value != "" || f.Node.Expires != 0):
		return fmt.Errorf("%.200q has a value or an expiration after it was removed", f.Node.Path)
	case f.Prev != nil && (f.Prev.Created > maxSourceIndex || f.Prev.Modified > maxSourceIndex):
		return fmt.Errorf("%.200q had the createdIndex %d and the modifiedIndex %d before", f.Node.Path, f.Prev.Created, f.Prev.Modified)
	case f.Prev != nil && (f.Prev.Path != f.Node.Path || f.Prev.Dir && f.Prev.Value != ""):
		return fmt.Errorf("%.200q was another node before", f.Node.Path)
	}
	return nil
}
