package service

import (
	"pando/stats"
	"pando/tree"
)

// ReadOperation returns the metrics' name of a read, whose node is nil if it failed.
func ReadOperation(c Consistency, n *tree.Node) stats.Op {
	switch {
	case c == Linearizable:
		return stats.OpQuorumGet
	case n != nil && n.IsDir():
		return stats.OpList
	}
	return stats.OpGet
}

// operations are the metrics' names of the operations of the tree.
var operations = [...]stats.Op{
	tree.OpSet:              stats.OpSet,
	tree.OpCreate:           stats.OpCreate,
	tree.OpCreateInOrder:    stats.OpCreateInOrder,
	tree.OpUpdate:           stats.OpUpdate,
	tree.OpCompareAndSwap:   stats.OpCompareAndSwap,
	tree.OpDelete:           stats.OpDelete,
	tree.OpCompareAndDelete: stats.OpCompareAndDelete,
}

// ChangeOperation returns the metrics' name of a command.
func ChangeOperation(c *tree.Command) stats.Op {
	if c.Refresh {
		return stats.OpRefresh
	}
	return operations[c.Op]
}

// Uncounted is the operation of requests that the metrics do not count, or that are counted later.
const Uncounted stats.Op = 255
