package tree

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// genNumbers draws the numbers of a node. Each may be the smallest or the largest one.
func genNumbers(t *rapid.T) numbers {
	draw := func(name string, largest uint64) uint64 {
		return rapid.OneOf(rapid.SampledFrom([]uint64{0, 1, largest}), rapid.Uint64Range(0, largest)).Draw(t, name)
	}
	return numbers{
		created: draw("created", maxIndex), modified: draw("modified", maxIndex), createRevision: draw("create revision", maxIndex),
		modRevision: draw("mod revision", maxIndex), version: draw("version", maxVersion), sub: draw("sub", maxSub),
	}
}

// allFields returns everything that the methods of a node return.
type allFields struct {
	numbers
	path, value    string
	dir, verbatim  bool
	expires, lease int64
}

func fieldsOfNode(n *Node) allFields {
	return allFields{
		numbers: numbers{
			created: n.CreatedIndex(), modified: n.ModifiedIndex(), createRevision: n.CreateRevision(), modRevision: n.ModRevision(),
			version: n.storedVersion(), sub: n.Sub(),
		},
		path: n.Path(), value: n.Value(), dir: n.IsDir(), verbatim: n.verbatim(), expires: n.Expires(), lease: n.Lease(),
	}
}

// TestLayout makes nodes of all layouts, whose fields share words, and sets their numbers twice. Each method must return what was set.
func TestLayout(t *testing.T) {
	if size := unsafe.Sizeof(fourWords{}); size != 32 {
		t.Fatalf("the four words have %d bytes", size)
	}
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.OneOf(rapid.SampledFrom([]int{0, 1, 15, 16, 127, 128, 151, 152, 153, 160, 161}), rapid.IntRange(0, 300))
		want := allFields{
			path: "/" + strings.Repeat("p", lengths.Draw(t, "path")), dir: rapid.Bool().Draw(t, "dir"),
			verbatim: rapid.Bool().Draw(t, "verbatim"),
		}
		if !want.verbatim {
			want.path += "\n"
		}
		extension := rapid.Int64().Draw(t, "extension")
		var n *Node
		switch rapid.IntRange(0, 2).Draw(t, "kind of extension") {
		case 1:
			want.expires = extension
		case 2:
			if !want.dir {
				want.lease = extension
			}
		}
		if want.dir {
			n = newDir(want.path, noChildren)
			n.setExpires(want.expires)
		} else {
			want.value = strings.Repeat("v", lengths.Draw(t, "value"))
			n = newFile(want.path, want.value, want.expires, want.lease)
		}
		for range 2 {
			want.numbers = genNumbers(t)
			if n.setNumbers(want.numbers); want.dir { // a directory has no create revision, and only two versions
				want.createRevision, want.version = 0, want.version&lowMask
			}
			if got := fieldsOfNode(n); got != want {
				t.Fatalf("got  %+v\nwant %+v", got, want)
			}
		}
		if want.dir {
			if got := fieldsOfNode(n.withDirectory(newDirectory(want.path, 0))); got != want {
				t.Fatalf("with other children\ngot  %+v\nwant %+v", got, want)
			}
		}
	})
}

