package tree

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// genLogCommand returns a command of either API on a few keys.
func genLogCommand(t *rapid.T, s *Store) Command {
	path := rapid.SampledFrom([]string{"/a", "/a/b", "/a/b/c", "/a-b", "/d/x", "/d/y"})
	key := rapid.OneOf(path, rapid.SampledFrom([]string{"plain", "/a/", "/d//z", "zz"}))
	value := func() string { return fmt.Sprint(rapid.IntRange(0, 99).Draw(t, "value")) }
	ranged := func() KeyRange { return KeyRange{From: key.Draw(t, "from"), To: key.Draw(t, "to")} }
	switch rapid.IntRange(0, 10).Draw(t, "command") {
	case 0, 1, 2:
		return Command{Op: OpPut, Path: key.Draw(t, "key"), Value: value(), Lease: int64(rapid.IntRange(0, 1).Draw(t, "lease"))}
	case 3:
		r := ranged()
		return Command{Op: OpDeleteRange, Path: r.From, Value: r.To}
	case 4, 5:
		txn := &KVTxn{}
		for range rapid.IntRange(1, 4).Draw(t, "operations") {
			o := KVOp{Kind: KVPut, Key: key.Draw(t, "key"), Value: value()}
			if rapid.Bool().Draw(t, "delete") {
				o = KVOp{Kind: KVDeleteRange, Keys: ranged()}
			}
			txn.Then = append(txn.Then, o)
		}
		return Command{Op: OpKV, KV: txn}
	case 6:
		return Command{Op: OpSet, Path: path.Draw(t, "path"), Value: value()}
	case 7:
		return Command{Op: OpDelete, Path: path.Draw(t, "path"), Recursive: true, Dir: true}
	case 8:
		return Command{Op: OpSet, Path: path.Draw(t, "path"), Dir: true}
	case 9:
		v := s.View()
		return Command{Op: OpCompact, Revision: v.Revision() - min(v.Revision(), uint64(rapid.IntRange(0, 9).Draw(t, "age")))}
	}
	if _, ok := s.View().Lease(1); ok {
		return Command{Op: OpLeaseRevoke, Leases: []int64{1}}
	}
	return Command{Op: OpLeaseGrant, Lease: 1, TTL: 60}
}

// TestKeyLog makes random changes and compares the log with what the tree was at each of its revisions.
func TestKeyLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(10)
		s.StartRevisions()
		for range rapid.IntRange(0, 5).Draw(t, "changes of v2") { // before the first command of the v3 API
			s.Apply(1, []Command{{Op: OpSet, Path: rapid.SampledFrom([]string{"/a", "/d/x", "/e"}).Draw(t, "path"), Value: "v2"}})
		}
		for range rapid.IntRange(0, 30).Draw(t, "commands") {
			s.Apply(1, []Command{genLogCommand(t, s)})
		}
		checkKeyLog(t, s)
	})
}

func checkKeyLog(t *rapid.T, s *Store) {
	log := s.KeyLog()
	floor, current := log.Floor(), log.View().Revision()
	if log.CompactRevision() > floor || floor > current || log.IsComplete() != (log.CompactRevision() == 0 && floor <= 1) {
		t.Fatalf("floor %d, compact revision %d, revision %d", floor, log.CompactRevision(), current)
	}
	keys := map[string]keyState{}
	for r := range log.Living(floor) {
		keys[r.Node.Path()] = keyState{r.Node.Value(), r.Revision}
	}
	for revision := floor; revision <= current; revision++ {
		next := uint64(0)
		for r := range log.Changes(max(revision, 1)-1, revision) {
			if r.Revision != revision || r.Sub != next {
				t.Fatalf("change %d of revision %d, want change %d of %d", r.Sub, r.Revision, next, revision)
			}
			next++
			if revision == floor {
				continue
			}
			if _, ok := keys[r.Node.Path()]; r.Deleted && !ok {
				t.Fatalf("revision %d deletes %q, which does not exist", revision, r.Node.Path())
			}
			keys[r.Node.Path()] = keyState{r.Node.Value(), r.Revision}
			if r.Deleted {
				delete(keys, r.Node.Path())
			}
		}
		then, err := s.At(max(revision, 1))
		if err != nil {
			t.Fatalf("revision %d of %d to %d: %v", revision, floor, current, err)
		}
		want := keysOf(then, KeyRange{})
		if !maps.Equal(keys, want) || log.HasKeys(revision) != (len(want) > 0) {
			t.Fatalf("revision %d: got %v, want %v, has keys %v", revision, keys, want, log.HasKeys(revision))
		}
		checkLiving(t, log, revision, want)
	}
}

// checkLiving compares the result of Living with the keys of a revision.
func checkLiving(t *rapid.T, log *KeyLog, revision uint64, keys map[string]keyState) {
	maps.DeleteFunc(keys, func(_ string, k keyState) bool { return k.mod > log.Floor() })
	last := KeyRecord{}
	for r := range log.Living(revision) {
		if k, ok := keys[r.Node.Path()]; !ok || k.mod != r.Revision || r.Deleted {
			t.Fatalf("revision %d: %q of revision %d is among %v", revision, r.Node.Path(), r.Revision, slices.Collect(maps.Keys(keys)))
		}
		if last.Node != nil && (r.Revision < last.Revision || r.Revision == last.Revision && r.Sub <= last.Sub) {
			t.Fatalf("revision %d: change %d of revision %d follows %d of %d", revision, r.Sub, r.Revision, last.Sub, last.Revision)
		}
		delete(keys, r.Node.Path())
		last = r
	}
	if len(keys) > 0 {
		t.Fatalf("revision %d: %v are missing", revision, keys)
	}
}

// TestKeyLogOfV2 checks that a tree without a command of the v3 API has the log of its keys alone, which is equal on all members.
func TestKeyLogOfV2(t *testing.T) {
	s := New(10)
	if log := s.KeyLog(); !log.IsComplete() || log.HasKeys(1) {
		t.Error("the log of an empty tree is not complete, or has keys")
	}
	s.StartRevisions()
	must(t, s, Command{Op: OpSet, Path: "/a", Value: "1"})
	must(t, s, Command{Op: OpSet, Path: "/b", Value: "1"})
	must(t, s, Command{Op: OpDelete, Path: "/a"})
	log := s.KeyLog()
	if log.Floor() != 4 || log.IsComplete() || len(slices.Collect(log.Changes(4, 99))) != 0 {
		t.Errorf("floor %d, complete %v", log.Floor(), log.IsComplete())
	}
	if keys := slices.Collect(log.Living(4)); len(keys) != 1 || keys[0].Node.Path() != "/b" || keys[0].Revision != 3 {
		t.Errorf("keys %v", keys)
	}
}
