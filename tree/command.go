package tree

import (
	"errors"

	"pando/tree/users"
)

// Op is the operation of a command.
type Op uint8

// The operations. Their numbers are stored on disk and sent to other members: the number
// of an operation must never change, and must never be used again.
const (
	// OpSet writes a file or makes a directory. It replaces a file at the path. It fails
	// if there is a directory.
	OpSet Op = 1
	// OpCreate makes a node. It fails if there is one.
	OpCreate Op = 2
	// OpCreateInOrder makes a node below Path. Its name is its index.
	OpCreateInOrder Op = 3
	// OpUpdate changes an existing node, which keeps its createdIndex.
	OpUpdate Op = 4
	// OpCompareAndSwap writes a file if PrevValue and PrevIndex match.
	OpCompareAndSwap Op = 5
	// OpDelete removes a node.
	OpDelete Op = 6
	// OpCompareAndDelete removes a file if PrevValue and PrevIndex match.
	OpCompareAndDelete Op = 7
	// OpExpire removes at most ExpireLimit nodes whose TTL has ended at the time of the
	// batch.
	OpExpire Op = 8
	// OpUsers changes users, roles or the auth switch. See Command.Change.
	OpUsers Op = 9
	// OpMirror brings a tree that follows a running etcd up to date. See Command.Mirror.
	OpMirror Op = 10
	// OpTxn executes several operations as one. See Command.Txn.
	OpTxn Op = 11
	// OpGet reads a node. It is an operation of a Txn, and never a command of its own.
	OpGet Op = 12

	// The operations of the v3 API.

	// OpPut writes the key Path. See KVOp for its fields Value, Lease, IgnoreValue and IgnoreLease.
	OpPut Op = 13
	// OpDeleteRange removes all keys from Path (inclusive) to Value (exclusive). An empty Value is no end.
	OpDeleteRange Op = 14
	// OpKV executes a transaction of the v3 API. See Command.KV.
	OpKV Op = 15
	// OpLeaseGrant makes the lease with the ID Lease and the time to live TTL.
	OpLeaseGrant Op = 16
	// OpLeaseRevoke ends the leases with the IDs Leases, and removes their keys.
	OpLeaseRevoke Op = 17
	// OpCompact drops the history before the revision Revision.
	OpCompact Op = 18
)

const lastOp = OpCompact

// isV3 reports whether the operation belongs to the v3 API.
func (op Op) isV3() bool { return op >= OpPut }

// ExpireLimit is the largest number of nodes that one OpExpire removes. With more,
// watchers could not read all events before the history drops them. The next OpExpire
// removes the rest. The limit must not change: every member must apply an entry alike.
const ExpireLimit = 256

// ErrBadCommand is returned for bytes that are not an encoded command.
var ErrBadCommand = errors.New("tree: not an encoded command")

// Command is one change of the tree, as it is stored in the log.
type Command struct {
	Op   Op
	Path string
	// Value is the new content of a file. A directory has none.
	Value string
	// Dir makes a directory instead of a file, or allows OpDelete to remove an empty one.
	Dir bool
	// Recursive allows OpDelete to remove a directory with all nodes below it. The result of an OpGet then shows all nodes below a
	// directory.
	Recursive bool
	// Refresh sets the TTL and keeps the value. Watchers do not get the event.
	Refresh bool
	// FileOnly makes an OpUpdate of a directory fail with CodeUnauthorized. When the TTL of a
	// directory ends, everything below it is removed, and the sender has no right to that.
	FileOnly bool
	// PrevValue must be equal to the value of the file, unless it is empty.
	PrevValue string
	// PrevIndex must be equal to the modifiedIndex of the file, unless it is zero.
	PrevIndex uint64
	// Expires is the time at which the node is removed, in nanoseconds since 1970; zero is never. It is computed before the command is
	// proposed, because Apply reads no clock.
	Expires int64
	// AuthRevision is the revision of the users for which the command was authorized, or
	// zero if auth was disabled. Apply refuses the command with CodeAuthChanged if the users
	// have another revision, or if AuthRevision is zero and auth is enabled. OpExpire needs
	// no authorization. It is zero in the operations of a Txn.
	AuthRevision uint64
	// Change is the change of an OpUsers, which has no Path. It is nil for any other operation.
	Change *users.Change
	// Mirror is the change of an OpMirror, which has no Path. It is nil for any other operation.
	Mirror *MirrorChange
	// Txn is the transaction of an OpTxn, which has no Path. It is nil for any other operation.
	Txn *Txn

	// The fields below belong to the operations of the v3 API.

	// IgnoreValue and IgnoreLease make an OpPut keep the value or the lease. PrevKV asks for the removed files in the result of an
	// OpDeleteRange.
	IgnoreValue, IgnoreLease, PrevKV bool
	// ByLeader says that the leader proposes an OpLeaseRevoke because the leases have ended, or an OpCompact because the history is
	// too large. Such a command needs no authorization. It ignores leases that do not exist.
	ByLeader bool
	// User is the name of the user for whom a command with an AuthRevision was authorized, if NeedsUser is true for it. Apply refuses the
	// command with CodePermissionDenied if the user has no right to write the keys of its leases.
	User string
	// Lease is the ID of the lease of an OpPut or an OpLeaseGrant.
	Lease int64
	// TTL is the time to live of an OpLeaseGrant, in seconds.
	TTL int64
	// Leases are the IDs of the leases of an OpLeaseRevoke.
	Leases []int64
	// Granted has the values of Lease.Granted for Leases, in the same order. The leases with other values stay: they were granted after
	// the leader had decided. Granted may be empty: then all leases end. Only a command with ByLeader may have it.
	Granted []int64
	// Revision is the revision of an OpCompact.
	Revision uint64
	// KV is the transaction of an OpKV. It is nil for any other operation.
	KV *KVTxn
}

// UsersLevel is the lowest feature level of a cluster at which a command may be an OpUsers or
// have an AuthRevision or FileOnly. Programs of lower levels can't decode such a command.
const UsersLevel = 2

// Level returns the lowest feature level at which the command may enter the log.
func (c *Command) Level() uint64 {
	switch {
	case c.Op.isV3():
		return KVLevel
	case c.Op == OpTxn || c.Op == OpGet:
		return TxnLevel
	case c.Op == OpMirror:
		return MirrorLevel
	case c.Op == OpUsers && c.Change.Op.IsV3():
		return KVLevel
	case c.Op == OpUsers || c.AuthRevision != 0 || c.FileOnly:
		return UsersLevel
	}
	return 0
}
