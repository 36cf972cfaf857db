package tree

import (
	"fmt"

	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// removeOneByOne removes the keys of a range, or those of a lease that ends, one after the other: what removeFiles does for many at once.
func (s *Store) removeOneByOne(action Action, keys []string) {
	s.beginBatch(200 * second)
	s.beginTxn()
	for _, key := range keys {
		n, v3Only := s.findKey(key)
		e := &Event{action: action, v3Only: v3Only, prev: n, node: tombstone(n, s.nextNumbers(n))}
		s.deleteKey(key)
		s.emit(e, nil)
	}
	s.endTxn()
	s.publish()
	s.Announce()
}

// genRemovalKey draws one of some keys in a few directories, so that a range has many in one.
func genRemovalKey(t *rapid.T) string {
	if rapid.IntRange(0, 3).Draw(t, "edge") == 0 {
		return rapid.SampledFrom(edgeKeys).Draw(t, "key")
	}
	dir := rapid.SampledFrom([]string{"/a/", "/a/b/", "/a-b/", "/", "a", "/c/d/e/"}).Draw(t, "dir")
	return fmt.Sprintf("%s%d", dir, rapid.IntRange(0, 99).Draw(t, "number"))
}

// genRemovalContent draws commands that fill a tree, with TTLs and leases.
func genRemovalContent(t *rapid.T) []Command {
	commands := []Command{{Op: OpLeaseGrant, Lease: 1, TTL: 60}, {Op: OpLeaseGrant, Lease: 2, TTL: 60}}
	for range rapid.IntRange(1, 150).Draw(t, "keys") {
		key := genRemovalKey(t)
		switch rapid.IntRange(0, 5).Draw(t, "op") {
		case 0, 1, 2:
			commands = append(commands, Command{Op: OpPut, Path: key, Value: "v", Lease: rapid.Int64Range(0, 2).Draw(t, "lease")})
		case 3:
			commands = append(commands, Command{Op: OpPut, Path: key, Value: "v"})
		default:
			if !isPathKey(key) {
				continue
			}
			c := Command{Op: OpSet, Path: key, Value: "v", Dir: rapid.IntRange(0, 4).Draw(t, "mkdir") == 0}
			if rapid.Bool().Draw(t, "ttl") {
				c.Expires = 300*second + rapid.Int64Range(0, 3).Draw(t, "left")*second
			}
			commands = append(commands, c)
		}
	}
	return commands
}

// TestRemoveFiles removes ranges of keys and the keys of leases. All that follows must be as if the keys were removed one by one.
func TestRemoveFiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := genRemovalContent(t)
		var stores [2]*Store
		for i := range stores {
			stores[i] = New(10)
			stores[i].StartRevisions()
			stores[i].Apply(100*second, content)
			stores[i].Announce()
			stores[i].TakeDelta()
		}
		for range rapid.IntRange(1, 4).Draw(t, "removals") {
			removeFromBoth(t, stores)
			compareStores(t, stores)
		}
	})
}

// removeFromBoth removes the same keys from two stores: at once, and one by one.
func removeFromBoth(t *rapid.T, stores [2]*Store) {
	if rapid.IntRange(0, 3).Draw(t, "lease") == 0 {
		id := rapid.Int64Range(1, 2).Draw(t, "id")
		keys := stores[1].LeaseKeys(id)
		stores[0].beginBatch(200 * second)
		stores[0].removeLeased(id)
		stores[0].publish()
		stores[0].Announce()
		stores[1].removeOneByOne(ActionExpire, keys)
		return
	}
	r := KeyRange{From: genRemovalKey(t)}
	if rapid.Bool().Draw(t, "end") {
		r.To = genRemovalKey(t)
	}
	var keys []string
	for n := range stores[1].View().Keys(r) {
		keys = append(keys, n.Path())
	}
	result := stores[0].Apply(200*second, []Command{{Op: OpDeleteRange, Path: r.From, Value: r.To}})[0].KV
	if n := result.Ops[0].Deleted; n != int64(len(keys)) {
		t.Fatalf("%d keys were deleted, want %d", n, len(keys))
	}
	stores[0].Announce()
	stores[1].removeOneByOne(ActionDelete, keys)
}

// compareStores compares all that removals change.
func compareStores(t *rapid.T, stores [2]*Store) {
	compareUnchanged(t, stores)
	type state struct {
		hash                  uint64
		ranges                []uint64
		due, superseded, size int64
		text                  string
	}
	var states [2]state
	for i, s := range stores {
		v := s.View()
		states[i] = state{hash: v.HashState(), ranges: v.HashRanges(nil, func() bool { return true }), due: v.NextExpiry(),
			superseded: s.SupersededBytes(), size: v.HistoryBytes()}
		text := fmt.Appendf(nil, "leases %q %q, %d %d keys\n", s.LeaseKeys(1), s.LeaseKeys(2), s.LeaseKeyCount(1), s.LeaseKeyCount(2))
		for at := s.history.start; at <= s.index; at++ {
			text = fmt.Appendf(text, "%x\n", AppendEvent(nil, s.history.at(at)))
		}
		walk(s.root, func(n *Node) {
			text = fmt.Appendf(text, "%s %v\n", n.Path(), n.isImplied())
		})
		d := s.TakeDelta()
		d.Sort()
		text = fmt.Appendf(text, "delta %q %q %q, %d events\n", d.Removed, d.Changed, d.ChangedKeys, d.Events.Len())
		states[i].text = string(text)
		if count := s.LeaseKeyCount(math.MaxInt64); count != 0 {
			t.Fatalf("%d keys of a lease that does not exist", count)
		}
	}
	a, b := states[0], states[1]
	if a.hash != b.hash || !slices.Equal(a.ranges, b.ranges) || a.due != b.due || a.superseded != b.superseded || a.size != b.size {
		t.Fatalf("got %+v\nwant %+v", a, b)
	}
	got, want := strings.Split(a.text, "\n"), strings.Split(b.text, "\n")
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("line %d: got %s\nwant %s", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
}

// compareUnchanged compares UnchangedSince of all directories. It may be lower in the first store, because that marks a directory once for
// a run of keys, but not lower than the index of the last event below.
func compareUnchanged(t *rapid.T, stores [2]*Store) {
	s, v := stores[0], stores[1].View()
	walk(s.root, func(n *Node) {
		last := uint64(0)
		for i := s.history.start; i <= s.index; i++ {
			if path := s.history.at(i).node.Path(); isPathKey(path) && below(path, n.Path()) {
				last = i
			}
		}
		if got, want := n.UnchangedSince(), v.Lookup(n.Path()).UnchangedSince(); n.IsDir() && (got > want || got < last) {
			t.Fatalf("%s is unchanged since %d, want %d to %d", n.Path(), got, last, want)
		}
	})
}
