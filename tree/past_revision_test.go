package tree

import (
	"fmt"
	"slices"
	"testing"
)

// pollPrevs polls once and returns the changes, each with the value of its Prev.
func pollPrevs(t *testing.T, w *KeyWatcher, maxBytes int) (changes []string) {
	t.Helper()
	b, err := w.Poll(maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range b.Events {
		change, prev := "put", "none"
		if e.Deleted {
			change = "delete"
		}
		if e.Prev != nil {
			prev = e.Prev.Value()
		}
		changes = append(changes, fmt.Sprintf("%s, prev %s", change, prev))
	}
	return changes
}

// TestPrevBeforeRevision changes a key several times with one revision. The results for v3 are those of etcd 3.7.3.
func TestPrevBeforeRevision(t *testing.T) {
	put := KVOp{Kind: KVPut, Key: "/d/k", Value: "new"}
	deletion := KVOp{Kind: KVDeleteRange, Keys: KeyRange{From: "/d/k"}} // without an end: a put of the same key is allowed
	set := Command{Op: OpSet, Path: "/d/k", Value: "new"}
	remove := Command{Op: OpDelete, Path: "/d/k"}
	removeDir := Command{Op: OpDelete, Path: "/d", Recursive: true}
	v3 := func(ops ...KVOp) Command { return Command{Op: OpKV, KV: &KVTxn{Then: ops}} }
	v2 := func(ops ...Command) Command { return Command{Op: OpTxn, Txn: &Txn{Then: ops}} }
	for name, c := range map[string]struct {
		missing bool // the key does not exist before
		txn     Command
		want    []string
	}{
		"v3 put, delete": {txn: v3(put, deletion), want: []string{"put, prev old", "delete, prev old"}},
		"v3 delete, put": {txn: v3(deletion, put), want: []string{"delete, prev old", "put, prev none"}},
		"v3 delete, put, delete": {
			txn: v3(deletion, put, deletion), want: []string{"delete, prev old", "put, prev none", "delete, prev old"},
		},
		"v3 put, delete of a new key": {
			missing: true, txn: v3(put, deletion), want: []string{"put, prev none", "delete, prev none"},
		},
		"v2 set, set, delete": {
			txn: v2(set, set, remove), want: []string{"put, prev old", "put, prev old", "delete, prev old"},
		},
		"v2 delete, set, set, delete": {
			txn:  v2(remove, set, set, remove),
			want: []string{"delete, prev old", "put, prev none", "put, prev none", "delete, prev old"},
		},
		"v2 removals of a directory": {
			txn:  v2(removeDir, set, removeDir, set, remove),
			want: []string{"delete, prev old", "put, prev none", "delete, prev old", "put, prev none", "delete, prev old"},
		},
		"v2 set, delete of a new key": {
			missing: true, txn: v2(set, remove), want: []string{"put, prev none", "delete, prev none"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(10)
			startKeys(s)
			must(t, s, Command{Op: OpSet, Path: "/d/other"})
			if !c.missing {
				must(t, s, Command{Op: OpSet, Path: "/d/k", Value: "old"})
			}
			w := watchKeys(t, s, SingleKey("/d/k"), s.View().Revision()+1)
			if r := s.Apply(0, []Command{c.txn}); r[0].Err != nil {
				t.Fatal(r[0].Err)
			}
			s.Announce()
			if got := pollPrevs(t, w, 1<<20); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestPrevBeforeRevisionIsLost drops the first change of a transaction while a watcher has read only this change.
func TestPrevBeforeRevisionIsLost(t *testing.T) {
	s := New(4)
	s.StartRevisions()
	set := Command{Op: OpSet, Path: "/k", Value: "new"}
	must(t, s, Command{Op: OpSet, Path: "/k", Value: "old"})
	w := watchKeys(t, s, SingleKey("/k"), 0)
	s.Apply(0, []Command{{Op: OpTxn, Txn: &Txn{Then: []Command{set, set}}}})
	s.Announce()
	if got, want := pollPrevs(t, w, 1), []string{"put, prev old"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	last := s.View().Revision()
	for range 3 {
		must(t, s, Command{Op: OpSet, Path: "/other"})
	}
	if b, err := w.Poll(1); err == nil || err.Code != CodeCompacted || err.Revision != last+1 {
		t.Errorf("got %+v, %v; the history begins with the last change of revision %d", b, err, last)
	}
}
