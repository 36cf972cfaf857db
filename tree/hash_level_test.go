package tree

import (
	"testing"

	"github.com/cespare/xxhash/v2"
)

// TestHashBelowKVLevel compares the hashes and the stored forms of a tree without revisions with those of version 0.2.0. Members of both
// versions compare their trees while a cluster is upgraded, and version 0.2.0 must be able to read the stored forms.
func TestHashBelowKVLevel(t *testing.T) {
	s := newHashStore()
	must(t, s, Command{Op: OpTxn, Txn: &Txn{Then: []Command{
		{Op: OpSet, Path: "/ttl/file", Value: "v", Expires: 9 * second}, {Op: OpUpdate, Path: "/b", Expires: 8 * second},
		{Op: OpDelete, Path: "/d3", Recursive: true}, {Op: OpSet, Path: "/a0", Value: string(make([]byte, 300)), Expires: 7 * second},
	}}})
	must(t, s, Command{Op: OpUpdate, Path: "/a", Value: "w"})
	v := s.View()
	for name, got := range map[string]uint64{
		"state": v.HashState(), "nodes": v.HashRanges(nil, neverStop)[0], "stored forms": xxhash.Sum64(storedForms(s)),
	} {
		if want := hashesOfOlderVersion[name]; got != want {
			t.Errorf("%s: %#x, want %#x", name, got, want)
		}
	}
}

// hashesOfOlderVersion are the hashes that version 0.2.0 has computed for the tree of TestHashBelowKVLevel.
var hashesOfOlderVersion = map[string]uint64{
	"state": 0x177250fa207228ba, "nodes": 0x23e6e451868a761e, "stored forms": 0xbc11ca20e37b6777,
}

// storedForms returns the stored forms of the state, of all nodes and of all events.
func storedForms(s *Store) []byte {
	b := s.View().AppendState(nil)
	for n := range s.View().Walk() {
		b = AppendNode(append(b, n.Path()...), n)
	}
	for i := s.View().OldestEvent(); i <= s.View().Index(); i++ {
		b = AppendEvent(b, s.history.at(i))
	}
	return b
}

// TestHashOfRevisions checks that a hash covers each number of a node that was written after StartRevisions, and the revision of the tree.
func TestHashOfRevisions(t *testing.T) {
	base := numbers{created: 5, modified: 6, createRevision: 3, modRevision: 4, version: 2, sub: 1}
	sum := func(change func(*numbers), lease int64) uint64 {
		c := base
		if change != nil {
			change(&c)
		}
		n := newFile("/a", "v", 0, lease)
		n.setNumbers(c)
		var d xxhash.Digest
		d.Reset()
		n.hash(&d)
		return d.Sum64()
	}
	seen := map[uint64]string{sum(nil, 0): "nothing"}
	for name, got := range map[string]uint64{
		"create revision": sum(func(c *numbers) { c.createRevision++ }, 0), "mod revision": sum(func(c *numbers) { c.modRevision++ }, 0),
		"version": sum(func(c *numbers) { c.version++ }, 0), "sub": sum(func(c *numbers) { c.sub++ }, 0), "lease": sum(nil, 7),
		"no version": sum(func(c *numbers) { c.version = 0 }, 0), "another lease": sum(nil, 8),
	} {
		if other := seen[got]; other != "" {
			t.Errorf("the hashes are the same after a change of %s and of %s", name, other)
		}
		seen[got] = name
	}
	s := newHashStore()
	state, nodes := s.View().HashState(), s.View().HashRanges(nil, neverStop)[0]
	s.StartRevisions()
	if s.View().HashState() == state || s.View().HashRanges(nil, neverStop)[0] != nodes {
		t.Error("the start of revisions must change the hash of the state, and that of no node")
	}
}
