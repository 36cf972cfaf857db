package tree

import (
	"encoding/binary"
	"fmt"
)

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
	flags := op.flags()
	if c.ByLeader {
		flags |= kvByLeader
	}
	if c.AuthRevision != 0 {
		flags |= kvAuthRevision
	}
	if c.User != "" {
		flags |= kvUser
	}
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

func (o *KVOp) flags() (flags byte) {
	if o.IgnoreValue {
		flags |= kvIgnoreValue
	}
	if o.IgnoreLease {
		flags |= kvIgnoreLease
	}
	if o.PrevKV {
		flags |= kvPrevKV
	}
	if o.Lease != 0 {
		flags |= kvLease
	}
	return flags
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
	case r.To[:len(r.To)-1] == r.From && r.To[len(r.To)-1] == 0:
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
	var flags byte
	if q.KeysOnly {
		flags |= queryKeysOnly
	}
	if q.CountOnly {
		flags |= queryCountOnly
	}
	dst = appendRange(append(dst, flags, byte(q.Sort), byte(q.Order)), q.KeyRange)
	dst = binary.AppendVarint(dst, q.Limit)
	for _, revision := range [...]uint64{q.Revision, q.MinMod, q.MaxMod, q.MinCreate, q.MaxCreate} {
		dst = binary.AppendUvarint(dst, revision)
	}
	return dst
}

// decodeKVCommand is DecodeCommand for a command of the v3 API. With check it allocates no memory for texts: those of the command are
// then empty.
func decodeKVCommand(src []byte, check bool) (c Command, rest []byte, err error) {
	r := kvDecoder{decoder: decoder{src: src}, check: check}
	r.command(&c)
	if r.bad || r.problem != "" {
		if r.problem == "" {
			r.problem = "cut short"
		}
		return Command{}, nil, fmt.Errorf("%w: %s", ErrBadCommand, r.problem)
	}
	return c, r.src, nil
}

// kvDecoder decodes commands of the v3 API.
type kvDecoder struct {
	decoder
	check   bool   // texts are not needed
	problem string // of a command that is not cut short
}

// refuse sets the problem, unless the command is cut short.
func (r *kvDecoder) refuse(problem string) {
	if !r.bad {
		r.problem = problem
		r.fail()
	}
}

func (r *kvDecoder) command(c *Command) {
	c.Op = Op(r.octet())
	if c.Op > lastOp {
		r.refuse(fmt.Sprintf("unknown operation %d", c.Op))
	}
	flags := r.flags()
	c.IgnoreValue, c.IgnoreLease = flags&kvIgnoreValue != 0, flags&kvIgnoreLease != 0
	c.PrevKV, c.ByLeader = flags&kvPrevKV != 0, flags&kvByLeader != 0
	if flags&kvAuthRevision != 0 {
		c.AuthRevision = r.uvarint()
	}
	if flags&kvUser != 0 {
		c.User = r.lengthPrefixed()
	}
	if c.Op != OpPut && flags&kvLease != 0 {
		r.refuse("a lease at an operation that has none")
	}
	switch c.Op {
	case OpPut:
		c.Lease, c.Path, c.Value = r.put(flags)
	case OpDeleteRange:
		keys := r.keyRange()
		c.Path, c.Value = keys.From, keys.To
	case OpKV:
		c.KV = r.txn(0)
	case OpLeaseGrant:
		c.Lease, c.TTL = r.varint(), r.varint()
	case OpLeaseRevoke:
		c.Leases = r.varints()
		if c.ByLeader {
			c.Granted = r.varints()
			if n := len(c.Granted); n > 0 && n != len(c.Leases) {
				r.refuse(fmt.Sprintf("%d leases with %d times", len(c.Leases), n))
			}
		}
	case OpCompact:
		c.Revision = r.uvarint()
	}
}

// varints reads a number, and then as many numbers.
func (r *kvDecoder) varints() (list []int64) {
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		list = append(list, r.varint())
	}
	return list
}

func (r *kvDecoder) flags() byte {
	flags := r.octet()
	if flags >= lastKVFlag<<1 {
		r.refuse(fmt.Sprintf("unknown flags %#x", flags))
	}
	return flags
}

// put reads the fields of a put. Key and value lie in one allocation, so that a node which keeps both keeps nothing else alive.
func (r *kvDecoder) put(flags byte) (lease int64, key, value string) {
	if flags&kvLease != 0 {
		lease = r.varint()
	}
	keyLen, valueLen := r.uvarint(), r.uvarint()
	if keyLen > uint64(len(r.src)) || valueLen > uint64(len(r.src))-keyLen {
		r.fail()
		return 0, "", ""
	}
	r.checkKeyLen(keyLen)
	text := r.text(keyLen + valueLen)
	if text == "" {
		return lease, "", ""
	}
	return lease, text[:keyLen], text[keyLen:]
}

