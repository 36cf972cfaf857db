package tree

// Fields returns the node without its children, in the form in which Loader.ImportNode takes it. The caller owns the result; its texts
// share memory with the node.
func (n *Node) Fields() NodeFields {
	return NodeFields{
		Path: n.Path(), Value: n.Value(), Dir: n.IsDir(), Created: n.CreatedIndex(), Modified: n.ModifiedIndex(),
		Expires: n.Expires(), CreateRevision: n.CreateRevision(), ModRevision: n.ModRevision(), Version: n.storedVersion(), Lease: n.Lease(),
	}
}

// Fields returns the event in the form in which Loader.ImportEvent takes it. The caller owns the result; its texts share memory with the
// event.
func (e *Event) Fields() EventFields {
	f := EventFields{Action: e.action, Refresh: e.refresh, Time: e.time, Node: e.node.Fields()}
	if e.prev != nil {
		prev := e.prev.Fields()
		f.Prev = &prev
	}
	return f
}
