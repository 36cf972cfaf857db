package tree

import (
	"cmp"
	"math"
	"sort"
	"strings"
)

// SortTarget is the number or text by which a RangeQuery sorts files.
type SortTarget uint8

// The targets. Their numbers are those of etcd's v3 API.
const (
	SortByKey SortTarget = iota
	SortByVersion
	SortByCreate
	SortByMod
	SortByValue

	lastSortTarget = SortByValue
)

// SortOrder is the order of a RangeQuery.
type SortOrder uint8

// The orders. Their numbers are those of etcd's v3 API.
const (
	// SortNone is the order of the keys if the target is SortByKey, and otherwise SortAscending. Without bounds of the revisions, a query
	// with it and a Limit sorts only the first files in the order of the keys, one more than the Limit, as etcd does.
	SortNone SortOrder = iota
	SortAscending
	SortDescending

	lastSortOrder = SortDescending
)

// RangeQuery selects files, as a range request of etcd's v3 API does. It must not be changed while it is used.
type RangeQuery struct {
	KeyRange
	// Limit is the largest number of files in the result. Zero and less is no limit.
	Limit int64
	Sort  SortTarget
	Order SortOrder
	// MinMod, MaxMod, MinCreate and MaxCreate are the lowest and the highest mod revision and create revision of the files in the result.
	// Zero is no bound.
	MinMod, MaxMod, MinCreate, MaxCreate uint64
	// KeysOnly asks for files without their values. Run ignores it: the encoding leaves the values out.
	KeysOnly bool
	// CountOnly asks for the number of the files alone.
	CountOnly bool
	// Revision is the revision at which the keys are read, or zero for the current one. Run ignores it: the caller chooses the KeyReader.
	Revision uint64
}

// RangeResult is the result of a RangeQuery.
type RangeResult struct {
	// Nodes are the files in the order of the query.
	Nodes []*Node
	// Count is the number of keys in the range. Limit and the bounds of the revisions do not change it.
	Count int64
	// More says that Nodes would hold more files without the Limit.
	More bool
}

// Run executes the query. It reads the files of the range only until Nodes is complete, if the order allows it.
func (q *RangeQuery) Run(keys KeyReader) RangeResult { return q.run(keys, nil) }

// run is Run with a limit of the result. If the limit is exceeded, the result is not complete.
func (q *RangeQuery) run(keys KeyReader, limit *resultLimit) RangeResult {
	if key, single := q.single(); single {
		r := q.runSingle(keys.Key(key))
		q.take(limit, r.Nodes)
		return r
	}
	if q.CountOnly {
		return RangeResult{Count: keys.CountKeys(q.KeyRange)}
	}
	var r RangeResult
	compare := q.compare()
	enough := q.enough(compare)
	cutLater := compare != nil && q.Limit > 0 // files that are not in the result do not count
	list := keys.Keys(q.KeyRange)
	if q.readsBackwards() {
		list, cutLater, compare = keys.KeysDescending(q.KeyRange), false, nil
	}
	for n := range list {
		r.Count++
		if !q.selects(n) {
			continue
		}
		if !cutLater && !limit.take(q.resultSize(n)) {
			return r
		}
		if r.Nodes = append(r.Nodes, n); len(r.Nodes) == enough {
			r.Count = keys.CountKeys(q.KeyRange)
			break
		}
	}
	if compare != nil {
		q.sort(r.Nodes, compare)
	}
	if q.Limit > 0 && int64(len(r.Nodes)) > q.Limit {
		clear(r.Nodes[q.Limit:])
		r.Nodes, r.More = r.Nodes[:q.Limit], true
	}
	if cutLater {
		q.take(limit, r.Nodes)
	}
	return r
}

// take counts all files of a result.
func (q *RangeQuery) take(limit *resultLimit, nodes []*Node) {
	for _, n := range nodes {
		limit.take(q.resultSize(n))
	}
}

// enough returns the number of files, in the order of the keys, from which the result follows: one more than the Limit. It is -1 if all
// files are needed.
func (q *RangeQuery) enough(compare func(a, b *Node) int) int {
	needsAll := compare != nil && !q.readsBackwards() && (q.Order != SortNone || q.MinMod|q.MaxMod|q.MinCreate|q.MaxCreate != 0)
	if q.Limit <= 0 || q.Limit == math.MaxInt64 || needsAll {
		return -1
	}
	return int(q.Limit) + 1
}

// readsBackwards reports whether the result follows from the last files in the order of the keys.
func (q *RangeQuery) readsBackwards() bool {
	return q.Sort == SortByKey && q.Order == SortDescending && q.Limit > 0 && q.MinMod|q.MaxMod|q.MinCreate|q.MaxCreate == 0
}

// single returns the key of a range of one key.
func (q *RangeQuery) single() (key string, ok bool) {
	key, ok = strings.CutSuffix(q.To, "\x00")
	return key, ok && key == q.From
}

// runSingle is Run for a range of one key. n is its file, or nil.
func (q *RangeQuery) runSingle(n *Node) (r RangeResult) {
	if n == nil {
		return r
	}
	r.Count = 1
	if !q.CountOnly && q.selects(n) {
		r.Nodes = []*Node{n}
	}
	return r
}

// selects reports whether the revisions of a file are within the bounds.
func (q *RangeQuery) selects(n *Node) bool {
	return (q.MinMod == 0 || n.ModRevision() >= q.MinMod) && (q.MaxMod == 0 || n.ModRevision() <= q.MaxMod) &&
		(q.MinCreate == 0 || n.CreateRevision() >= q.MinCreate) && (q.MaxCreate == 0 || n.CreateRevision() <= q.MaxCreate)
}

// compare returns the function that compares two files in ascending order. It is nil if the order of the keys is that of the query.
func (q *RangeQuery) compare() func(a, b *Node) int {
	switch q.Sort {
	case SortByVersion:
		return func(a, b *Node) int { return cmp.Compare(a.Version(), b.Version()) }
	case SortByCreate:
		return func(a, b *Node) int { return cmp.Compare(a.CreateRevision(), b.CreateRevision()) }
	case SortByMod:
		return func(a, b *Node) int { return cmp.Compare(a.ModRevision(), b.ModRevision()) }
	case SortByValue:
		return func(a, b *Node) int { return strings.Compare(a.Value(), b.Value()) }
	}
	if q.Order == SortDescending {
		return func(a, b *Node) int { return strings.Compare(a.Path(), b.Path()) }
	}
	return nil
}

// sort sorts files. sort.Sort is not stable, but its result follows from the order of the files: so files for which compare returns zero
// have the same order as in etcd.
func (q *RangeQuery) sort(nodes []*Node, compare func(a, b *Node) int) {
	var order sort.Interface = &nodeOrder{nodes, compare}
	if q.Order == SortDescending {
		order = sort.Reverse(order)
	}
	sort.Sort(order)
}

// nodeOrder is a sort.Interface.
type nodeOrder struct {
	nodes   []*Node
	compare func(a, b *Node) int
}

func (o *nodeOrder) Len() int           { return len(o.nodes) }
func (o *nodeOrder) Less(i, j int) bool { return o.compare(o.nodes[i], o.nodes[j]) < 0 }
func (o *nodeOrder) Swap(i, j int)      { o.nodes[i], o.nodes[j] = o.nodes[j], o.nodes[i] }