func (r *kvDecoder) checkKeyLen(n uint64) {
	if n == 0 || n > MaxKeyBytes {
		r.refuse(fmt.Sprintf("a key of %d bytes", n))
	}
}

// text returns a copy of the next n bytes. With check it returns an empty string.
func (r *kvDecoder) text(n uint64) string {
	b := r.bytes(n)
	if r.check {
		return ""
	}
	return string(b)
}

func (r *kvDecoder) lengthPrefixed() string { return r.text(r.uvarint()) }

func (r *kvDecoder) keyRange() (k KeyRange) {
	form := r.octet()
	n := r.uvarint()
	switch form {
	case rangeOneKey:
		r.checkKeyLen(max(n, 1) - 1)
		if n > 0 && n <= uint64(len(r.src)) && r.src[n-1] != 0 {
			r.refuse("the range of a key has another end")
		}
		if k.To = r.text(n); k.To != "" {
			k.From = k.To[:n-1]
		}
	case rangeToEnd, rangeTo:
		r.checkKeyLen(n)
		k.From = r.text(n)
		if form == rangeTo {
			n = r.uvarint()
			if n == 0 {
				r.refuse("the end of a range is empty")
			}
			k.To = r.text(n)
		}
	default:
		r.refuse(fmt.Sprintf("unknown form %d of a range", form))
	}
	return k
}

// txn reads a transaction. depth is the number of transactions around it.
func (r *kvDecoder) txn(depth int) *KVTxn {
	if depth >= maxKVDepth {
		r.refuse("too many nested transactions")
		return nil
	}
	t := &KVTxn{}
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		c := KVCompare{Target: KVTarget(r.octet()), Result: KVRelation(r.octet()), KeyRange: r.keyRange()}
		if c.Target > KVTargetLease || c.Result > KVNotEqual {
			r.refuse(fmt.Sprintf("unknown target %d or result %d of a compare", c.Target, c.Result))
		}
		if c.Target == KVTargetValue {
			c.Value = r.lengthPrefixed()
		} else {
			c.Number = r.varint()
		}
		if !r.check {
			t.Compares = append(t.Compares, c)
		}
	}
	for _, list := range [...]*[]KVOp{&t.Then, &t.Else} {
		for n := r.uvarint(); n > 0 && !r.bad; n-- {
			if op := r.op(depth); !r.check {
				*list = append(*list, op)
			}
		}
	}
	return t
}

// op reads an operation of a transaction.
func (r *kvDecoder) op(depth int) KVOp {
	o := KVOp{Kind: KVKind(r.octet())}
	flags := r.flags()
	o.IgnoreValue, o.IgnoreLease, o.PrevKV = flags&kvIgnoreValue != 0, flags&kvIgnoreLease != 0, flags&kvPrevKV != 0
	if flags&(kvByLeader|kvAuthRevision|kvUser) != 0 || o.Kind != KVPut && flags&kvLease != 0 {
		r.refuse(fmt.Sprintf("flags %#x of an operation of a transaction", flags))
	}
	switch o.Kind {
	case KVPut:
		o.Lease, o.Key, o.Value = r.put(flags)
	case KVDeleteRange:
		o.Keys = r.keyRange()
	case KVRange:
		o.Range = r.query()
	case KVNested:
		o.Txn = r.txn(depth + 1)
	default:
		r.refuse(fmt.Sprintf("unknown kind %d of an operation", o.Kind))
	}
	return o
}

func (r *kvDecoder) query() *RangeQuery {
	flags, sort, order := r.octet(), r.octet(), r.octet()
	q := &RangeQuery{
		KeysOnly: flags&queryKeysOnly != 0, CountOnly: flags&queryCountOnly != 0, Sort: SortTarget(sort), Order: SortOrder(order),
	}
	if flags >= lastQueryFlag<<1 || q.Sort > lastSortTarget || q.Order > lastSortOrder {
		r.refuse(fmt.Sprintf("unknown flags %#x, sort %d or order %d of a read", flags, sort, order))
	}
	q.KeyRange = r.keyRange()
	q.Limit = r.varint()
	for _, revision := range [...]*uint64{&q.Revision, &q.MinMod, &q.MaxMod, &q.MinCreate, &q.MaxCreate} {
		*revision = r.uvarint()
	}
	return q
}
