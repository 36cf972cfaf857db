package users

import (
	"cmp"
	"slices"
	"strings"
)

// Access is a kind of access to keys.
type Access uint8

// The kinds of access.
const (
	Read Access = iota
	Write
)

// Scope says to which keys an access applies.
type Scope uint8

// The scopes.
const (
	// One is the path alone.
	One Scope = iota
	// Subtree is the path and all paths below it.
	Subtree
)

// Range is the set of the keys k with From <= k < To, compared as strings of bytes. If To is
// empty, the range has no upper end.
type Range struct{ From, To string }

// ParsePattern returns the range of a pattern: all keys that begin with the text before a
// final "*", or the one key that equals a pattern without it. Every text is a pattern. A "*"
// at any other place is an ordinary byte.
func ParsePattern(pattern string) Range {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return Range{prefix, PrefixEnd(prefix)}
	}
	return Range{pattern, pattern + "\x00"}
}

// ParsePatterns returns the ranges of patterns. It returns nil for nil, because the API shows
// whether a list is missing or empty.
func ParsePatterns(patterns []string) []Range {
	if patterns == nil {
		return nil
	}
	ranges := make([]Range, len(patterns))
	for i, p := range patterns {
		ranges[i] = ParsePattern(p)
	}
	return ranges
}

// Pattern returns the pattern from which ParsePattern makes the range. For a range that no
// pattern describes, the result is From and To in brackets, which is not a pattern.
func (r Range) Pattern() string {
	switch {
	case r.To == PrefixEnd(r.From):
		return r.From + "*"
	case r.IsKey():
		return r.From
	}
	return "[" + r.From + ", " + r.To + ")"
}

// IsKey reports whether the range is that of one key: from the key to the key with a zero byte behind it.
func (r Range) IsKey() bool {
	return len(r.To) == len(r.From)+1 && r.To[len(r.From)] == 0 && r.To[:len(r.From)] == r.From
}

// PrefixEnd returns the least string that is greater than all strings with the prefix. It is
// empty if there is none.
func PrefixEnd(prefix string) string {
	last := len(prefix) - 1
	for last >= 0 && prefix[last] == 0xff {
		last--
	}
	if last < 0 {
		return ""
	}
	return prefix[:last] + string([]byte{prefix[last] + 1})
}

// endsBefore reports whether the range r has a lower upper end than other.
func (r Range) endsBefore(other Range) bool {
	return r.To != "" && (other.To == "" || r.To < other.To)
}

// coverage is a list of ranges, prepared for a fast search: it is sorted by From, and no
// range lies inside another one. So the upper ends are sorted, too.
type coverage []Range

// newCoverage prepares a list of ranges. It does not keep the list.
func newCoverage(ranges []Range) coverage {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b Range) int {
		if c := cmp.Compare(a.From, b.From); c != 0 {
			return c
		}
		switch { // the range with the greatest end first
		case a.endsBefore(b):
			return 1
		case b.endsBefore(a):
			return -1
		}
		return 0
	})
	var c coverage
	for _, r := range sorted {
		if len(c) == 0 || c[len(c)-1].endsBefore(r) {
			c = append(c, r)
		}
	}
	return c
}

// covers reports whether a single range holds all keys of the scope at a clean path. Several
// ranges that hold them together do not count, because the reference needs one pattern.
func (c coverage) covers(path string, scope Scope) bool {
	to, ok := c.endAt(path)
	switch {
	case !ok:
		return false
	case to == "", scope == One:
		return true
	case path == "/":
		return to >= "0" // the byte after the slash
	}
	// All paths below path begin with path and a slash. The least string after them ends in
	// the next byte, "0". The comparison is that of to with path + "0".
	rest, ok := strings.CutPrefix(to, path)
	if !ok {
		return to > path
	}
	return rest >= "0"
}

// endAt returns the greatest upper end of the ranges that hold a key. It is empty if there is no upper end. ok is false if no range holds
// the key.
func (c coverage) endAt(key string) (to string, ok bool) {
	// Of the ranges that begin at or before the key, the last one has the greatest end.
	i, found := slices.BinarySearchFunc(c, key, func(r Range, key string) int { return cmp.Compare(r.From, key) })
	if !found {
		i--
	}
	if i < 0 || c[i].To != "" && c[i].To <= key {
		return "", false
	}
	return c[i].To, true
}
