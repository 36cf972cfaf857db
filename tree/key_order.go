package tree

import (
	"iter"
	"strings"

	"pando/tree/btree"
)

// The children of a directory are in the order of their names, which is not that of the keys: "/a-b" comes before "/a/b", though the name
// "a" comes before "a-b", because '-' comes before '/'. So the files below a directory come after the siblings whose names begin with the
// directory's name and a byte below '/'. These siblings follow the directory immediately in the order of the names. A walk therefore
// defers the directory until it has visited them. Deferred directories form a stack: the name of each begins with the name of the one
// below it.

// Keys visits the files of the keys in a range, shadowed files and plain keys included, in the order of the keys as strings of bytes.
func (v *View) Keys(r KeyRange) iter.Seq[*Node] {
	return func(yield func(*Node) bool) { v.walkKeys(&keyWalk{yield: yield}, r) }
}

// walkKeys passes the files that Keys visits to the yield of a walk, whose other fields must be zero.
func (v *View) walkKeys(w *keyWalk, r KeyRange) {
	if isEmptyRange(r) {
		return
	}
	w.to, w.plain = r.To, v.plain.nodes.Seek(r.From)
	w.next = w.plain.Next()
	if from, after := relativeBound(r.From); !after {
		w.below(v.root, from)
	}
	for !w.stopped && w.next != nil && (w.to == "" || w.next.Path() < w.to) {
		w.yieldPlain()
	}
}

// filesBelow visits the files below a directory in the order of the keys: those that go with the directory when it is removed. Its own
// shadowed file is none of them.
func filesBelow(dir *Node) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		w := keyWalk{yield: yield}
		w.below(dir, "")
	}
}

// relativeBound turns the end of a range of keys into a bound for the keys of the tree, which all begin with a slash: the text after this
// slash. It is empty for a bound before all these keys. after reports that the bound is after all of them.
func relativeBound(key string) (relative string, after bool) {
	switch {
	case key <= "/":
		return "", false
	case key[0] == '/':
		return key[1:], false
	}
	return "", true
}

// keyWalk visits keys in order. It merges the plain keys with those of the tree.
type keyWalk struct {
	to      string // the end of the range; "" for none
	yield   func(*Node) bool
	kind    fileKind // of the file that is passed to yield
	stopped bool     // yield has returned false
	plain   btree.Cursor[*Node]
	next    *Node // the next plain key; nil if there is none
}

// visit yields a file of the tree, after the plain keys before it. It returns false if the walk of the tree must end.
func (w *keyWalk) visit(n *Node, kind fileKind) bool {
	key := n.Path()
	if w.to != "" && key >= w.to {
		return false
	}
	for w.next != nil && w.next.Path() < key {
		if !w.yieldPlain() {
			return false
		}
	}
	w.kind = kind
	w.stopped = !w.yield(n)
	return !w.stopped
}

// yieldPlain yields the next plain key. It returns false if the walk must end.
func (w *keyWalk) yieldPlain() bool {
	w.kind = plainFile
	w.stopped = !w.yield(w.next)
	w.next = w.plain.Next()
	return !w.stopped
}

// below visits the files below a directory whose keys are not less than from. Callers pass the part of that key after the path of the
// directory and a slash. below returns false if the walk must end.
func (w *keyWalk) below(dir *Node, from string) bool {
	d := dir.directory()
	if d.keys == 0 {
		return true
	}
	offset := nameOffset(dir.Path())
	name, rest, inside := cutName(from)
	deferred := d.dirsWithin(name, nil)
	if inside {
		if n := d.children.Get(name); n != nil && n.IsDir() && !w.below(n, rest) {
			return false
		}
		from = from[:len(name)+1] // every name above name is above this text, because no name has a slash
	}
	more := d.children.ScanFrom(from, func(n *Node) bool {
		for len(deferred) > 0 && !comesBefore(n.Path()[offset:], deferred[len(deferred)-1].Path()[offset:]) {
			if !w.leave(&deferred) {
				return false
			}
		}
		if !n.IsDir() {
			return w.visit(n, visibleFile)
		}
		deferred = append(deferred, n)
		file := n.Shadowed()
		return file == nil || w.visit(file, shadowedFile)
	})
	for more && len(deferred) > 0 {
		more = w.leave(&deferred)
	}
	return more
}

// leave visits the files below the last deferred directory, and removes it from the stack.
func (w *keyWalk) leave(deferred *[]*Node) bool {
	last := len(*deferred) - 1
	dir := (*deferred)[last]
	*deferred = (*deferred)[:last]
	return w.below(dir, "")
}

// comesBefore reports whether a child comes before the files below the directory dir, whose name comes before that of the child.
func comesBefore(name, dir string) bool { return strings.HasPrefix(name, dir) && name[len(dir)] < '/' }

// dirsWithin appends the children that are directories before whose files a child with this name would come. Each has a name that begins
// the given one, and the shortest is the first.
func (d *directory) dirsWithin(name string, dst []*Node) []*Node {
	for i := 1; i < len(name); i++ {
		if name[i] < '/' {
			if n := d.children.Get(name[:i]); n != nil && n.IsDir() {
				dst = append(dst, n)
			}
		}
	}
	return dst
}
