package tree

// List selects the nodes below a directory that a response shows, and how it shows them. The zero value shows none. A List must not be
// changed while it is used.
type List struct {
	// Depth is the number of levels below the directory: Shallow, Deep or any other number that is not negative.
	Depth int
	// Hidden includes hidden nodes and all nodes below them.
	Hidden bool
	// KeysOnly leaves out the values of files.
	KeysOnly bool
	// Count shows the number of the selected nodes instead of the nodes.
	Count bool
	// Page shows the selected nodes of all levels as one array, in the order of View.Walk, and not as arrays in arrays. The array has
	// those after the path After, and at most Limit of them. After need not exist; it must be valid and lie below the directory. An empty
	// After stands for the beginning, and a Limit of 0 for no limit.
	Page  bool
	After string
	Limit int
}

// Encode returns the response to a read of n, like EncodeGet.
func (l *List) Encode(n *Node, now int64) Encoding { return Encoding{node: n, now: now, list: l} }

// End returns the path of the last node on the page of a directory, if nodes follow it. It is empty if the page is the last one. It
// visits the nodes of the page, so its time follows from Limit.
func (l *List) End(dir *Node) (last string) {
	if l.Limit == 0 {
		return ""
	}
	left, more := l.Limit, false
	l.walk(dir, func(n *Node) bool {
		if left == 0 {
			more = true
			return false
		}
		left--
		last = n.Path()
		return true
	})
	if !more {
		return ""
	}
	return last
}

// walk visits the selected nodes after l.After in the order of View.Walk, without a limit. It stops if visit returns false.
func (l *List) walk(dir *Node, visit func(*Node) bool) {
	if l.After == "" {
		l.descend(dir, l.Depth, visit)
	} else {
		l.descendAfter(dir, l.Depth, visit)
	}
}

// descend visits the selected nodes in depth levels below n. It returns false if visit has returned false.
func (l *List) descend(n *Node, depth int, visit func(*Node) bool) bool {
	if !n.IsDir() || depth == 0 {
		return true
	}
	offset := nameOffset(n.Path())
	return n.directory().children.Scan(func(child *Node) bool { return l.enter(child, offset, depth, visit) })
}

// descendAfter is descend for the nodes after l.After, which must lie below n. Its time does not depend on the number of nodes before.
func (l *List) descendAfter(n *Node, depth int, visit func(*Node) bool) bool {
	if !n.IsDir() || depth == 0 {
		return true
	}
	offset := nameOffset(n.Path())
	name, _, below := cutName(l.After[offset:])
	return n.directory().children.ScanFrom(name, func(child *Node) bool {
		switch {
		case child.Path()[offset:] != name:
			return l.enter(child, offset, depth, visit)
		case !l.Hidden && hiddenName(name):
			return true
		case below:
			return l.descendAfter(child, depth-1, visit)
		}
		return l.descend(child, depth-1, visit)
	})
}

// enter visits a child, if it is selected, and the nodes below it. offset is that of the child's name in its path.
func (l *List) enter(child *Node, offset, depth int, visit func(*Node) bool) bool {
	if !l.Hidden && hiddenName(child.Path()[offset:]) {
		return true
	}
	return visit(child) && l.descend(child, depth-1, visit)
}

// append appends n with the selected nodes, or with their number behind it.
func (l *List) append(dst []byte, n *Node, now int64, p *pieces) []byte {
	f := format{now: now, keysOnly: l.KeysOnly, hidden: l.Hidden}
	switch {
	case l.Count:
		dst = appendNode(dst, n, &f, 0, p)
		return appendInt(append(dst, `,"count":`...), l.count(n))
	case !l.Page:
		return appendNode(dst, n, &f, l.Depth, p)
	}
	dst = appendHead(dst, n, &f, p)
	dst = l.appendPage(dst, n, &f, p)
	dst = appendIndexes(dst, n.ModifiedIndex(), n.CreatedIndex())
	return append(dst, '}')
}

// appendPage appends the "nodes" of a page. If there are none, it appends nothing.
func (l *List) appendPage(dst []byte, dir *Node, f *format, p *pieces) []byte {
	shown := 0
	l.walk(dir, func(n *Node) bool {
		if shown == 0 {
			dst = append(dst, `,"nodes":[`...)
		} else {
			dst = append(dst, ',')
		}
		shown++
		dst = appendNode(dst, n, f, 0, p)
		if p != nil {
			if dst = p.flush(dst); p.failed() {
				return false
			}
		}
		return shown != l.Limit
	})
	if shown > 0 {
		dst = append(dst, ']')
	}
	return dst
}

// count returns the number of the selected nodes.
func (l *List) count(dir *Node) int64 {
	if l.Hidden && l.Depth == Deep && dir.IsDir() {
		return int64(dir.directory().nodes)
	}
	count := int64(0)
	l.descend(dir, l.Depth, func(*Node) bool {
		count++
		return true
	})
	return count
}
