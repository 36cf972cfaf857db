package tree

import "fmt"

// decodeKVCommand is DecodeCommand for a command of the v3 API.
func decodeKVCommand(src []byte) (c Command, rest []byte, err error) {
	r := kvDecoder{decoder: decoder{src: src}}
	r.command(&c)
	if err := r.err(); err != nil {
		return Command{}, nil, err
	}
	return c, r.src, nil
}

// checkKVCommand returns the same bytes and the same error as decodeKVCommand, without copying texts.
func checkKVCommand(src []byte) (rest []byte, err error) {
	r := kvDecoder{decoder: decoder{src: src}, check: true}
	var c Command
	r.command(&c)
	if err := r.err(); err != nil {
		return nil, err
	}
	return r.src, nil
}

// kvDecoder decodes commands of the v3 API.
type kvDecoder struct {
	decoder
	check   bool   // the texts of the command stay empty
	problem string // of a command that is not cut short
}

// err returns the error for a malformed command.
func (r *kvDecoder) err() error {
	switch {
	case r.problem != "":
		return fmt.Errorf("%w: %s", ErrBadCommand, r.problem)
	case r.bad:
		return fmt.Errorf("%w: cut short", ErrBadCommand)
	}
	return nil
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
