package service

import (
	"pando/stats"
	"pando/tree"
)

// ReadOperation returns the operation that the metrics count for a read. n is nil if the read failed.
func ReadOperation(c Consistency, n *tree.Node) stats.Op {
	switch {
	case c == Linearizable:
		return stats.OpQuorumGet
	case n != nil && n.IsDir():
		return stats.OpList
	}
	return stats.OpGet
}

// operations maps the operations of the tree to those of the metrics.
var operations = [...]stats.Op{
	tree.OpSet:              stats.OpSet,
	tree.OpCreate:           stats.OpCreate,
	tree.OpCreateInOrder:    stats.OpCreateInOrder,
	tree.OpUpdate:           stats.OpUpdate,
	tree.OpCompareAndSwap:   stats.OpCompareAndSwap,
	tree.OpDelete:           stats.OpDelete,
	tree.OpCompareAndDelete: stats.OpCompareAndDelete,
	tree.OpGet:              stats.OpGet,
}

// ChangeOperation returns the operation that the metrics count for a command.
func ChangeOperation(c *tree.Command) stats.Op {
	if c.Refresh {
		return stats.OpRefresh
	}
	return operations[c.Op]
}

// Uncounted is the operation of requests that the metrics do not count, or count later, at the end of a watch.
const Uncounted stats.Op = 255
