package storage

import (
	"slices"
	"strings"
	"testing"
)

// edgeKeys are keys that are paths, that are nearly paths, and that are prefixes of each other.
var edgeKeys = []string{
	"/", "/a", "/a/", "/a/b", "/a!", "/a!/b", "/a0", "/b", "/b/b", "/b/b/b", "/b/", "/b//b", "/a/./b", "//", "a", "p",
	"s/a", "\x00", "\xff", "/a\x00",
}

func TestKeyRecords(t *testing.T) {
	slices.Sort(edgeKeys)
	records := keyRecords(edgeKeys)
	if !slices.IsSorted(records) || len(records) != len(edgeKeys) {
		t.Errorf("records %q are not sorted", records)
	}
	for _, record := range records {
		key, ok := cutRecord(record)
		if !ok || keyRecord(key) != record || !slices.Contains(edgeKeys, key) {
			t.Errorf("the record %q has the key %q, %t", record, key, ok)
		}
		if strings.HasSuffix(record, "/") || isNodeRecord(record) || record < "/b/b" {
			t.Errorf("the record %q may be a directory, or is loaded before the nodes", record)
		}
	}
	for _, record := range []string{"", "/a", "p", "pa", "p/a\x00", "s", "sa", "s/", "s/a/", "x/a", "qa\x00"} {
		if key, ok := cutRecord(record); ok {
			t.Errorf("the record %q has the key %q", record, key)
		}
	}
}
