package tree

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestRangeQuery compares the results of random queries with those of simple ones: all files are read, filtered, sorted and then cut.
func TestRangeQuery(t *testing.T) {
	s := New(10)
	s.beginBatch(second)
	for i := range 60 {
		s.putTestKey(newFile(edgeKeys[i*7%len(edgeKeys)], fmt.Sprint(i%5), 0, 0))
	}
	s.publish()
	v := s.View()
	rapid.Check(t, func(t *rapid.T) {
		revision := rapid.Uint64Range(0, 70)
		bounds := rapid.SampledFrom(append([]string{"", "0"}, edgeKeys...))
		q := RangeQuery{
			KeyRange: KeyRange{From: bounds.Draw(t, "from"), To: bounds.Draw(t, "to")},
			Limit:    rapid.Int64Range(-1, 30).Draw(t, "limit"),
			Sort:     SortTarget(rapid.IntRange(0, int(lastSortTarget)).Draw(t, "sort")),
			Order:    SortOrder(rapid.IntRange(0, int(lastSortOrder)).Draw(t, "order")),
			MinMod:   revision.Draw(t, "minMod"), MaxMod: revision.Draw(t, "maxMod"),
			MinCreate: revision.Draw(t, "minCreate"), MaxCreate: revision.Draw(t, "maxCreate"),
			CountOnly: rapid.IntRange(0, 4).Draw(t, "countOnly") == 0,
		}
		if rapid.Bool().Draw(t, "single") {
			q.KeyRange = SingleKey(q.From)
		}
		if rapid.Bool().Draw(t, "unfiltered") {
			q.MinMod, q.MaxMod, q.MinCreate, q.MaxCreate = 0, 0, 0, 0
		}
		want := runSimply(&q, v)
		got := q.Run(v)
		if got.Count != want.Count || got.More != want.More || len(got.Nodes) != len(want.Nodes) {
			t.Fatalf("%+v: %d of %d, more: %t; want %d of %d, more: %t",
				q, len(got.Nodes), got.Count, got.More, len(want.Nodes), want.Count, want.More)
		}
		for i, n := range got.Nodes {
			if w := want.Nodes[i]; n != w && q.key(n) != q.key(w) {
				t.Fatalf("%+v: %d is %q, want %q", q, i, n.Path(), w.Path())
			}
		}
	})
}

// key returns the text by which a query sorts a file. Texts that are equal stand for files whose order is not defined.
func (q *RangeQuery) key(n *Node) string {
	return [...]string{
		SortByKey: n.Path(), SortByVersion: fmt.Sprintf("%09d", n.Version()), SortByCreate: fmt.Sprintf("%09d", n.CreateRevision()),
		SortByMod: fmt.Sprintf("%09d", n.ModRevision()), SortByValue: n.Value(),
	}[q.Sort]
}

func runSimply(q *RangeQuery, v *View) (r RangeResult) {
	for n := range v.Keys(q.KeyRange) {
		r.Count++
		mod, create := n.ModRevision(), n.CreateRevision()
		if !q.CountOnly && mod >= q.MinMod && create >= q.MinCreate &&
			mod <= cmp.Or(q.MaxMod, 1<<40) && create <= cmp.Or(q.MaxCreate, 1<<40) {
			r.Nodes = append(r.Nodes, n)
		}
	}
	if q.Order == SortNone && q.Limit > 0 && q.MinMod|q.MaxMod|q.MinCreate|q.MaxCreate == 0 { // cut before it is sorted
		r.Nodes = r.Nodes[:min(int64(len(r.Nodes)), q.Limit+1)]
	}
	slices.SortFunc(r.Nodes, func(a, b *Node) int {
		if q.Order == SortDescending {
			a, b = b, a
		}
		return strings.Compare(q.key(a), q.key(b))
	})
	if q.Limit > 0 && int64(len(r.Nodes)) > q.Limit {
		r.Nodes, r.More = r.Nodes[:q.Limit], true
	}
	return r
}
