package storage

import (
	"fmt"
	"iter"
	"strings"

	"pando/tree"
)

// The files that v2 does not show lie in the bucket of the nodes, too, so that deltas, compaction and totals are the same for all. The key
// of such a record begins with a letter, and that of a node with a slash. The letters come after the slash: a shadowed file is loaded
// after its directory.
//
//	/a/b       the node with the path /a/b
//	pKEY\x00   the file of the plain key KEY; the last byte distinguishes it from a directory of a chunk, which ends with a slash
//	s/a/b      the shadowed file of the directory /a/b
const (
	plainLetter    = 'p'
	shadowedLetter = 's'
)

// keyRecord returns the key of the record of a plain or shadowed file.
func keyRecord(key string) string {
	if isPathKey(key) {
		return string(shadowedLetter) + key
	}
	return string(plainLetter) + key + "\x00"
}

// isPathKey reports whether a key is the path of a node.
func isPathKey(key string) bool { return key != "/" && tree.ValidPath(key) }

// cutRecord returns the key of the file of a record. It returns false for the record of a node, and for a key that no record has.
func cutRecord(record string) (key string, ok bool) {
	if record == "" {
		return "", false
	}
	switch key = record[1:]; record[0] {
	case plainLetter:
		key, ok = strings.CutSuffix(key, "\x00")
		return key, ok && !isPathKey(key)
	case shadowedLetter:
		return key, isPathKey(key)
	}
	return "", false
}

// isNodeRecord reports whether a record is that of a node.
func isNodeRecord(record string) bool { return strings.HasPrefix(record, "/") }

// keyRecords returns the keys of the records of sorted keys, in ascending order.
func keyRecords(keys []string) []string {
	if len(keys) == 0 {
		return nil
	}
	records := make([]string, 0, len(keys))
	for _, shadowed := range [...]bool{false, true} {
		for _, key := range keys {
			if isPathKey(key) == shadowed {
				records = append(records, keyRecord(key))
			}
		}
	}
	return records
}

// allRecords visits the keys of all records of a view, with their nodes, mostly in ascending order.
func allRecords(view *tree.View) iter.Seq2[string, *tree.Node] {
	return func(yield func(string, *tree.Node) bool) {
		shadowed := false
		for n := range view.Walk() {
			shadowed = shadowed || n.Shadowed() != nil
			if !yield(n.Path(), n) {
				return
			}
		}
		for n := range view.PlainKeys() {
			if !yield(keyRecord(n.Path()), n) {
				return
			}
		}
		if !shadowed {
			return
		}
		for n := range view.Walk() {
			if file := n.Shadowed(); file != nil && !yield(keyRecord(file.Path()), file) {
				return
			}
		}
	}
}

// recordLoader passes records to a loader, in a cluster at a feature level.
func recordLoader(loader *tree.Loader, level uint64) func(record string, data []byte) error {
	return func(record string, data []byte) error {
		if isNodeRecord(record) {
			return loader.Node(record, data)
		}
		key, ok := cutRecord(record)
		if !ok || level < tree.KVLevel {
			return fmt.Errorf("the record %.80q is unknown at feature level %d", record, level)
		}
		return loader.V3OnlyKey(key, data)
	}
}
