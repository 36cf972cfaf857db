package tree

import "cmp"

// holds reports whether all compares of the transaction hold.
func (t *KVTxn) holds(keys KeyReader) bool {
	for i := range t.Compares {
		if !t.Compares[i].holds(keys) {
			return false
		}
	}
	return true
}

// holds reports whether the condition holds.
func (c *KVCompare) holds(keys KeyReader) bool {
	if c.IsKey() {
		return c.holdsFor(keys.Key(c.From))
	}
	found := false
	for n := range keys.Keys(c.KeyRange) {
		found = true
		if !c.holdsFor(n) {
			return false
		}
	}
	return found || c.holdsFor(nil)
}

// holdsFor reports whether the condition holds for a file. n is nil if there is none.
func (c *KVCompare) holdsFor(n *Node) bool {
	var order int
	switch {
	case c.Target == KVTargetValue:
		if n == nil {
			return false
		}
		order = cmp.Compare(n.Value(), c.Value)
	case n == nil:
		order = cmp.Compare(0, c.Number)
	default:
		order = cmp.Compare(c.property(n), c.Number)
	}
	switch c.Result {
	case KVGreater:
		return order > 0
	case KVLess:
		return order < 0
	case KVNotEqual:
		return order != 0
	}
	return order == 0
}

// property returns the number that the condition compares.
func (c *KVCompare) property(n *Node) int64 {
	switch c.Target {
	case KVTargetCreate:
		return int64(n.CreateRevision())
	case KVTargetMod:
		return int64(n.ModRevision())
	case KVTargetLease:
		return n.Lease()
	}
	return int64(n.Version())
}
