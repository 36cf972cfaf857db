package tree

import "fmt"

// V3OnlyKey adds the file of a plain key, or the shadowed file of a directory. data is what AppendNode appended. It must be called after
// Node was called for all nodes. It is fastest if the plain keys come in their order.
func (l *Loader) V3OnlyKey(key string, data []byte) error {
	n, err := decodeNode(key, data)
	switch {
	case err != nil:
		return err
	case key == "" || len(key) > MaxKeyBytes || n.IsDir():
		return fmt.Errorf("%w: key %.64q", ErrBadState, key)
	}
	if err := l.checkNumbers(n); err != nil {
		return err
	}
	if err := l.attach(n); err != nil {
		return err
	}
	l.files.add(n)
	if !isPathKey(key) {
		if !l.store.plain.nodes.Append(n) {
			return fmt.Errorf("%w: two files have the key %.64q", ErrBadState, key)
		}
		l.store.plain.bytes += n.bytes()
		return nil
	}
	return l.addShadowed(n)
}

// addShadowed adds the shadowed file of a directory.
func (l *treeLoader) addShadowed(n *Node) error {
	key := n.Path()
	if dir := parent(key); l.dir.Path() != dir && !l.enter(dir) {
		return fmt.Errorf("%w: the shadowed file %.64q has no directory", ErrBadState, key)
	}
	at := l.above.parent().children.Get(base(key))
	if at == nil || !at.IsDir() || at.Shadowed() != nil {
		return fmt.Errorf("%w: no directory can have the shadowed file %.64q", ErrBadState, key)
	}
	l.above.replace(at, at.withShadowed(n))
	return nil
}
