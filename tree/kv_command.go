package tree

// KVKind is the kind of an operation of a KVTxn.
type KVKind uint8

// The kinds. Their numbers are stored on disk and sent to other members: the number of a kind must never change, and must never be used
// again.
const (
	// KVPut writes a key.
	KVPut KVKind = 1
	// KVDeleteRange removes all keys of a range.
	KVDeleteRange KVKind = 2
	// KVRange reads the keys of a range.
	KVRange KVKind = 3
	// KVNested executes a transaction inside of the transaction.
	KVNested KVKind = 4
)

// KVTxn is a transaction of the v3 API. It executes the operations of Then if all compares hold, and otherwise those of Else. All compares,
// those of nested transactions too, are evaluated before the first operation. So they do not see what the transaction writes. All
// operations see the changes of those before them, and no reader sees a state between two of them.
//
// A transaction that changes something takes one revision, and one index for each change. KVTxn.Check must be called before a transaction
// is proposed.
type KVTxn struct {
	Compares   []KVCompare
	Then, Else []KVOp
}

// KVOp is one operation of a KVTxn. The fields belong to the kinds that their comments name, and are zero for other kinds.
type KVOp struct {
	Kind KVKind
	// PrevKV asks for the replaced or removed files in the result. Of KVPut and KVDeleteRange.
	PrevKV bool
	// IgnoreValue keeps the value of the key, and IgnoreLease its lease or its TTL. With one of them the transaction fails if there is no
	// key. Of KVPut.
	IgnoreValue, IgnoreLease bool
	// Lease is the ID of the lease to which the key is attached, or zero for none. Of KVPut.
	Lease int64
	// Key is the key, which is not empty, and Value its new value. Of KVPut.
	Key, Value string
	// Keys is the range to remove. Of KVDeleteRange.
	Keys KeyRange
	// Range is the read. Of KVRange.
	Range *RangeQuery
	// Txn is the nested transaction. Of KVNested.
	Txn *KVTxn
}

// KVTarget is the property of a key that a KVCompare compares.
type KVTarget uint8

// The targets. Their numbers are those of the v3 API, and are stored on disk.
const (
	KVTargetVersion KVTarget = 0
	KVTargetCreate  KVTarget = 1
	KVTargetMod     KVTarget = 2
	KVTargetValue   KVTarget = 3
	KVTargetLease   KVTarget = 4
)

// KVRelation is the relation of the property of a key to the operand of a KVCompare.
type KVRelation uint8

// The relations. Their numbers are those of the v3 API, and are stored on disk.
const (
	KVEqual    KVRelation = 0
	KVGreater  KVRelation = 1
	KVLess     KVRelation = 2
	KVNotEqual KVRelation = 3
)

// KVCompare is one condition of a KVTxn. It holds if it holds for every key of the range. If the range has no key, it is evaluated for a
// key with the version, the revisions and the lease 0; a condition on the value does not hold then.
type KVCompare struct {
	KeyRange
	Target KVTarget
	Result KVRelation
	Value  string // the operand for KVTargetValue
	Number int64  // the operand for the other targets
}

// KVResult is the outcome of an OpDeleteRange or an OpKV that was executed. It never changes.
type KVResult struct {
	// Succeeded reports whether all compares held, so that Then was executed. It is true for an OpDeleteRange.
	Succeeded bool
	// Revision is the revision of the tree after the transaction. In the result of a nested transaction it is that after its last operation.
	Revision uint64
	// Ops are the results of the operations that were executed: all of Then or of Else.
	Ops []KVOpResult
	// TooLarge says that the files of all Prev and Range are missing, because the limit of SetResultLimit was exceeded.
	TooLarge bool
}

// KVOpResult is the result of one operation.
type KVOpResult struct {
	Kind KVKind
	// Revision is the revision of the tree after the operation.
	Revision uint64
	// Prev are the files that were replaced or removed, in the order of their keys, if KVOp.PrevKV is set.
	Prev []*Node
	// Deleted is the number of keys that a KVDeleteRange has removed.
	Deleted int64
	// Range is the result of a KVRange.
	Range RangeResult
	// Txn is the result of a KVNested.
	Txn *KVResult
}

// IsReadOnly reports whether no branch of the transaction has an operation that can change keys.
func (t *KVTxn) IsReadOnly() bool {
	for _, list := range [...][]KVOp{t.Then, t.Else} {
		for i := range list {
			switch op := &list[i]; op.Kind {
			case KVRange:
			case KVNested:
				if !op.Txn.IsReadOnly() {
					return false
				}
			default:
				return false
			}
		}
	}
	return true
}

// putOp returns an OpPut as an operation of a transaction. The result for other commands has only their flags.
func (c *Command) putOp() KVOp {
	op := KVOp{Kind: KVPut, PrevKV: c.PrevKV, IgnoreValue: c.IgnoreValue, IgnoreLease: c.IgnoreLease}
	if c.Op == OpPut {
		op.Lease, op.Key, op.Value = c.Lease, c.Path, c.Value
	}
	return op
}
