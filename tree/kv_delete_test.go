package tree

import (
	"fmt"
	"slices"
	"testing"
)

// putMany puts n keys with a prefix, all attached to a lease unless it is zero.
func putMany(t *testing.T, s *Store, prefix string, n int, lease int64) {
	t.Helper()
	for _, r := range s.Apply(1, batch(n, func(i int) Command {
		return Command{Op: OpPut, Path: fmt.Sprintf("%s%05d", prefix, i), Lease: lease}
	})) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
}

// TestDeleteRangeOfDirectories removes keys of large directories: those of implied ones as a whole, those of others one by one.
func TestDeleteRangeOfDirectories(t *testing.T) {
	const many = wholeDirKeys + 1
	s := New(1000)
	s.StartRevisions()
	s.Apply(1, []Command{{Op: OpSet, Path: "/explicit", Dir: true}, {Op: OpLeaseGrant, Lease: 7, TTL: 60}})
	putMany(t, s, "/implied/a/", many, 7)
	putMany(t, s, "/implied/b/", 10, 0)
	putMany(t, s, "/explicit/", many, 0)
	putMany(t, s, "/mixed/", many, 0)
	s.Apply(1, []Command{{Op: OpPut, Path: "/implied", Value: "shadowed", Lease: 7}, {Op: OpPut, Path: "/mixed//plain"}})
	revision := s.View().Revision()
	for _, step := range []struct {
		from, to        string
		deleted, events uint64
	}{
		{"/implied/", "/implied0", many + 10, 1},
		{"/explicit/", "/explicit0", many, many},
		{"/mixed/", "/mixed0", many + 1, many + 1}, // a plain key lies between the keys of the directory
	} {
		before := s.View()
		want := slices.Collect(before.Keys(KeyRange{From: step.from, To: step.to}))
		r := s.Apply(1, []Command{{Op: OpDeleteRange, Path: step.from, Value: step.to, PrevKV: true}})[0].KV
		s.Announce()
		after := s.View()
		if got := r.Ops[0]; got.Deleted != int64(step.deleted) || !slices.Equal(got.Prev, want) {
			t.Errorf("%s: deleted %d with %d files", step.from, got.Deleted, len(got.Prev))
		}
		if after.Index()-before.Index() != step.events || after.Revision() != before.Revision()+1 || r.Revision != after.Revision() {
			t.Errorf("%s: %d indexes, revision %d after %d", step.from, after.Index()-before.Index(), after.Revision(), before.Revision())
		}
	}
	if s.View().Lookup("/explicit") == nil || s.View().Lookup("/mixed") != nil {
		t.Error("other directories are left")
	}
	if keys := s.LeaseKeys(7); !slices.Equal(keys, []string{"/implied"}) {
		t.Errorf("lease 7 has the keys %q", keys)
	}
	past, err := s.At(revision)
	if err != nil || past.CountKeys(KeyRange{}) != 3*many+12 {
		t.Errorf("the keys before the removals: %v", err)
	}
}

// TestKVPastOfBatch reads earlier revisions in the batch that has made them.
func TestKVPastOfBatch(t *testing.T) {
	s := New(1000)
	s.StartRevisions()
	s.Apply(1, []Command{{Op: OpSet, Path: "/v2"}, {Op: OpPut, Path: "k", Value: "1"}})
	first := s.View().Revision()
	read := func(revision uint64) Command {
		q := &RangeQuery{KeyRange: SingleKey("k"), Revision: revision}
		return Command{Op: OpKV, KV: &KVTxn{Then: []KVOp{kvPut("other", ""), {Kind: KVRange, Range: q}}}}
	}
	results := s.Apply(1, []Command{
		{Op: OpPut, Path: "k", Value: "2"}, read(first), read(first + 1), {Op: OpDeleteRange, Path: "k", Value: "k\x00"},
		read(first + 1), read(first + 4), read(first + 9), read(first - 2), {Op: OpCompact, Revision: first + 1}, read(first),
	})
	for i, want := range map[int]string{1: "1", 2: "2", 4: "2", 5: "", 6: "", 7: "", 9: ""} {
		got, code := "", Code(0)
		if r := results[i]; r.Err != nil {
			code = r.Err.Code
		} else if nodes := r.KV.Ops[1].Range.Nodes; len(nodes) > 0 {
			got = nodes[0].Value()
		}
		if got != want || code != map[int]Code{6: CodeFutureRevision, 7: CodeCompacted, 9: CodeCompacted}[i] {
			t.Errorf("command %d: got %q, code %d, want %q", i, got, code, want)
		}
	}
}
