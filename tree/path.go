package tree

import "strings"

// Limits of a path. They keep the cost of a request in proportion to its size: a
// listing repeats the whole path in every node.
const (
	// MaxPathBytes is the length of the longest path that a command may name.
	MaxPathBytes = 16 << 10
	// MaxPathDepth is the number of components of the deepest path.
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

// The functions below take clean paths.

// cutName splits the first component from the rest of a path without its leading
// slash.
func cutName(p string) (name, rest string, more bool) { return strings.Cut(p, "/") }

// base is the last component of a path.
func base(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

// parent is the path of the directory that holds p.
func parent(p string) string {
	if i := strings.LastIndexByte(p, '/'); i > 0 {
		return p[:i]
	}
	return "/"
}

// join is the path of the child of a directory.
func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// nameOffset is the length of the part in front of the name in the paths of a
// directory's children.
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

// hiddenBelow reports whether p, which must be dir or lie below it, has a hidden
// component below dir.
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

// comparePaths orders paths as View.Walk meets them: a slash comes before any other
// byte, so that all nodes of a directory come before its next sibling.
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
