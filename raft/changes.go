package raft

import "pando/tree"

// changesOf returns the number of changes that a command makes in a tree, or more: a transaction counts for its longer list. Apply is busy
// with the changes of one entry at a time, so their number bounds an entry. It may be wrong if the tree changes before the command is
// applied.
func changesOf(c *tree.Command, s *tree.Store) int {
	switch c.Op {
	case tree.OpTxn:
		return max(1, len(c.Txn.Then), len(c.Txn.Else))
	case tree.OpDeleteRange:
		return max(1, keysIn(tree.KeyRange{From: c.Path, To: c.Value}, s))
	case tree.OpKV:
		return max(1, changesOfTxn(c.KV, s))
	case tree.OpLeaseRevoke:
		changes := 0
		for _, id := range c.Leases {
			changes += 1 + s.LeaseKeyCount(id)
		}
		return changes
	}
	return 1
}

// changesOfTxn is changesOf for a transaction of the v3 API.
func changesOfTxn(t *tree.KVTxn, s *tree.Store) (most int) {
	for _, list := range [...][]tree.KVOp{t.Then, t.Else} {
		changes := 0
		for i := 0; i < len(list) && changes <= maxEntryChanges; i++ { // counting more ranges takes time
			switch o := &list[i]; o.Kind {
			case tree.KVPut:
				changes++
			case tree.KVDeleteRange:
				changes += keysIn(o.Keys, s)
			case tree.KVNested:
				changes += changesOfTxn(o.Txn, s)
			}
		}
		most = max(most, changes)
	}
	return most
}

// keysIn returns the number of keys in a range.
func keysIn(r tree.KeyRange, s *tree.Store) int { return int(s.View().CountKeys(r)) }
