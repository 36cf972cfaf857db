package diff

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pando/ctl/client"
)

func nodes(keys ...string) []*client.Node {
	var list []*client.Node
	for _, key := range keys {
		list = append(list, &client.Node{Key: key, Value: "\xffv" + key})
	}
	return list
}

func TestMerge(t *testing.T) {
	pairs := func(a, b Nodes) string {
		var got []string
		for p, err := range Merge(a, b) {
			switch {
			case err != nil:
				got = append(got, err.Error())
			case p.B == nil:
				got = append(got, "-"+p.Key())
			case p.A == nil:
				got = append(got, "+"+p.Key())
			default:
				got = append(got, "="+p.Key())
			}
		}
		return strings.Join(got, " ")
	}
	failing := func(yield func(*client.Node, error) bool) {
		_ = yield(nodes("/b")[0], nil) && yield(nil, errors.New("broken"))
	}
	for _, test := range []struct {
		name string
		a, b Nodes
		want string
	}{
		{"order of a walk", Of(nodes("/a", "/a/b", "/a-b", "/c")), Of(nodes("/a", "/a/c", "/a-b", "/d")), "=/a -/a/b +/a/c =/a-b -/c +/d"},
		{"one empty", Of(nil), Of(nodes("/a", "/b")), "+/a +/b"},
		{"both empty", Of(nil), Of(nil), ""},
		{"an error", Of(nodes("/a", "/b", "/c")), failing, "-/a =/b broken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := pairs(test.a, test.b); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestSorter(t *testing.T) {
	var want []string
	for i := range 1000 {
		want = append(want, fmt.Sprintf("/d%d/k-%d", i%7, i), fmt.Sprintf("/d%d-x/%d", i%7, i))
	}
	shuffled := slices.Clone(want)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	slices.SortFunc(want, client.CompareKeys)
	for _, limit := range []int{1, 10_000, 1 << 30} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			s := NewSorter(limit)
			defer s.Close()
			for _, n := range nodes(shuffled...) {
				if err := s.Add(n); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for n, err := range s.Sorted() {
				if err != nil || n.Value != "\xffv"+n.Key {
					t.Fatalf("%+v, %v", n, err)
				}
				got = append(got, n.Key)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d nodes, or not in order", len(got))
			}
		})
	}
	t.Run("twice", func(t *testing.T) {
		s := NewSorter(1)
		defer s.Close()
		for _, n := range nodes("/a", "/b", "/a") {
			if err := s.Add(n); err != nil {
				t.Fatal(err)
			}
		}
		for _, err := range s.Sorted() {
			if err != nil {
				return
			}
		}
		t.Error("no error")
	})
}

func TestCriteria(t *testing.T) {
	at := time.Unix(1000, 0)
	later := at.Add(time.Second)
	a := &client.Node{Key: "/a", Value: "v\xff", Expiration: &at, ModifiedIndex: 1}
	b := &client.Node{Key: "/a", Value: "v\uFFFD", Expiration: &later, ModifiedIndex: 2}
	for _, test := range []struct {
		c    Criteria
		want bool
	}{
		{Criteria{}, true}, {Criteria{Values: true}, false}, {Criteria{Values: true, Text: true}, true}, {Criteria{Expiry: true}, false},
		{Criteria{Expiry: true, Slack: time.Second}, true}, {Criteria{Indexes: true}, false}, {Exact, false},
	} {
		t.Run(fmt.Sprintf("%+v", test.c), func(t *testing.T) {
			if test.c.Equal(a, b) != test.want {
				t.Errorf("want %v", test.want)
			}
			if !test.c.Equal(a, a) || !test.c.Equal(nil, nil) || test.c.Equal(a, nil) || test.c.Equal(a, &client.Node{Dir: true}) {
				t.Error("wrong about a node and itself, none, or a directory")
			}
		})
	}
}

func TestHunks(t *testing.T) {
	for _, test := range []struct{ name, a, b, want string }{
		{"equal", "a\nb\n", "a\nb\n", ""},
		{"from nothing", "", "a\n", "@@ -0,0 +1 @@|+a"},
		{"to nothing", "a\nb", "", `@@ -1,2 +0,0 @@|-a|-b|\ No newline at the end`},
		{"the last line break", "a\nb", "a\nb\n", `@@ -1,2 +1,2 @@| a|-b|\ No newline at the end|+b`},
		{"two hunks", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "one\n2\n3\n4\n5\n6\n7\n8\nnine\n",
			"@@ -1,4 +1,4 @@|-1|+one| 2| 3| 4|@@ -6,4 +6,4 @@| 6| 7| 8|-9|+nine"},
		{"one hunk", "1\n2\n3\n4\n5\n", "one\n2\n3\n4\nfive\n", "@@ -1,5 +1,5 @@|-1|+one| 2| 3| 4|-5|+five"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := strings.Join(Hunks(test.a, test.b), "|"); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// TestCompareLines compares random texts: the lines give both texts back, and as few are changed as a slow algorithm finds.
func TestCompareLines(t *testing.T) {
	random := func() string {
		var b strings.Builder
		for range rand.IntN(12) {
			b.WriteString(string(rune('a'+rand.IntN(3))) + "\n")
		}
		return b.String()
	}
	rounds := 2000
	if testing.Short() {
		rounds = 200
	}
	for range rounds {
		a, b := random(), random()
		var gotA, gotB strings.Builder
		edits := 0
		for _, l := range compareLines(a, b) {
			if l.op != insert {
				gotA.WriteString(l.text)
			}
			if l.op != remove {
				gotB.WriteString(l.text)
			}
			if l.op != keep {
				edits++
			}
		}
		if gotA.String() != a || gotB.String() != b || edits != fewestEdits(splitLines(a), splitLines(b)) {
			t.Fatalf("%q and %q: %d edits, %v", a, b, edits, compareLines(a, b))
		}
	}
	long := strings.Repeat("x\n", 3000)
	other := strings.Repeat("y\n", 3000)
	if lines := compareLines(long, other); len(lines) != 6000 {
		t.Errorf("%d lines", len(lines))
	}
}

func fewestEdits(a, b []string) int {
	costs := make([][]int, len(a)+1)
	for i := range costs {
		costs[i] = make([]int, len(b)+1)
		for j := range costs[i] {
			switch {
			case i == 0 || j == 0:
				costs[i][j] = i + j
			case a[i-1] == b[j-1]:
				costs[i][j] = costs[i-1][j-1]
			default:
				costs[i][j] = 1 + min(costs[i-1][j], costs[i][j-1])
			}
		}
	}
	return costs[len(a)][len(b)]
}
