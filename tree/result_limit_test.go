package tree

import (
	"fmt"
	"strings"
	"testing"
)

// resultStore returns a store with 100 keys of 100 bytes, and the bytes of a result that has all of them.
func resultStore(t *testing.T) (s *Store, all int64) {
	t.Helper()
	s = New(10)
	s.StartRevisions()
	for i := range 100 {
		must(t, s, Command{Op: OpPut, Path: fmt.Sprintf("/d/%07d", i), Value: strings.Repeat("v", 90)})
	}
	return s, 100 * (100 + resultNodeBytes)
}

func TestRunWithin(t *testing.T) {
	s, all := resultStore(t)
	for _, tc := range []struct {
		name  string
		q     RangeQuery
		bytes int64
		fits  bool
	}{
		{"all", RangeQuery{}, all, true},
		{"one byte more", RangeQuery{}, all - 1, false},
		{"no limit", RangeQuery{}, 0, true},
		{"in another order", RangeQuery{Sort: SortByMod, Order: SortDescending}, all - 1, false},
		{"only the first ones", RangeQuery{Limit: 9}, all / 10, true},
		{"only the last ones", RangeQuery{Limit: 9, Order: SortDescending}, all / 10, true},
		{"too many of the last ones", RangeQuery{Limit: 11, Order: SortDescending}, all / 10, false},
		{"a count", RangeQuery{CountOnly: true}, 1, true},
		{"the keys", RangeQuery{KeysOnly: true}, all / 3, true},
		{"a page that is too large", RangeQuery{Limit: 90}, all / 2, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := tc.q.RunWithin(s.View(), tc.bytes)
			if want := tc.q.Run(s.View()); tc.fits {
				if err != nil || r.Count != want.Count || r.More != want.More || len(r.Nodes) != len(want.Nodes) {
					t.Errorf("got %d of %d files, %v", len(r.Nodes), r.Count, err)
				}
			} else if err == nil || err.Code != CodeResultTooLarge || len(r.Nodes) > 0 {
				t.Errorf("got %d files, %v", len(r.Nodes), err)
			}
		})
	}
}

// TestResultLimit executes transactions that read the same keys several times.
func TestResultLimit(t *testing.T) {
	s, all := resultStore(t)
	read := KVOp{Kind: KVRange, Range: &RangeQuery{}}
	nested := KVOp{Kind: KVNested, Txn: &KVTxn{Then: []KVOp{read, read, read}}}
	t.Run("a read", func(t *testing.T) {
		txn := &KVTxn{Then: []KVOp{nested, read}}
		if r, err := s.ReadKV(txn, 5*all); err != nil || len(r.Ops[0].Txn.Ops[2].Range.Nodes) != 100 {
			t.Errorf("got %v", err)
		}
		if _, err := s.ReadKV(txn, 3*all); err == nil || err.Code != CodeResultTooLarge {
			t.Errorf("got %v", err)
		}
	})
	s.SetResultLimit(3 * all)
	for _, tc := range []struct {
		name     string
		c        Command
		tooLarge bool
	}{
		{"a small one", Command{Op: OpKV, KV: &KVTxn{Then: []KVOp{kvPut("a", "1"), read, read}}}, false},
		{"a large one", Command{Op: OpKV, KV: &KVTxn{Then: []KVOp{kvPut("a", "2"), nested, read}}}, true},
		{"a removal", Command{Op: OpDeleteRange, Path: "/d/", Value: "/d0", PrevKV: true}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := s.View().Revision()
			r := s.Apply(1, []Command{tc.c})[0]
			if r.Err != nil || s.View().Revision() != before+1 {
				t.Fatalf("revision %d after %d: %v", s.View().Revision(), before, r.Err)
			}
			if err := s.TooLargeError(r.KV); (err != nil) != tc.tooLarge || r.KV.TooLarge != tc.tooLarge {
				t.Errorf("got %v", err)
			}
			if tc.tooLarge && (r.KV.Ops[1].Txn.Ops[0].Range.Nodes != nil || r.KV.Ops[1].Txn.Ops[0].Range.Count == 0) {
				t.Errorf("got %+v", r.KV.Ops[1].Txn.Ops[0].Range)
			}
		})
	}
	t.Run("a large removal", func(t *testing.T) {
		s, all := resultStore(t)
		s.SetResultLimit(all / 2)
		r := s.Apply(1, []Command{{Op: OpDeleteRange, Path: "/d/", Value: "/d0", PrevKV: true}})[0]
		if o := r.KV.Ops[0]; s.TooLargeError(r.KV) == nil || o.Deleted != 100 || o.Prev != nil || s.View().CountKeys(KeyRange{}) != 0 {
			t.Errorf("deleted %d with %d files", o.Deleted, len(o.Prev))
		}
	})
}
