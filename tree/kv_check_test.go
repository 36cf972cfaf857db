package tree

import (
	"fmt"
	"strings"
	"testing"
)

// Short forms of operations for tests.
func kvPut(key, value string) KVOp { return KVOp{Kind: KVPut, Key: key, Value: value} }
func kvDelete(from, to string) KVOp {
	return KVOp{Kind: KVDeleteRange, Keys: KeyRange{From: from, To: to}, PrevKV: true}
}
func kvDeleteKey(key string) KVOp { return KVOp{Kind: KVDeleteRange, Keys: SingleKey(key)} }
func kvRange(r KeyRange) KVOp     { return KVOp{Kind: KVRange, Range: &RangeQuery{KeyRange: r}} }
func kvNested(then, otherwise []KVOp, compares ...KVCompare) KVOp {
	return KVOp{Kind: KVNested, Txn: &KVTxn{Compares: compares, Then: then, Else: otherwise}}
}

func kvPuts(n int) []KVOp {
	var list []KVOp
	for i := range n {
		list = append(list, kvPut(fmt.Sprint("k", i), ""))
	}
	return list
}

// TestCheckKV checks transactions whose outcome was observed with etcd 3.7.3 and 3.4.23.
func TestCheckKV(t *testing.T) {
	a, x := kvPut("a", "1"), kvPut("x", "1")
	for _, c := range []struct {
		name            string
		then, otherwise []KVOp
		want            Code
	}{
		{"nothing", nil, nil, 0},
		{"two puts", []KVOp{a, a}, nil, CodeDuplicateKey},
		{"put and delete", []KVOp{a, kvDeleteKey("a")}, nil, CodeDuplicateKey},
		{"delete and put", []KVOp{kvDeleteKey("a"), a}, nil, CodeDuplicateKey},
		{"put in a deleted range", []KVOp{kvDelete("a", "b"), kvPut("ab", "")}, nil, CodeDuplicateKey},
		{"delete without a key", []KVOp{kvDelete("", ""), kvDelete("a", "b"), kvPut("ab", "")}, nil, CodeEmptyKey},
		{"put in the second deleted range", []KVOp{kvDelete("0", "1"), kvDelete("a", "b"), kvPut("ab", "")}, nil, CodeDuplicateKey},
		{"put between deleted ranges", []KVOp{kvDelete("0", "1"), kvDelete("a", "b"), kvPut("2", "")}, nil, 0},
		{"put in merged ranges", []KVOp{kvDelete("a", "c"), kvDelete("b", "e"), kvDelete("0", "f"), kvPut("d", "")}, nil, CodeDuplicateKey},
		{"put at the end of a range", []KVOp{kvDelete("a", "c"), kvPut("c", "")}, nil, 0},
		{"delete without an end", []KVOp{x, kvDelete("a", ""), kvPut("y", "")}, nil, 0},
		{"delete of an inverted range", []KVOp{kvPut("aa", ""), kvDelete("b", "a")}, nil, 0},
		{"two deletes", []KVOp{kvDeleteKey("a"), kvDeleteKey("a"), kvDelete("0", "b")}, nil, 0},
		{"nested put, then nested delete", []KVOp{kvNested([]KVOp{a}, nil), kvNested([]KVOp{kvDeleteKey("a")}, nil)}, nil, 0},
		{"nested delete, then nested put", []KVOp{kvNested(nil, []KVOp{kvDeleteKey("a")}), kvNested([]KVOp{a}, nil)}, nil, CodeDuplicateKey},
		{"nested put and delete", []KVOp{kvNested([]KVOp{a}, nil), kvDeleteKey("a")}, nil, CodeDuplicateKey},
		{"nested put and put", []KVOp{a, kvNested(nil, []KVOp{a})}, nil, CodeDuplicateKey},
		{"nested delete and put", []KVOp{a, kvNested(nil, []KVOp{kvDeleteKey("a")})}, nil, CodeDuplicateKey},
		{"two nested puts", []KVOp{kvNested([]KVOp{a}, nil), kvNested(nil, []KVOp{a})}, nil, CodeDuplicateKey},
		{"nested branches", []KVOp{kvNested([]KVOp{a}, []KVOp{a})}, nil, 0},
		{"nested branches, put and delete", []KVOp{kvNested([]KVOp{a}, []KVOp{kvDeleteKey("a")})}, nil, 0},
		{"branches", []KVOp{a}, []KVOp{a}, 0},
		{"duplicate in else", nil, []KVOp{a, a}, CodeDuplicateKey},
		{"an empty key after a duplicate", []KVOp{a, a, kvPut("", "")}, nil, CodeEmptyKey},
		{"empty read", []KVOp{kvRange(KeyRange{})}, nil, CodeEmptyKey},
		{"empty operation", []KVOp{{}}, nil, CodeKeyMissing},
		{"long key", []KVOp{kvPut(strings.Repeat("k", MaxKeyBytes+1), "")}, nil, CodeKeyTooLong},
		{"value and ignore_value", []KVOp{{Kind: KVPut, Key: "a", Value: "v", IgnoreValue: true}}, nil, CodeValueProvided},
		{"lease and ignore_lease", []KVOp{{Kind: KVPut, Key: "a", Lease: 5, IgnoreLease: true}}, nil, CodeLeaseProvided},
		{"value, lease and both", []KVOp{{Kind: KVPut, Key: "a", Lease: 5, IgnoreLease: true, Value: "v", IgnoreValue: true}}, nil,
			CodeValueProvided},
		{"no key, value and ignore_value", []KVOp{{Kind: KVPut, Value: "v", IgnoreValue: true}}, nil, CodeEmptyKey},
		{"nested compare without a key", nil, []KVOp{kvNested(nil, nil, KVCompare{})}, CodeEmptyKey},
		{"nested compare of an unknown target", nil, []KVOp{kvNested(nil, nil, KVCompare{KeyRange: SingleKey("a"), Target: 5})},
			CodeInvalidCompare},
		{"128 operations", kvPuts(128), kvPuts(128), 0},
		{"129 operations", kvPuts(129), nil, CodeTooManyOps},
		{"127 nested", []KVOp{kvNested(kvPuts(127), nil)}, nil, 0},
		{"128 nested", []KVOp{kvNested(nil, kvPuts(128))}, nil, CodeTooManyOps},
		{"128 with an empty one", append(kvPuts(127), kvNested(nil, nil)), nil, 0},
		{"128 with one", append(kvPuts(127), kvNested([]KVOp{x}, nil)), nil, CodeTooManyOps},
		{"129 compares", []KVOp{kvNested(nil, nil, make([]KVCompare, 129)...)}, nil, CodeTooManyOps},
	} {
		t.Run(c.name, func(t *testing.T) {
			command := Command{Op: OpKV, KV: &KVTxn{Then: c.then, Else: c.otherwise}}
			if err := command.CheckKV(DefaultMaxTxnOps); errorCode(err) != c.want {
				t.Errorf("got %v, want code %d", err, c.want)
			}
		})
	}
}

