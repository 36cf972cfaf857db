package users

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// genBytes draws few different bytes, so that patterns and paths often have common prefixes.
var genBytes = rapid.SampledFrom([]byte{'/', '/', 'a', 'a', 'a', 'b', '*', '0', '.', 0, 0xfe, 0xff})

var genPattern = rapid.Custom(func(t *rapid.T) string {
	return string(rapid.SliceOfN(genBytes, 0, 5).Draw(t, "pattern"))
})

// TestPatternComesBack checks that a range gives back its pattern byte for byte.
func TestPatternComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := genPattern.Draw(t, "pattern")
		r := ParsePattern(pattern)
		if got := r.Pattern(); got != pattern {
			t.Fatalf("%q became %q, by %+q", pattern, got, r)
		}
		d := decoder{src: appendRange(nil, r)}
		if got := d.keyRange(); got != r || d.bad || len(d.src) > 0 {
			t.Fatalf("%+q was decoded as %+q", r, got)
		}
	})
}

func TestPrefixEnd(t *testing.T) {
	for prefix, want := range map[string]string{
		"": "", "/a": "/b", "/a\xff": "/b", "/a\xfe": "/a\xff", "\xff\xff": "", "/\ufffd": "/\xef\xbf\xbe", "/a\x00": "/a\x01",
	} {
		if got := PrefixEnd(prefix); got != want {
			t.Errorf("%q ends before %q, want %q", prefix, got, want)
		}
	}
}

// allowed is the rule of the reference for one pattern.
func allowed(pattern, path string, scope Scope) bool {
	prefix, isPrefix := strings.CutSuffix(pattern, "*")
	if isPrefix {
		return strings.HasPrefix(path, prefix)
	}
	return scope == One && path == pattern
}

// TestCoverage compares the search in sorted ranges with the rule of the reference.
func TestCoverage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(genPattern, 0, 8).Draw(t, "patterns")
		c := newCoverage(ranges(list...))
		path := "/" + strings.Trim(genPattern.Draw(t, "path"), "/")
		for _, scope := range []Scope{One, Subtree} {
			want := false
			for _, p := range list {
				want = want || allowed(p, path, scope)
			}
			if got := c.covers(path, scope); got != want {
				t.Fatalf("%q, scope %d: %v by %q, want %v", path, scope, got, list, want)
			}
		}
	})
}

// TestCoversAnyRange checks ranges that no pattern describes.
func TestCoversAnyRange(t *testing.T) {
	for _, test := range []struct {
		r            Range
		path         string
		one, subtree bool
	}{
		{Range{"/a", "/a0"}, "/a", true, true},
		{Range{"/a", "/a/"}, "/a", true, false},
		{Range{"/a", "/a/b"}, "/a/a", true, true},
		{Range{"/a", "/c"}, "/b", true, true},
		{Range{"/a", "/c"}, "/c", false, false},
		{Range{"/a", ""}, "/zzz", true, true},
		{Range{"", "0"}, "/", true, true},
		{Range{"", "/z"}, "/", true, false},
		{Range{"/b", "/a"}, "/b", false, false},
	} {
		c := newCoverage([]Range{test.r})
		if one, subtree := c.covers(test.path, One), c.covers(test.path, Subtree); one != test.one || subtree != test.subtree {
			t.Errorf("%+q covers %q: %v, the subtree: %v", test.r, test.path, one, subtree)
		}
	}
}

func TestAllows(t *testing.T) {
	s := apply(t, new(State), role("queue", "/queue/*"), role("one", "/one"),
		&Change{Op: PutRole, Name: "reader", Permissions: Permissions{Read: ranges("/queue*")}})
	for _, test := range []struct {
		roles  string
		access Access
		path   string
		scope  Scope
		want   bool
	}{
		{"root", Write, "/", Subtree, true},
		{"queue", Write, "/queue/a", One, true},
		{"queue", Write, "/queue/a", Subtree, true},
		{"queue", Read, "/queue", One, false},
		{"queue", Read, "/queue", Subtree, false},
		{"reader", Read, "/queue", Subtree, true},
		{"reader", Write, "/queue", One, false},
		{"one", Read, "/one", One, true},
		{"one", Read, "/one", Subtree, false},
		{"one", Read, "/one/a", One, false},
		{"one queue", Read, "/queue/a", One, true},
		{"missing", Read, "/one", One, false},
		{"missing root", Read, "/one", One, true},
		{"", Read, "/", One, false},
	} {
		if got := s.Allows(strings.Fields(test.roles), test.access, test.path, test.scope); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

func TestOpenToGuests(t *testing.T) {
	for _, test := range []struct {
		name  string
		guest *Change // nil if there is no role guest
		want  bool
	}{
		{"no role", nil, false},
		{"no permission", role(Guest), false},
		{"a directory", role(Guest, "/public*"), false},
		{"the root alone", role(Guest, "/"), false},
		{"everything", role(Guest, "/*"), true},
		{"everything for reading", &Change{Op: PutRole, Name: Guest, Permissions: Permissions{Read: ranges("*")}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := new(State)
			if test.guest != nil {
				s = apply(t, s, test.guest)
			}
			if got := s.OpenToGuests(); got != test.want {
				t.Errorf("OpenToGuests is %v, want %v", got, test.want)
			}
		})
	}
}

// TestRootRole checks that the role root exists in every State, in the order of the names.
func TestRootRole(t *testing.T) {
	for others, want := range map[string]string{"": "root", "a": "a root", "z": "root z", "a z": "a root z"} {
		s := new(State)
		for _, name := range strings.Fields(others) {
			s = apply(t, s, role(name))
		}
		all := strings.Fields(want)
		for end := range len(all) + 1 { // the caller may stop at any role
			var got []string
			for r := range s.Roles() {
				if len(got) == end {
					break
				}
				got = append(got, r.Name)
			}
			if !slices.Equal(got, all[:end]) {
				t.Errorf("the first %d roles are %v, want %v", end, got, all[:end])
			}
		}
	}
}
