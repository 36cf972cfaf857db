package tree

import (
	"fmt"
	"slices"
	"testing"
)

// newKeyStore returns a store with nodes of v2, plain keys and a shadowed file. put changes it before it is published.
func newKeyStore(put func(s *Store)) *View {
	s := newHashStore()
	s.StartRevisions()
	s.beginBatch(1)
	for i := range 500 {
		s.putTestKey(newFile(fmt.Sprintf("plain%04d", i), "v", 0, 0))
		s.putTestKey(newFile(fmt.Sprintf("/d%d//%04d", i%7, i), "v", 0, 0))
	}
	s.putTestKey(newFile("/implied/key", "v", 0, 0))
	s.putTestKey(newFile("/b/c", "v", 0, 0))
	put(s)
	s.publish()
	return s.View()
}

// TestHashRangesOfKeys compares the hashes of views that differ in one key that v2 does not show, and divides the ranges that differ until
// one range holds little more than this key.
func TestHashRangesOfKeys(t *testing.T) {
	view := newKeyStore(func(*Store) {})
	for _, tc := range []struct {
		name, key string
		change    func(s *Store)
	}{
		{"a plain key", "plain0123", func(s *Store) { s.putTestKey(newFile("plain0123", "other", 0, 0)) }},
		{"a plain key among paths", "/d3//0101", func(s *Store) { s.putTestKey(newFile("/d3//0101", "other", 0, 0)) }},
		{"a shadowed file", "/b/c", func(s *Store) { s.putTestKey(newFile("/b/c", "other", 0, 0)) }},
		{"a missing key", "plain0200", func(s *Store) { s.deleteKey("plain0200") }},
		{"an explicit directory", "/implied", func(s *Store) { s.change(&Command{Op: OpSet, Path: "/implied/key", Value: "v"}) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			other := newKeyStore(tc.change)
			low, high := "", ""
			for range 8 {
				bounds := view.Bounds(low, high, 4, neverStop)
				a, b := view.HashRanges(bounds, neverStop), other.HashRanges(bounds, neverStop)
				if slices.Equal(a, b) {
					t.Fatalf("all hashes of %q are the same", bounds)
				}
				for i := range a {
					if a[i] != b[i] {
						low, high = append([]string{""}, bounds...)[i], append(bounds, "")[i]
						break
					}
				}
			}
			if comparePaths(low, tc.key) > 0 || high != "" && comparePaths(high, tc.key) <= 0 {
				t.Errorf("ended at [%q, %q), want a range with %q", low, high, tc.key)
			}
			between := 0
			for _, key := range slices.Collect(view.Keys(KeyRange{})) {
				if comparePaths(key.Path(), low) >= 0 && (high == "" || comparePaths(key.Path(), high) < 0) {
					between++
				}
			}
			if between > 8 {
				t.Errorf("ended at [%q, %q) with %d keys", low, high, between)
			}
		})
	}
}
