package tree

import (
	"testing"
	"unsafe"
)

// TestDirectorySize checks the sizes of a directory's objects, which are classes of the allocator.
func TestDirectorySize(t *testing.T) {
	if node, dir := unsafe.Sizeof(dirNode{}), unsafe.Sizeof(directory{}); node != 64 || dir != 48 {
		t.Errorf("a directory's node has %d bytes, want 64; the directory %d, want 48", node, dir)
	}
}

// TestDirectoryFlags copies a directory with and without a shadowed file. The flags must not depend on the numbers.
func TestDirectoryFlags(t *testing.T) {
	file := newFile("/d", "value", 5, 0)
	dir := newDir("/d", newDirectory("/d", 1))
	dir.setImplied(true)
	dir.setNumbers(numbers{created: maxIndex, modified: maxIndex, modRevision: maxIndex, version: 1, sub: maxSub})
	dir.setExpires(7)
	dir.setUnchangedSince(9)
	for _, shadowed := range []*Node{nil, file, nil, file} {
		dir = dir.withShadowed(shadowed).withDirectory(dir.directory())
		if dir.Shadowed() != shadowed || !dir.isImplied() || !dir.IsDir() || dir.Path() != "/d" || dir.Expires() != 7 ||
			dir.CreatedIndex() != maxIndex || dir.Sub() != maxSub || dir.UnchangedSince() != 9 {
			t.Errorf("with the shadowed file %v: %+v, implied: %t", shadowed, dir.Fields(), dir.isImplied())
		}
	}
	if alone := dir.withoutChildren(); alone.Shadowed() != nil || alone.isImplied() || alone.directory() != noChildren {
		t.Error("the directory of an event has a shadowed file, children, or is implied")
	}
	if dir.setImplied(false); dir.isImplied() || dir.Shadowed() != file {
		t.Error("an explicit directory is implied, or has lost its shadowed file")
	}
	if file.Shadowed() != nil || file.isImplied() {
		t.Error("a file has the flags of a directory")
	}
}
