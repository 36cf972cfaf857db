package httpapi

import (
	"testing"
)

func TestClean(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", "/"}, {"/", "/"}, {"/a", "/a"}, {"/a/", "/a/"}, {"//", "/"}, {"/a//b", "/a/b"},
		{"/a/./b", "/a/b"}, {"/a/../b", "/b"}, {"/..", "/"}, {"/a/..", "/"}, {"/.hidden", "/.hidden"}, {"/a/b/../", "/a/"},
	} {
		if got := clean(tc.in); got != tc.want {
			t.Errorf("clean(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}
