package tree

// CountKeys returns the number of keys in a range. The plain keys take the time of a look-up. The other keys take time in proportion to
// the number of children in the range of each directory in which the range begins or ends, but less if all its children are files. All
// that lies in a directory between the ends is counted by the totals of the directory.
func (v *View) CountKeys(r KeyRange) int64 {
	if isEmptyRange(r) {
		return 0
	}
	count := int64(v.plain.nodes.Len() - v.plain.nodes.Rank(r.From))
	if r.To != "" {
		count -= int64(v.plain.nodes.Len() - v.plain.nodes.Rank(r.To))
	}
	from, none := relativeBound(r.From)
	if none {
		return count
	}
	if r.To == "" {
		return count + v.root.directory().countFrom(from)
	}
	to, all := relativeBound(r.To)
	if all {
		return count + v.root.directory().countFrom(from)
	}
	return count + v.root.directory().countBetween(from, to)
}

// The bounds of the functions below are the parts of keys after the path of the directory and a slash.

// countFrom returns the number of keys below the directory that are not less than from.
func (d *directory) countFrom(from string) int64 {
	if from == "" || d.keys == 0 {
		return int64(d.keys)
	}
	f := cutBound(from)
	return d.countChildren(f.children, "") + d.countAfter(&f)
}

// countBetween returns the number of keys below the directory that are not less than from and are less than to.
func (d *directory) countBetween(from, to string) int64 {
	if to <= from || d.keys == 0 {
		return 0
	}
	f, t := cutBound(from), cutBound(to)
	if f.inside && t.inside && f.name == t.name {
		if n := d.children.Get(f.name); n != nil && n.IsDir() {
			return n.directory().countBetween(f.rest, t.rest)
		}
		return 0
	}
	count := d.countAfter(&f)
	if f.children < t.children {
		count += d.countChildren(f.children, t.children)
	}
	// The children before the bound include directories below which files come after it.
	for _, n := range d.dirsWithin(t.name, nil) {
		count -= int64(n.directory().keys)
	}
	if !t.inside {
		return count
	}
	if n := d.children.Get(t.name); n != nil && n.IsDir() {
		count -= int64(n.directory().keys) - n.directory().countBetween("", t.rest)
	}
	return count
}

// keyBound is a bound that is divided at its first slash.
type keyBound struct {
	name, rest string
	inside     bool // the bound has a slash: it is a key below the child with the name
	// children is the bound for the names of children: a child whose name is less is itself before the bound.
	children string
}

func cutBound(key string) keyBound {
	b := keyBound{children: key}
	if b.name, b.rest, b.inside = cutName(key); b.inside {
		b.children = key[:len(b.name)+1]
	}
	return b
}

// countAfter returns the number of keys after a bound that are below children whose names are before it.
func (d *directory) countAfter(b *keyBound) (count int64) {
	for _, n := range d.dirsWithin(b.name, nil) {
		count += int64(n.directory().keys)
	}
	if b.inside {
		if n := d.children.Get(b.name); n != nil && n.IsDir() {
			count += n.directory().countFrom(b.rest)
		}
	}
	return count
}

// countChildren returns the number of keys at and below the children whose names are not less than from and are less than to. A to of ""
// is no end.
func (d *directory) countChildren(from, to string) (count int64) {
	if children := int32(d.children.Len()); d.nodes == children && d.keys == children { // each child is one key
		end := d.children.Len()
		if to != "" {
			end = d.children.Rank(to)
		}
		return int64(end - d.children.Rank(from))
	}
	offset := -1
	d.children.ScanFrom(from, func(n *Node) bool {
		path := n.Path()
		if offset < 0 {
			offset = len(path) - len(base(path))
		}
		if to != "" && path[offset:] >= to {
			return false
		}
		count += int64(n.totals().keys)
		if n.IsDir() {
			count += int64(n.directory().keys)
		}
		return true
	})
	return count
}
