package tree

import "encoding/binary"

// The encoding of a command of the v3 API in the log is its operation, its flags, the AuthRevision and the User if there are any, and
// the fields that the operation has. A number of elements, or of bytes, comes before the elements. A transaction has the encoding of its
// compares, of Then and of Else.

// The flags of a command or an operation of the v3 API.
const (
	kvIgnoreValue = 1 << iota
	kvIgnoreLease
	kvPrevKV
	kvByLeader
	kvAuthRevision
	kvLease
	kvUser

	lastKVFlag = kvUser
)

// The forms of an encoded KeyRange.
const (
	rangeOneKey = 0 // the key and a zero byte
	rangeToEnd  = 1 // From
	rangeTo     = 2 // From, To
)

func appendKVCommand(dst []byte, c *Command) []byte {
	op := c.putOp()
	flags := op.flags() | flagIf(c.ByLeader, kvByLeader) | flagIf(c.AuthRevision != 0, kvAuthRevision) | flagIf(c.User != "", kvUser)
	dst = append(dst, byte(c.Op), flags)
	if c.AuthRevision != 0 {
		dst = binary.AppendUvarint(dst, c.AuthRevision)
	}
	if c.User != "" {
		dst = appendLengthPrefixed(dst, c.User)
	}
	switch c.Op {
	case OpPut:
		return appendPut(dst, &op)
	case OpDeleteRange:
		return appendRange(dst, KeyRange{From: c.Path, To: c.Value})
	case OpKV:
		return appendKVTxn(dst, c.KV)
	case OpLeaseGrant:
		dst = binary.AppendVarint(dst, c.Lease)
		return binary.AppendVarint(dst, c.TTL)
	case OpLeaseRevoke:
		dst = binary.AppendUvarint(dst, uint64(len(c.Leases)))
		for _, id := range c.Leases {
			dst = binary.AppendVarint(dst, id)
		}
		if c.ByLeader {
			dst = binary.AppendUvarint(dst, uint64(len(c.Granted)))
			for _, at := range c.Granted {
				dst = binary.AppendVarint(dst, at)
			}
		}
		return dst
	}
	return binary.AppendUvarint(dst, c.Revision)
}

func (o *KVOp) flags() byte {
	return flagIf(o.IgnoreValue, kvIgnoreValue) | flagIf(o.IgnoreLease, kvIgnoreLease) | flagIf(o.PrevKV, kvPrevKV) |
		flagIf(o.Lease != 0, kvLease)
}

// appendPut appends the fields of a put that are not in its flags.
func appendPut(dst []byte, o *KVOp) []byte {
	if o.Lease != 0 {
		dst = binary.AppendVarint(dst, o.Lease)
	}
	dst = binary.AppendUvarint(dst, uint64(len(o.Key)))
	dst = binary.AppendUvarint(dst, uint64(len(o.Value)))
	dst = append(dst, o.Key...)
	return append(dst, o.Value...)
}

func appendRange(dst []byte, r KeyRange) []byte {
	switch {
	case r.To == "":
		return appendLengthPrefixed(append(dst, rangeToEnd), r.From)
	case r.IsKey():
		return appendLengthPrefixed(append(dst, rangeOneKey), r.To)
	}
	return appendLengthPrefixed(appendLengthPrefixed(append(dst, rangeTo), r.From), r.To)
}

func appendLengthPrefixed(dst []byte, text string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

func appendKVTxn(dst []byte, t *KVTxn) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(t.Compares)))
	for i := range t.Compares {
		c := &t.Compares[i]
		dst = appendRange(append(dst, byte(c.Target), byte(c.Result)), c.KeyRange)
		if c.Target == KVTargetValue {
			dst = appendLengthPrefixed(dst, c.Value)
		} else {
			dst = binary.AppendVarint(dst, c.Number)
		}
	}
	for _, list := range [...][]KVOp{t.Then, t.Else} {
		dst = binary.AppendUvarint(dst, uint64(len(list)))
		for i := range list {
			dst = appendKVOp(dst, &list[i])
		}
	}
	return dst
}

func appendKVOp(dst []byte, o *KVOp) []byte {
	dst = append(dst, byte(o.Kind), o.flags())
	switch o.Kind {
	case KVPut:
		return appendPut(dst, o)
	case KVDeleteRange:
		return appendRange(dst, o.Keys)
	case KVRange:
		return appendRangeQuery(dst, o.Range)
	}
	return appendKVTxn(dst, o.Txn)
}

// The flags of an encoded RangeQuery.
const (
	queryKeysOnly = 1 << iota
	queryCountOnly

	lastQueryFlag = queryCountOnly
)

func appendRangeQuery(dst []byte, q *RangeQuery) []byte {
	flags := flagIf(q.KeysOnly, queryKeysOnly) | flagIf(q.CountOnly, queryCountOnly)
	dst = appendRange(append(dst, flags, byte(q.Sort), byte(q.Order)), q.KeyRange)
	dst = binary.AppendVarint(dst, q.Limit)
	for _, revision := range [...]uint64{q.Revision, q.MinMod, q.MaxMod, q.MinCreate, q.MaxCreate} {
		dst = binary.AppendUvarint(dst, revision)
	}
	return dst
}
