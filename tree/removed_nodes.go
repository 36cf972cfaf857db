package tree

import (
	"encoding/binary"
	"fmt"
	"iter"
	"strings"
)

// In the mode of the v3 API an event that removes a directory keeps the nodes below it. A checkpoint stores each under the index of the
// event and the path. The shadowed file of a directory has the path of that directory, so shadowedSuffix, which no path has, follows it.

// shadowedSuffix is the end of the key of a shadowed file.
const shadowedSuffix = "//"

// RemovedNodes visits the nodes that a checkpoint must store beside an event: those below the directory that it removes, if the history
// keeps them. Their keys are those of RemovedNode.AppendKey. A directory comes before the nodes below it.
func (v *View) RemovedNodes(e *Event) iter.Seq[RemovedNode] {
	return func(yield func(RemovedNode) bool) {
		if !v.keyHistory.keeps(e) {
			return
		}
		descend(e.prev, func(n *Node) bool {
			return yield(RemovedNode{Index: e.Index(), Node: n}) &&
				(n.Shadowed() == nil || yield(RemovedNode{Index: e.Index(), Node: n.Shadowed(), Shadowed: true}))
		})
	}
}

// RemovedNode is a node that was removed with a directory above it.
type RemovedNode struct {
	Index    uint64 // of the event that has removed the directory
	Node     *Node
	Shadowed bool // the node is the shadowed file of a directory
}

// AppendKey appends the key under which a checkpoint stores the node. The keys of an event begin with its index, 8 bytes big-endian.
func (r *RemovedNode) AppendKey(dst []byte) []byte {
	dst = append(binary.BigEndian.AppendUint64(dst, r.Index), r.Node.Path()...)
	if r.Shadowed {
		dst = append(dst, shadowedSuffix...)
	}
	return dst
}

// keeps reports whether the history keeps the directory that an event removes.
func (k *keyHistory) keeps(e *Event) bool {
	return k.from != 0 && e.Index() >= k.from && e.removesDir() && e.isWhole()
}

// removedLoader loads removed directories.
type removedLoader struct {
	treeLoader
	index uint64           // of the event of the directory that is being loaded
	tops  map[uint64]*Node // the directories whose events were not loaded yet, by the index of the event
}

// RemovedNode adds a node that was removed with a directory. key is what RemovedNode.AppendKey appended, and data what AppendNode did. The
// nodes must be added in the order of the keys, after State and before the first Event.
func (l *Loader) RemovedNode(key, data []byte) error {
	if len(key) < 8 || l.store.keyHistory.from == 0 {
		return fmt.Errorf("%w: removed node %.64q", ErrBadState, key)
	}
	index, path := binary.BigEndian.Uint64(key), string(key[8:])
	path, shadowed := strings.CutSuffix(path, shadowedSuffix)
	if !isPathKey(path) {
		return fmt.Errorf("%w: removed node %.64q", ErrBadState, path)
	}
	n, err := decodeNode(path, data)
	if err != nil {
		return err
	}
	r := &l.removed
	if index != r.index {
		if err := r.begin(index, parent(path), l.store); err != nil {
			return err
		}
	}
	switch {
	case !shadowed:
		return r.add(path, n)
	case n.IsDir():
		return fmt.Errorf("%w: the directory %.64q is a shadowed file", ErrBadState, path)
	}
	if err := r.checkNumbers(n); err != nil {
		return err
	}
	return r.addShadowed(n)
}

// begin begins with the directory that the event with an index has removed.
func (r *removedLoader) begin(index uint64, path string, s *Store) error {
	if index < s.keyHistory.from || index > s.index || index < r.index || path == "/" {
		return fmt.Errorf("%w: node below %.64q, which was removed at index %d", ErrBadState, path, index)
	}
	top := newDir(strings.Clone(path), newDirectory(path, 0))
	r.index, r.treeLoader = index, newTreeLoader(top, s)
	if r.tops == nil {
		r.tops = map[uint64]*Node{}
	}
	r.tops[index] = top
	return nil
}

// attach gives an event that removes a directory the nodes below it.
func (r *removedLoader) attach(e *Event) error {
	if e.prev == nil || !e.prev.IsDir() {
		return fmt.Errorf("%w: event %d removes no directory", ErrBadState, e.Index())
	}
	dir := newDirectory(e.prev.Path(), 0)
	if top := r.tops[e.Index()]; top != nil {
		if top.Path() != e.prev.Path() {
			return fmt.Errorf("%w: event %d removes %.64q, but the removed nodes are below %.64q",
				ErrBadState, e.Index(), e.prev.Path(), top.Path())
		}
		dir = top.directory()
		delete(r.tops, e.Index())
	}
	e.prev = e.prev.withDirectory(dir)
	return nil
}
