package tree

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// sampleKVTxn returns a transaction with each kind of operation, and some compares.
func sampleKVTxn() *KVTxn {
	return &KVTxn{
		Compares: []KVCompare{
			{KeyRange: SingleKey("/a"), Target: KVTargetValue, Result: KVNotEqual, Value: "v"},
			{KeyRange: KeyRange{From: "/a", To: "/b"}, Target: KVTargetMod, Result: KVGreater, Number: 1 << 40},
			{KeyRange: KeyRange{From: "\x00"}, Target: KVTargetLease, Result: KVLess, Number: -1},
		},
		Then: []KVOp{
			{Kind: KVPut, Key: "a/", Value: "v", Lease: -7, PrevKV: true},
			{Kind: KVPut, Key: "/b", IgnoreValue: true, IgnoreLease: true},
			{Kind: KVDeleteRange, Keys: KeyRange{From: "/c", To: "/d"}, PrevKV: true},
			{Kind: KVRange, Range: &RangeQuery{
				KeyRange: SingleKey("/b"), Limit: -1, Sort: 3, Order: 2, MinMod: 1, MaxMod: 1 << 40, MinCreate: 3, MaxCreate: 4, KeysOnly: true,
				Revision: 9,
			}},
		},
		Else: []KVOp{{Kind: KVNested, Txn: &KVTxn{Else: []KVOp{
			{Kind: KVRange, Range: &RangeQuery{KeyRange: KeyRange{From: "x"}, CountOnly: true}},
			{Kind: KVNested, Txn: &KVTxn{}},
		}}}},
	}
}

// sampleKVCommands returns commands of the v3 API.
func sampleKVCommands() []Command {
	return []Command{
		{Op: OpPut, Path: "/a/b", Value: "v"},
		{Op: OpPut, Path: "//", Lease: 1 << 62, IgnoreValue: true, AuthRevision: 7, User: strings.Repeat("u", 200)},
		{Op: OpPut, Path: "k", IgnoreLease: true, Value: strings.Repeat("v", 300)},
		{Op: OpDeleteRange, Path: "/a", Value: "/a\x00", PrevKV: true},
		{Op: OpDeleteRange, Path: "/a", Value: "/b"},
		{Op: OpDeleteRange, Path: "\x00"},
		{Op: OpKV, KV: sampleKVTxn(), AuthRevision: 1 << 40},
		{Op: OpKV, KV: &KVTxn{}},
		{Op: OpLeaseGrant, Lease: -1 << 63, TTL: 60},
		{Op: OpLeaseRevoke, Leases: []int64{1, -2, 1 << 62}, ByLeader: true},
		{Op: OpLeaseRevoke, Leases: []int64{5}, AuthRevision: 2, User: "ann"},
		{Op: OpLeaseRevoke, Leases: []int64{1, 2}, Granted: []int64{1 << 60, 0}, ByLeader: true},
		{Op: OpCompact, Revision: 1 << 40},
	}
}

func TestKVCommandEncoding(t *testing.T) {
	for _, c := range sampleKVCommands() {
		data := AppendCommand(nil, &c)
		got, rest, err := DecodeCommand(append(data, "tail"...))
		if err != nil || string(rest) != "tail" || !reflect.DeepEqual(got, c) {
			t.Errorf("%+v came back as %+v, %q, %v", c, got, rest, err)
		}
		if level, rest, err := CheckCommand(append(data, "tail"...)); level != KVLevel || string(rest) != "tail" || err != nil {
			t.Errorf("%+v: level %d, rest %q, %v", c, level, rest, err)
		}
		for n := range data {
			if _, _, err := DecodeCommand(data[:n]); !errors.Is(err, ErrBadCommand) {
				t.Errorf("%d bytes of %+v: %v", n, c, err)
			}
		}
	}
}

// TestKVCommandRefusals decodes bytes that no program encodes. The numbers of operations must never be used again.
func TestKVCommandRefusals(t *testing.T) {
	nested := AppendCommand(nil, &Command{Op: OpKV, KV: nestedTxns(maxKVDepth)})
	if _, _, err := DecodeCommand(nested); err != nil {
		t.Errorf("%d nested transactions: %v", maxKVDepth, err)
	}
	for name, data := range map[string][]byte{
		"unknown operation":  {byte(lastOp) + 1, 0},
		"unknown flags":      {byte(OpPut), lastKVFlag << 1, 1, 0, 'k'},
		"empty key":          {byte(OpPut), 0, 0, 1, 'v'},
		"empty range":        {byte(OpDeleteRange), 0, rangeToEnd, 0},
		"unknown form":       {byte(OpDeleteRange), 0, 3, 1, 'k'},
		"one key, other end": {byte(OpDeleteRange), 0, rangeOneKey, 2, 'k', 1},
		"one key, no end":    {byte(OpDeleteRange), 0, rangeOneKey, 0},
		"no end":             {byte(OpDeleteRange), 0, rangeTo, 1, 'k', 0},
		"lease of a range":   {byte(OpDeleteRange), kvLease, rangeToEnd, 1, 'k'},
		"huge length":        {byte(OpPut), 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0},
		"huge key":           AppendCommand(nil, &Command{Op: OpPut, Path: strings.Repeat("k", MaxKeyBytes+1)}),
		"unknown kind":       {byte(OpKV), 0, 0, 1, 5, 0, 0},
		"unknown target":     {byte(OpKV), 0, 1, 5, 0, rangeToEnd, 1, 'k', 0, 0, 0},
		"unknown result":     {byte(OpKV), 0, 1, 0, 4, rangeToEnd, 1, 'k', 0, 0, 0},
		"auth of operation":  {byte(OpKV), 0, 0, 1, byte(KVPut), kvAuthRevision, 1, 0, 'k', 0},
		"unknown order":      {byte(OpKV), 0, 0, 1, byte(KVRange), 0, 0, 0, byte(lastSortOrder) + 1, rangeToEnd, 1, 'k', 0, 0, 0, 0, 0, 0, 0},
		"nested too deep":    AppendCommand(nil, &Command{Op: OpKV, KV: nestedTxns(maxKVDepth + 1)}),
	} {
		_, _, err := DecodeCommand(data)
		_, _, checkErr := CheckCommand(data)
		if !errors.Is(err, ErrBadCommand) || checkErr == nil || err.Error() != checkErr.Error() {
			t.Errorf("%s: %v, and %v", name, err, checkErr)
		}
	}
}

// nestedTxns returns n transactions, each nested in the next one.
func nestedTxns(n int) *KVTxn {
	t := &KVTxn{}
	for range n - 1 {
		t = &KVTxn{Then: []KVOp{{Kind: KVNested, Txn: t}}}
	}
	return t
}

// TestKVCommandMemory checks that a decoded command shares no memory with its source.
func TestKVCommandMemory(t *testing.T) {
	for _, c := range sampleKVCommands() {
		src := AppendCommand(nil, &c)
		got, _, _ := DecodeCommand(src)
		clear(src)
		if !bytes.Equal(AppendCommand(nil, &got), AppendCommand(nil, &c)) {
			t.Errorf("%+v came back as %+v", c, got)
		}
	}
}
