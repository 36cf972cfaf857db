package tree

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// shownNode is a node of a response.
type shownNode struct {
	Key   string       `json:"key"`
	Value *string      `json:"value"`
	Dir   bool         `json:"dir"`
	Nodes []*shownNode `json:"nodes"`
}

// keys returns the keys of all nodes below n, in the order of the response.
func (n *shownNode) keys() (keys []string) {
	for _, child := range n.Nodes {
		keys = append(append(keys, child.Key), child.keys()...)
	}
	return keys
}

// shown decodes the response of a list.
func shown(t rapid.TB, l *List, n *Node) (root *shownNode, count int) {
	t.Helper()
	text := l.Encode(n, 1).Append(nil)
	var body struct {
		Action string
		Node   *shownNode
		Count  int
	}
	if err := json.Unmarshal(text, &body); err != nil || body.Action != "get" || !strings.HasSuffix(string(text), "}\n") {
		t.Fatalf("%+v: %v: %s", l, err, text)
	}
	return body.Node, body.Count
}

// wantKeys returns the keys that a list selects, without After and Limit.
func wantKeys(dir *Node, l *List) (keys []string) {
	walk(dir, func(n *Node) {
		rest, _ := strings.CutPrefix(n.Path(), strings.TrimSuffix(dir.Path(), "/"))
		depth := strings.Count(rest, "/")
		if n != dir && depth <= l.Depth && (l.Hidden || !strings.Contains(rest, "/_")) {
			keys = append(keys, n.Path())
		}
	})
	return keys
}

// TestList compares lists of a random tree with a walk through it: the nested form, the number, and all pages of a random size, also
// from a key on that is not there.
func TestList(t *testing.T) {
	names := rapid.SliceOfN(rapid.SampledFrom(genNames), 1, 4)
	rapid.Check(t, func(t *rapid.T) {
		s := New(10)
		for range rapid.IntRange(0, 60).Draw(t, "nodes") {
			dir := rapid.Bool().Draw(t, "dir")
			s.Apply(1, []Command{{Op: OpSet, Path: "/" + strings.Join(names.Draw(t, "path"), "/"), Value: "v", Dir: dir}})
		}
		dir := s.View().root
		if at := s.View().Lookup("/a"); at != nil && rapid.Bool().Draw(t, "below") {
			dir = at
		}
		l := List{
			Depth:  rapid.SampledFrom([]int{0, 1, 2, Deep}).Draw(t, "depth"),
			Hidden: rapid.Bool().Draw(t, "hidden"), KeysOnly: rapid.Bool().Draw(t, "keysOnly"),
		}
		want := wantKeys(dir, &l)
		nested, _ := shown(t, &l, dir)
		if got := nested.keys(); !slices.Equal(got, want) {
			t.Fatalf("nested: got %q, want %q", got, want)
		}
		number := l
		number.Count = true
		if _, count := shown(t, &number, dir); count != len(want) {
			t.Fatalf("count %d, want %d", count, len(want))
		}
		l.Page, l.Limit = true, rapid.IntRange(1, 5).Draw(t, "limit")
		if missing := rapid.SliceOfN(rapid.SampledFrom(genNames), 0, 3).Draw(t, "after"); len(missing) > 0 {
			l.After = join(dir.Path(), strings.Join(missing, "/"))
			want = slices.DeleteFunc(want, func(key string) bool { return comparePaths(key, l.After) <= 0 })
		}
		checkPages(t, l, dir, want)
	})
}

// checkPages reads all pages of a list.
func checkPages(t *rapid.T, l List, dir *Node, want []string) {
	var got []string
	for more := true; more; {
		page, _ := shown(t, &l, dir)
		keys := page.keys()
		for _, n := range page.Nodes {
			if n.Nodes != nil || !n.Dir && (n.Value == nil) != l.KeysOnly {
				t.Fatalf("the page shows %+v", n)
			}
		}
		got = append(got, keys...)
		end := l.End(dir)
		if more = end != ""; more && (len(keys) != l.Limit || keys[l.Limit-1] != end) {
			t.Fatalf("the page of %d ends at %q: %q", l.Limit, end, keys)
		}
		l.After = end
	}
	if !slices.Equal(got, want) {
		t.Fatalf("pages: got %q, want %q", got, want)
	}
}

// TestListOfAFile checks that a list of a file shows the file alone.
func TestListOfAFile(t *testing.T) {
	s := New(10)
	must(t, s, Command{Op: OpSet, Path: "/a", Value: "v", Expires: 61 * second})
	n := s.View().Lookup("/a")
	for want, l := range map[string]*List{
		`{"action":"get","node":{"key":"/a","value":"v","expiration":"1970-01-01T00:01:01Z","ttl":60,"modifiedIndex":2,"createdIndex":2}}`: {
			Depth: Deep, Page: true, Limit: 1,
		},
		`{"action":"get","node":{"key":"/a","expiration":"1970-01-01T00:01:01Z","ttl":60,"modifiedIndex":2,"createdIndex":2}}`: {KeysOnly: true},
		`{"action":"get","node":{"key":"/a","expiration":"1970-01-01T00:01:01Z","ttl":60,"modifiedIndex":2,"createdIndex":2},"count":0}`: {
			Count: true, KeysOnly: true,
		},
	} {
		if got := string(l.Encode(n, second).Append(nil)); got != want+"\n" {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if end := l.End(n); end != "" {
			t.Errorf("the page ends at %q", end)
		}
	}
	if got := string(EncodeValue(n).Append(nil)); got != "v" {
		t.Errorf("the value is %q", got)
	}
}

// TestPageStopsAtAnError checks that a page whose write fails is not encoded to its end.
func TestPageStopsAtAnError(t *testing.T) {
	s := New(10)
	for i := range 1000 {
		must(t, s, Command{Op: OpSet, Path: fmt.Sprintf("/d/%d", i), Value: strings.Repeat("x", 10_000)})
	}
	l := List{Depth: Deep, Page: true}
	writes := 0
	failure := fmt.Errorf("broken pipe")
	rest, err := l.Encode(s.View().root, 1).Pieces(nil, func([]byte) error {
		writes++
		return failure
	})
	if err != failure || writes != 1 || len(rest) > PieceSize {
		t.Errorf("%v after %d writes, %d bytes left", err, writes, len(rest))
	}
}

// BenchmarkPage reads pages of 100 keys near the beginning, in the middle and near the end of a million keys.
func BenchmarkPage(b *testing.B) {
	const keys = 1_000_000
	for _, dirs := range []int{1, 1000} {
		s := grow(b, keys, dirs)
		for _, at := range []int{1, keys / 2, keys - 200*dirs} {
			b.Run(fmt.Sprintf("%d dirs/at %d", dirs, at), func(b *testing.B) {
				l := List{Depth: Deep, Page: true, Limit: 100, After: benchPath(at, dirs)}
				var buf []byte
				b.ReportAllocs()
				for b.Loop() {
					if l.End(s.View().root) == "" {
						b.Fatal("the page is the last one")
					}
					buf = l.Encode(s.View().root, 1).Append(buf[:0])
				}
			})
		}
	}
}
