package tree

import (
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// TestGrowth compares Growth with the size of the tree after each of many random commands.
func TestGrowth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m := New(100), newModel(100)
		for range rapid.IntRange(1, 60).Draw(t, "commands") {
			c := genCommand(t, m, second)
			before := s.View()
			growth := before.Growth(&c)
			result := s.Apply(second, []Command{c})[0]
			s.Announce()
			m.do(second, c)
			got := s.View().Bytes() - before.Bytes()
			switch {
			case c.Op > OpCompareAndDelete:
				if growth != 0 {
					t.Fatalf("growth %d of a command that is not for one key: %+v", growth, c)
				}
			case result.Err == nil && growth != got:
				t.Fatalf("growth %d, got %d: %+v", growth, got, c)
			case result.Err != nil && growth > 0 && !failsByComparison(result.Err.Code):
				t.Fatalf("growth %d of a command that fails with %v: %+v", growth, result.Err, c)
			}
		}
	})
}

// failsByComparison reports whether an error is one that Growth does not foresee.
func failsByComparison(code Code) bool {
	return code == CodeCompareFailed || code == CodeAuthChanged || code == CodeUnauthorized
}

// TestTxnGrowth compares TxnGrowth with the size of the tree after each of many random transactions.
func TestTxnGrowth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m := New(100), newModel(100)
		for range rapid.IntRange(1, 30).Draw(t, "transactions") {
			c := genCommand(t, m, second)
			s.Apply(second, []Command{c})
			m.do(second, c)
			txn := Command{Op: OpTxn, Txn: genTxn(t, m, second), AuthRevision: m.currentRevision()}
			before := s.View()
			growth := before.TxnGrowth(txn.Txn)
			result := s.Apply(second, []Command{txn})[0]
			s.Announce()
			m.do(second, txn)
			if got := s.View().Bytes() - before.Bytes(); growth != got {
				t.Fatalf("growth %d, got %d (%v): %+v", growth, got, result.Err, txn.Txn)
			}
		}
		first := expiry{}
		walk(s.root, func(n *Node) {
			if e := n.expiry(); !e.isZero() && (first.isZero() || earlier(e, first)) {
				first = e
			}
		})
		if due := s.root.directory().firstDue(); due != first {
			t.Fatalf("first expiry %v, want %v", due, first)
		}
	})
}

// TestGrowthDuringApply measures commands and transactions while another goroutine applies commands. The race detector checks that they
// share nothing that changes.
func TestGrowthDuringApply(t *testing.T) {
	s := New(100)
	commands := []Command{
		{Op: OpSet, Path: "/d/e/a", Value: "1", Expires: 100 * second}, {Op: OpUpdate, Path: "/d", Expires: 200 * second},
		{Op: OpSet, Path: "/d/e/b", Expires: 50 * second}, {Op: OpDelete, Path: "/d/e/b"}, {Op: OpSet, Path: "/d/e/a"},
	}
	s.Apply(second, commands)
	txn := &Txn{Then: []Command{
		{Op: OpSet, Path: "/d/e/a", Value: "22", Expires: 10 * second}, {Op: OpUpdate, Path: "/d/e"}, {Op: OpGet, Path: "/d"},
		{Op: OpDelete, Path: "/d/e", Recursive: true}, {Op: OpSet, Path: "/d/f"}, {Op: OpDelete, Path: "/d", Recursive: true},
	}}
	var applying sync.WaitGroup
	applying.Go(func() {
		for range 300 {
			s.Apply(second, commands)
			s.Announce()
		}
	})
	for range 300 {
		v := s.View()
		for i := range txn.Then {
			v.Growth(&txn.Then[i])
		}
		if got := v.TxnGrowth(txn); got != -v.Bytes() {
			t.Errorf("growth %d, want %d", got, -v.Bytes())
		}
	}
	applying.Wait()
}
