package tree

import "strings"

// Limits of a path. A listing repeats the whole path in every node, so without limits a
// small request could have a huge response.
const (
	// MaxPathBytes is the length of the longest valid path.
	MaxPathBytes = 16 << 10
	// MaxPathDepth is the largest number of components of a valid path.
	MaxPathDepth = 1024
)

// ValidPath reports whether p is a clean path within the limits: "/", or an absolute
// path that does not end with a slash and has no empty, "." or ".." component.
func ValidPath(p string) bool {
	if p == "/" {
		return true
	}
	if len(p) == 0 || p[0] != '/' || len(p) > MaxPathBytes {
		return false
	}
	depth := 0
	for rest := p[1:]; ; depth++ {
		name, tail, more := cutName(rest)
		if name == "" || name == "." || name == ".." {
			return false
		}
		if !more {
			return depth < MaxPathDepth
		}
		rest = tail
	}
}

// Callers of the functions below must pass valid paths.

// cutName splits a path without its leading slash into the first component and the rest.
// more is false if there is only one component.
func cutName(p string) (name, rest string, more bool) { return strings.Cut(p, "/") }

// base returns the last component of a path.
func base(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

// parent returns the path of the directory that holds p.
func parent(p string) string {
	if i := strings.LastIndexByte(p, '/'); i > 0 {
		return p[:i]
	}
	return "/"
}

// join returns the path of a child of the directory dir.
func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// nameOffset returns the offset of the name in the paths of a directory's children.
func nameOffset(dir string) int {
	if dir == "/" {
		return 1
	}
	return len(dir) + 1
}

// hiddenName reports whether a node of that name is hidden from listings.
func hiddenName(name string) bool { return len(name) > 0 && name[0] == '_' }

// below reports whether p lies strictly below dir.
func below(p, dir string) bool {
	if dir == "/" {
		return len(p) > 1
	}
	return len(p) > len(dir) && p[len(dir)] == '/' && p[:len(dir)] == dir
}

// hiddenBelow reports whether a component of p below dir is hidden. p must be dir or lie
// below it.
func hiddenBelow(p, dir string) bool {
	if len(p) <= len(dir) {
		return false
	}
	rest := p[len(dir):]
	if dir == "/" {
		rest = p
	}
	return strings.Contains(rest, "/_")
}

// comparePaths compares paths in the order of View.Walk. A slash sorts before any other
// byte, so all nodes below a directory come before its next sibling.
func comparePaths(a, b string) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x == '/' || y != '/' && x < y {
			return -1
		}
		return 1
	}
	return len(a) - len(b)
}
