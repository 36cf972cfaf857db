package tree

import (
	"strings"

	"pgregory.net/rapid"
)

// The few keys of the tests: some are v2 paths, and some of these are directories for others.
var genKVKey = rapid.SampledFrom([]string{
	"/a", "/a/b", "/a/b/c", "/a/b/d", "/a-b", "/d", "/d/e", "/a/", "//", "a", "ab", "b", "\x00", "/", "/a/../b",
})

func genKVKeyRange(t *rapid.T) KeyRange {
	from := genKVKey.Draw(t, "key")
	switch rapid.IntRange(0, 5).Draw(t, "form") {
	case 0:
		return KeyRange{From: from, To: genKVKey.Draw(t, "end")}
	case 1:
		return KeyRange{From: from}
	case 2:
		return KeyRange{From: from, To: from + "\xff"}
	}
	return SingleKey(from)
}

func genKVTxn(t *rapid.T, m *kvModel, depth int) *KVTxn {
	txn := &KVTxn{}
	for range rapid.IntRange(0, 2).Draw(t, "compares") {
		c := KVCompare{
			KeyRange: genKVKeyRange(t), Target: KVTarget(rapid.IntRange(0, 4).Draw(t, "target")),
			Result: KVRelation(rapid.IntRange(0, 3).Draw(t, "result")),
		}
		k := m.keys[c.From]
		near := rapid.Int64Range(-1, 1).Draw(t, "near")
		switch c.Target {
		case KVTargetValue:
			c.Value = rapid.SampledFrom([]string{k.value, "", "v", "z"}).Draw(t, "value")
		case KVTargetVersion:
			c.Number = int64(k.version) + near
		case KVTargetLease:
			c.Number = k.lease + near
		default:
			c.Number = int64(m.revision) - rapid.Int64Range(-1, 9).Draw(t, "ago")
		}
		txn.Compares = append(txn.Compares, c)
	}
	for _, list := range []*[]KVOp{&txn.Then, &txn.Else} {
		for range rapid.IntRange(0, 3).Draw(t, "operations") {
			*list = append(*list, genKVOp(t, m, depth))
		}
	}
	return txn
}

func genKVOp(t *rapid.T, m *kvModel, depth int) KVOp {
	kind := KVKind(rapid.IntRange(1, 4).Draw(t, "kind"))
	if kind == KVNested && depth == 0 {
		kind = KVPut
	}
	o := KVOp{Kind: kind, PrevKV: rapid.Bool().Draw(t, "prev")}
	switch kind {
	case KVPut:
		o.Key, o.Value = genKVKey.Draw(t, "key"), rapid.SampledFrom([]string{"", "v", "w", strings.Repeat("x", 200)}).Draw(t, "value")
		o.Lease = rapid.SampledFrom([]int64{0, 0, 1, 2, -3}).Draw(t, "lease")
		if rapid.IntRange(0, 3).Draw(t, "ignore") == 0 {
			o.IgnoreValue, o.IgnoreLease = rapid.Bool().Draw(t, "ignore value"), rapid.Bool().Draw(t, "ignore lease")
		}
		if o.IgnoreValue {
			o.Value = ""
		}
		if o.IgnoreLease {
			o.Lease = 0
		}
	case KVDeleteRange:
		o.Keys = genKVKeyRange(t)
	case KVRange:
		o.PrevKV = false
		o.Range = &RangeQuery{KeyRange: genKVKeyRange(t), Limit: rapid.Int64Range(0, 3).Draw(t, "limit")}
		if rapid.Bool().Draw(t, "past") {
			o.Range.Revision = m.revision - min(m.revision, uint64(rapid.IntRange(0, 6).Draw(t, "revisions ago")))
			o.Range.Revision += uint64(rapid.IntRange(0, 8).Draw(t, "future") / 8)
		}
	case KVNested:
		o.PrevKV, o.Txn = false, genKVTxn(t, m, depth-1)
	}
	return o
}
