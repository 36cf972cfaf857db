package tree

import "iter"

// The functions of this file find the last key before a bound. A walk in descending order calls them for each key: a key costs a few
// look-ups, which do not depend on the number of keys before it. The order is explained in key_order.go.

// KeysDescending visits the files that Keys visits, in descending order. It takes a few times longer for each file than Keys.
func (v *View) KeysDescending(r KeyRange) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		if isEmptyRange(r) {
			return
		}
		path, plain := v.lastPathKey(r.To), v.lastPlainKey(r.To)
		for path != nil || plain != nil {
			n := path
			if path == nil || plain != nil && plain.Path() > path.Path() {
				n = plain
			}
			if n.Path() < r.From || !yield(n) {
				return
			}
			if n == path {
				path = v.lastPathKey(n.Path())
			} else {
				plain = v.lastPlainKey(n.Path())
			}
		}
	}
}

// lastPlainKey returns the file of the last plain key before a bound, or nil. The bound "" is no bound.
func (v *View) lastPlainKey(end string) *Node {
	if end == "" {
		return v.plain.nodes.Last()
	}
	return v.plain.nodes.Before(end)
}

// lastPathKey is lastPlainKey for the keys in the tree.
func (v *View) lastPathKey(end string) *Node {
	if end == "" {
		return v.root.directory().lastFile("")
	}
	relative, after := relativeBound(end)
	switch {
	case after:
		return v.root.directory().lastFile("")
	case relative == "":
		return nil
	}
	return v.root.directory().lastFile(relative)
}

// lastFile returns the file with the last key below the directory that is before a bound, or nil. The bound is the part of a key after the
// path of the directory and a slash. The bound "" is no bound.
func (d *directory) lastFile(end string) *Node {
	if d.keys == 0 {
		return nil
	}
	if name, rest, inside := cutName(end); inside {
		if n := d.children.Get(name); n != nil && n.IsDir() && rest != "" {
			if file := n.directory().lastFile(rest); file != nil {
				return file
			}
		}
		end = end[:len(name)+1]
	}
	for {
		n := d.lastChild(end)
		if n == nil {
			return nil
		}
		name := base(n.Path())
		// Files below a directory come after the siblings whose names begin with its name and a byte below '/'. Those of the shortest name
		// are the last.
		for _, dir := range d.dirsWithin(name, nil) {
			if file := dir.lastFileIfBefore(end); file != nil {
				return file
			}
		}
		if n.IsDir() {
			if file := n.lastFileIfBefore(end); file != nil {
				return file
			}
			n = n.Shadowed()
		}
		if n != nil {
			return n
		}
		end = name
	}
}

// lastChild returns the last child whose name is before a bound, or nil. The bound "" is no bound.
func (d *directory) lastChild(end string) *Node {
	if end == "" {
		return d.children.Last()
	}
	return d.children.Before(end)
}

// lastFileIfBefore returns the file with the last key below a directory if the keys below it are before a bound of the names of its
// siblings. Either all these keys are before the bound or none. It returns nil if none is, or if there are no files below.
func (n *Node) lastFileIfBefore(end string) *Node {
	if end != "" && base(n.Path())+"/" >= end {
		return nil
	}
	return n.directory().lastFile("")
}