// TestUnchangedLayout makes files with numbers that an unchangedFile can have, and with others.
func TestUnchangedLayout(t *testing.T) {
	if size := unsafe.Sizeof(unchangedText[[116]byte]{}); size != unchangedHead+116 {
		t.Fatalf("an unchangedText has %d bytes", size)
	}
	rapid.Check(t, func(t *rapid.T) {
		created := rapid.Uint64Range(maxDistance+2, maxIndex-1).Draw(t, "created")
		distance := rapid.SampledFrom([]uint64{0, 1, 12345, maxDistance, maxDistance + 1}).Draw(t, "distance")
		c := numbers{
			created: created, modified: created, createRevision: created - distance, modRevision: created - distance,
			version: rapid.Uint64Range(0, 2).Draw(t, "version"), sub: rapid.SampledFrom([]uint64{0, 1, 127, 128}).Draw(t, "sub"),
		}
		want := allFields{
			path: "/" + strings.Repeat("p", rapid.IntRange(0, 80).Draw(t, "path")), verbatim: rapid.Bool().Draw(t, "verbatim"),
			value: strings.Repeat("v", rapid.IntRange(0, 90).Draw(t, "value")),
		}
		if !want.verbatim {
			want.value += "\n"
		}
		unchanged := distance <= maxDistance && c.version <= 1 && c.sub <= maxUnchangedSub && len(want.path)+len(want.value) <= smallText
		switch rapid.IntRange(0, 9).Draw(t, "change") {
		case 0:
			c.modified, unchanged = created+1, false
		case 1:
			c.modRevision, unchanged = created+1, false
		case 2:
			want.expires, unchanged = 1, false
		case 3:
			want.lease, unchanged = 1, false
		}
		want.numbers = c
		n := newNumberedFile(want.path, want.value, want.expires, want.lease, c)
		if n.isUnchanged() != unchanged {
			t.Fatalf("an unchangedFile: %v, want %v; %+v", !unchanged, unchanged, want)
		}
		if got := fieldsOfNode(n); got != want {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
	})
	t.Run("directory with all flags", func(t *testing.T) {
		d := newDir("/d", noChildren).withShadowed(newFile("/d", "v", 0, 0))
		if d.setImplied(true); d.isUnchanged() {
			t.Error("a directory is an unchangedFile")
		}
	})
}

// TestSaturated stores a version and a sub that are too large: the largest ones are stored.
func TestSaturated(t *testing.T) {
	n := newFile("/a", "v", 0, 0)
	n.setNumbers(numbers{created: 1, modified: 2, createRevision: 1, modRevision: 2, version: maxVersion + 1, sub: maxSub + 1})
	if n.Version() != maxVersion || n.Sub() != maxSub || n.nextVersion() <= maxVersion {
		t.Errorf("version %d, sub %d", n.Version(), n.Sub())
	}
	if n.CreatedIndex() != 1 || n.ModifiedIndex() != 2 || n.CreateRevision() != 1 || n.ModRevision() != 2 || n.Value() != "v" {
		t.Errorf("other fields have changed: %+v", fieldsOfNode(n))
	}
	s := New(10)
	s.StartRevisions()
	operations := make([]Command, maxSub+3)
	for i := range operations {
		operations[i] = Command{Op: OpCreateInOrder, Path: "/q"}
	}
	must(t, s, Command{Op: OpTxn, Txn: &Txn{Then: operations}})
	subs := map[uint64]int{}
	for n := range s.View().Walk() {
		if n.ModRevision() != 2 {
			t.Fatalf("%s has revision %d", n.Path(), n.ModRevision())
		}
		if !n.IsDir() {
			subs[n.Sub()]++
		}
	}
	if subs[0] != 1 || subs[maxSub] != 3 || len(subs) != maxSub+1 || s.View().Revision() != 2 {
		t.Errorf("%d subs; %d files have the largest; the revision is %d", len(subs), subs[maxSub], s.View().Revision())
	}
}

// TestTooLarge refuses indexes above the largest one, wherever they come from.
func TestTooLarge(t *testing.T) {
	large := uint64(maxIndex + 1)
	node := func(created, modified uint64) NodeFields {
		return NodeFields{Path: "/a", Value: "v", Created: created, Modified: modified}
	}
	stored := func(created, modified uint64) []byte {
		data := []byte{nodeFile}
		for _, number := range []uint64{created, modified, 0} {
			data = binary.AppendUvarint(data, number)
		}
		return data
	}
	for name, load := range map[string]func(*Loader) error{
		"imported index":         func(l *Loader) error { return l.ImportState(maxSourceIndex+1, Counters{}, nil) },
		"imported modifiedIndex": func(l *Loader) error { return l.ImportNode(node(2, large)) },
		"imported createdIndex":  func(l *Loader) error { return l.ImportNode(node(large, 2)) },
		"imported event": func(l *Loader) error {
			prev := node(large, 2)
			return l.ImportEvent(EventFields{Action: ActionSet, Node: node(2, 2), Prev: &prev})
		},
		"stored modifiedIndex": func(l *Loader) error { return l.Node("/a", stored(2, large)) },
		"stored createdIndex":  func(l *Loader) error { return l.Node("/a", stored(large, large+1)) },
		"stored index": func(l *Loader) error {
			v := View{index: large}
			return l.State(v.AppendState(nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := NewLoader(10)
			if err := l.ImportState(5, Counters{}, nil); err != nil {
				t.Fatal(err)
			}
			if err := load(l); !errors.Is(err, ErrBadState) || !strings.Contains(err.Error(), "above") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("no room for more changes", func(t *testing.T) {
		s := New(10)
		s.index = maxIndex - indexReserve + 1
		r := s.Apply(1, []Command{{Op: OpSet, Path: "/a"}, {Op: OpExpire}})
		if err := r[0].Err; err == nil || err.Code != CodeRaftInternal || !strings.Contains(err.Cause, "move the keys into a new cluster") {
			t.Errorf("got %v", err)
		}
	})
}
