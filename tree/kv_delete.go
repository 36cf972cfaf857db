package tree

import (
	"cmp"
	"slices"
)

// A removal of many keys must not stop the log for long. So a large directory of which all keys are removed is removed as a whole, in
// a time that does not depend on the number of its keys. Its removal is one event, as that of a v2 delete with recursive=true. It is one
// v2 index, and for v3 watchers it is the removal of each key. This is possible only for an implied directory, which vanishes with its
// keys: other directories stay, and their keys are removed one by one.

// wholeDirKeys is the number of keys above which an implied directory is removed as a whole. Watchers of fewer keys see the event of each
// key. The limit must not change: every member must apply an entry alike.
const wholeDirKeys = 1000

// deleteRange executes a KVDeleteRange. If the limit of the result is exceeded, Prev is not complete.
func (s *Store) deleteRange(o *KVOp, limit *resultLimit) KVOpResult {
	r := KVOpResult{Kind: KVDeleteRange}
	from := o.Keys.From
	for _, dir := range s.removableDirs(o.Keys) {
		inside := rangeBelow(dir.Path())
		s.deleteKeys(o, KeyRange{From: from, To: inside.From}, limit, &r)
		if o.PrevKV {
			for n := range s.current().Keys(inside) {
				if !limit.take(resultSize(n)) {
					break
				}
				r.Prev = append(r.Prev, n)
			}
		}
		r.Deleted += int64(dir.directory().keys)
		s.remove(ActionDelete, dir)
		from = inside.To
	}
	s.deleteKeys(o, KeyRange{From: from, To: o.Keys.To}, limit, &r)
	r.Revision = s.current().Revision()
	return r
}

// deleteKeys removes the keys of a range one by one, and adds them to the result.
func (s *Store) deleteKeys(o *KVOp, keys KeyRange, limit *resultLimit, r *KVOpResult) {
	if keys.From == keys.To {
		return
	}
	files := make([]removedFile, 0, s.current().CountKeys(keys))
	walk := keyWalk{}
	walk.yield = func(n *Node) bool {
		files = append(files, removedFile{n, walk.kind})
		if o.PrevKV && limit.take(resultSize(n)) {
			r.Prev = append(r.Prev, n)
		}
		return true
	}
	s.current().walkKeys(&walk, keys)
	s.removeFiles(ActionDelete, files)
	r.Deleted += int64(len(files))
}

// rangeBelow returns the range of the keys below a directory.
func rangeBelow(dir string) KeyRange {
	text := dir + "/" + dir + "0" // the byte after the slash
	return KeyRange{From: text[:len(dir)+1], To: text[len(dir)+1:]}
}

// removableDirs returns the directories that deleteRange removes as a whole, in the order of their keys.
func (s *Store) removableDirs(keys KeyRange) []*Node {
	var found []*Node
	if s.root.directory().keys > wholeDirKeys {
		found = s.addRemovableDirs(nil, s.root, keys)
	}
	slices.SortFunc(found, func(a, b *Node) int { return cmp.Compare(rangeBelow(a.Path()).From, rangeBelow(b.Path()).From) })
	return found
}

// addRemovableDirs adds the removable directories below a directory.
func (s *Store) addRemovableDirs(found []*Node, dir *Node, keys KeyRange) []*Node {
	dir.directory().children.Scan(func(n *Node) bool {
		if !n.IsDir() || n.directory().keys <= wholeDirKeys {
			return true
		}
		inside := rangeBelow(n.Path())
		switch {
		case keys.To != "" && keys.To <= inside.From || inside.To <= keys.From: // no key of the directory is in the range
		case n.isImplied() && keys.From <= inside.From && (keys.To == "" || inside.To <= keys.To) && !s.hasPlainKeys(inside):
			found = append(found, n)
		default:
			found = s.addRemovableDirs(found, n, keys)
		}
		return true
	})
	return found
}

// hasPlainKeys reports whether there are plain keys in a range, such as "/a/" among the keys below "/a".
func (s *Store) hasPlainKeys(r KeyRange) bool {
	return s.plain.nodes.Rank(r.From) < s.plain.nodes.Rank(r.To)
}
