package tree

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestDirectoryAgainstMap changes a directory at random, in batches, and compares it
// with a map: names that have much in common, little, or are the beginning of others.
func TestDirectoryAgainstMap(t *testing.T) {
	for kind, name := range map[string]func(i int) string{
		"numbers":           func(i int) string { return fmt.Sprintf("%08d", i) },
		"a long beginning":  func(i int) string { return strings.Repeat("x", 100) + fmt.Sprint(i) },
		"beginnings":        func(i int) string { return strings.Repeat("y", i%300+1) + fmt.Sprint(i/300) },
		"bytes of any kind": func(i int) string { return string([]byte{byte(i), byte(i >> 8), 0xff, 1}[:i%4+1]) },
	} {
		t.Run(kind, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			want := map[string]*Node{}
			d := newDirectory("/", 1)
			for epoch := uint64(2); epoch < 400; epoch++ {
				before, shown := d, slices.Collect(maps.Values(want))
				d = d.clone(epoch)
				// It grows for a time, then shrinks.
				for range 30 {
					changeAtRandom(d, want, name(random.IntN(3000)), random.IntN(10) < 2+int(epoch/50))
				}
				compareDirectory(t, d, want)
				if t.Failed() {
					return
				}
				for _, n := range shown { // the view from before the batch still has them
					if before.get(n.Path()[1:]) != n {
						t.Fatalf("a published directory lost %q", n.Path())
					}
				}
			}
		})
	}
}

func changeAtRandom(d *directory, want map[string]*Node, name string, remove bool) {
	switch n := newFile("/"+name, ""); {
	case remove:
		d.remove(name)
		delete(want, name)
		return
	case want[name] != nil:
		d.replace(n)
		want[name] = n
	default:
		d.insert(n)
		want[name] = n
	}
}

func compareDirectory(t *testing.T, d *directory, want map[string]*Node) {
	t.Helper()
	names := slices.Sorted(maps.Keys(want))
	if d.len() != len(names) {
		t.Errorf("%d children, want %d", d.len(), len(names))
	}
	d.scan(func(n *Node) bool {
		if len(names) == 0 || n != want[names[0]] {
			t.Errorf("%q comes, want %q", n.Path(), names)
			return false
		}
		names = names[1:]
		return true
	})
	for name, n := range want {
		if d.get(name) != n {
			t.Errorf("%q is not found", name)
		}
		if other := name + "\x00"; want[other] == nil && d.get(other) != nil {
			t.Errorf("%q is found", other)
		}
	}
	checkHeads(t, d, d.root)
}

// checkHeads wants every page that is not small to have heads which find each name
// that has four bytes of its own, and the place of one that is not there.
func checkHeads(t *testing.T, d *directory, p *page) {
	t.Helper()
	if p == nil {
		return
	}
	for _, kid := range p.kids {
		checkHeads(t, d, kid)
	}
	if p.heads == nil && len(p.items) >= pageMin {
		t.Errorf("a page of %d has no heads", len(p.items))
	}
	for i := range p.items {
		if p.heads == nil {
			return
		}
		name := d.name(p, i)
		head := headOf(name, p.heads.skip)
		if p.heads.of[i] != head {
			t.Errorf("the head of %q is %x, want %x", name, p.heads.of[i], head)
		}
		if first := slices.Index(p.heads.of[:len(p.items)], head); p.firstNotBelow(head) != first {
			t.Errorf("the heads say that %q is at %d, want %d", name, p.firstNotBelow(head), first)
		}
		for _, other := range []string{name[:len(name)-1], name[:len(name)/2], name + "0", name + "\x00", "\x00", "\xff\xff\xff\xff\xff"} {
			at, found := slices.BinarySearchFunc(p.items, other, func(n *Node, name string) int { return cmp.Compare(n.Path()[d.skip:], name) })
			if i, is := d.search(p, other); i != at || is != found {
				t.Errorf("%q is searched at %d, %t, want %d, %t", other, i, is, at, found)
			}
		}
	}
}