func errorCode(err *Error) Code {
	if err == nil {
		return 0
	}
	return err.Code
}

// TestCheckKVCommands checks the commands that are no transactions.
func TestCheckKVCommands(t *testing.T) {
	for _, c := range []struct {
		command Command
		want    Code
	}{
		{Command{Op: OpPut, Path: "a", Value: "v"}, 0},
		{Command{Op: OpPut}, CodeEmptyKey},
		{Command{Op: OpPut, Path: "a", Value: "v", IgnoreValue: true}, CodeValueProvided},
		{Command{Op: OpPut, Path: "a", Lease: 1, IgnoreLease: true}, CodeLeaseProvided},
		{Command{Op: OpDeleteRange, Path: "\x00"}, 0},
		{Command{Op: OpDeleteRange, Value: "a"}, CodeEmptyKey},
		{Command{Op: OpLeaseGrant, Lease: -7, TTL: MaxLeaseTTL}, 0},
		{Command{Op: OpLeaseGrant, TTL: 1}, CodeLeaseNotFound},
		{Command{Op: OpLeaseGrant, Lease: 1}, CodeLeaseTTL},
		{Command{Op: OpLeaseGrant, Lease: 1, TTL: MaxLeaseTTL + 1}, CodeLeaseTTLTooLarge},
		{Command{Op: OpLeaseRevoke}, 0},
		{Command{Op: OpSet}, 0},
	} {
		if err := c.command.CheckKV(1); errorCode(err) != c.want {
			t.Errorf("%+v: got %v, want code %d", c.command, err, c.want)
		}
	}
}

// TestCheckKVTime checks a transaction with many nested operations: the time must not grow with the product of puts and deletes.
func TestCheckKVTime(t *testing.T) {
	list := []KVOp{}
	for i := range 60 {
		var nested []KVOp
		for j := range 60 {
			nested = append(nested, kvPut(fmt.Sprintf("p-%d-%d", i, j), ""), kvDeleteKey(fmt.Sprintf("d-%d-%d", i, j)))
		}
		list = append(list, kvNested(nested[:60], nested[60:]))
	}
	if err := (&KVTxn{Then: list}).Check(DefaultMaxTxnOps); err != nil {
		t.Error(err)
	}
}
