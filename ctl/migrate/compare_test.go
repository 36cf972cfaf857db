package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pando/ctl/client"
	"pando/tree"
)

// fakeTree is a tree of nodes that can be read as the source or the target of a comparison.
type fakeTree struct {
	mu    sync.Mutex
	nodes map[string]client.Node
	index uint64
	reads int
	onGet func(path string) // called before each read; may be nil
}

func newFakeTree(nodes ...client.Node) *fakeTree {
	f := &fakeTree{nodes: map[string]client.Node{"/": {Dir: true}}, index: 10}
	for _, n := range nodes {
		f.nodes[n.Key] = n
	}
	return f
}

// key returns a node whose indexes are both index.
func key(path, value string, index uint64) client.Node {
	return client.Node{Key: path, Value: value, CreatedIndex: index, ModifiedIndex: index}
}

func dir(path string, index uint64) client.Node {
	return client.Node{Key: path, Dir: true, CreatedIndex: index, ModifiedIndex: index}
}

// read is a readFunc.
func (f *fakeTree) read(_ context.Context, path string, _ uint64) (*client.Node, uint64, error) {
	if f.onGet != nil {
		f.onGet(path)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	n, exists := f.nodes[path]
	if !exists {
		return nil, f.index, nil
	}
	for _, child := range f.nodes {
		if child.Key != path && parentOf(child.Key) == path && child.Key != "" && !isHidden(child.Key) {
			n.Nodes = append(n.Nodes, &child)
		}
	}
	return &n, f.index, nil
}

func (f *fakeTree) put(n client.Node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.index = max(f.index, n.ModifiedIndex)
	f.nodes[n.Key] = n
}

func paths(differences []difference) string {
	var all []string
	for _, d := range differences {
		all = append(all, d.path)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestWalk(t *testing.T) {
	soon := time.Now().Add(time.Minute)
	source := newFakeTree(dir("/a", 1), key("/a/1", "x", 1), key("/a/2", "x", 2), dir("/b", 3), key("/b/1", "x", 3), key("/new", "x", 9),
		dir("/_h", 4), key("/_h/x", "x", 4), key("/f", "x", 5), key("/ttl", "x", 6))
	target := newFakeTree(dir("/a", 1), key("/a/1", "x", 1), key("/a/2", "y", 2), dir("/c", 3), key("/c/1", "x", 3),
		dir("/_h", 4), key("/_h/x", "y", 4), dir("/f", 5), key("/f/below", "x", 5),
		client.Node{Key: "/ttl", Value: "x", CreatedIndex: 6, ModifiedIndex: 6, Expiration: &soon})
	w := &walk{source: source.read, target: target.read}
	if err := w.run(t.Context(), []string{"/_h"}); err != nil {
		t.Fatal(err)
	}
	if got, want := paths(w.differences), "/_h/x /a/2 /b /b/1 /c /c/1 /f /f/below /new /ttl"; got != want {
		t.Errorf("differences at\n%s, want\n%s", got, want)
	}
	nodes, removed := split(w.differences)
	if got := fmt.Sprint(removed); got != "[/c /f/below]" || len(nodes) != 7 {
		t.Errorf("removed %s, and %d nodes", got, len(nodes))
	}
}

// TestWalkFails checks that a walk ends with the error of a read.
func TestWalkFails(t *testing.T) {
	source := newFakeTree()
	for i := range 100 {
		source.put(dir(fmt.Sprint("/", i), 1))
	}
	broken := func(ctx context.Context, path string, since uint64) (*client.Node, uint64, error) {
		if path == "/50" {
			return nil, 0, errDown
		}
		return source.read(ctx, path, since)
	}
	w := &walk{source: broken, target: source.read}
	if err := w.run(t.Context(), nil); err != errDown {
		t.Errorf("got %v", err)
	}
}

// TestCompareWhileChanging changes a key of the source during the walk, before it is changed at the target.
func TestCompareWhileChanging(t *testing.T) {
	source := newFakeTree(key("/hot", "1", 5), key("/same", "x", 6), key("/lost", "x", 7))
	target := newFakeTree(key("/hot", "1", 5), key("/same", "x", 6))
	trackers := &trackers{index: 10}
	var once sync.Once
	target.onGet = func(string) {
		once.Do(func() {
			target.put(key("/hot", "2", 11))
			source.put(key("/hot", "3", 12))
			trackers.add([]tree.EventFields{
				{Action: tree.ActionSet, Node: tree.NodeFields{Path: "/hot", Modified: 11}},
				{Action: tree.ActionSet, Node: tree.NodeFields{Path: "/hot", Modified: 12}},
			}, 12)
			target.put(key("/hot", "3", 12))
		})
	}
	c := &comparer{source: source.read, target: target.read, trackers: trackers}
	result, err := c.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := paths(result.differences); got != "/lost" || len(result.track.paths()) != 0 {
		t.Errorf("differences at %s, changing %v", got, result.track.paths())
	}
	text := describeDifferences(exported(result.differences))
	if !strings.Contains(text, "/lost: source key (createdIndex 7, modifiedIndex 7); target missing") {
		t.Errorf("got %s", text)
	}
}

// TestCompareBelowChanging changes a directory during the walk. A difference below it is still found.
func TestCompareBelowChanging(t *testing.T) {
	source := newFakeTree(dir("/d", 5), key("/d/lost", "x", 7))
	target := newFakeTree(dir("/d", 5))
	trackers := &trackers{index: 10}
	update := []tree.EventFields{{Action: tree.ActionUpdate, Node: tree.NodeFields{Path: "/d", Dir: true, Modified: 11}}}
	target.onGet = func(string) { trackers.add(update, 11) }
	c := &comparer{source: source.read, target: target.read, trackers: trackers}
	result, err := c.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if open := result.track.paths(); !slices.Contains(open, "/d/lost") && paths(result.differences) != "/d/lost" {
		t.Errorf("differences at %s, and %v are compared again", paths(result.differences), open)
	}
}

func TestTracker(t *testing.T) {
	s := &trackers{index: 5}
	track := s.begin()
	s.add([]tree.EventFields{
		{Action: tree.ActionSet, Node: tree.NodeFields{Path: "/a/b/c", Modified: 6}},
		{Action: tree.ActionExpire, Node: tree.NodeFields{Path: "/gone", Modified: 7}},
	}, 8)
	for path, want := range map[string]bool{
		"/a": true, "/a/b": true, "/a/b/c": true, "/a/b/c/d": true, "/a/x": false, "/gone/below": true, "/": false, "/other": false,
	} {
		if got := track.touches(path); got != want {
			t.Errorf("%s is touched: %t, want %t", path, got, want)
		}
	}
	if track.changes("/a/b") || !track.changes("/a/b/c") {
		t.Error("an event below a directory counts as a change of the directory")
	}
	if got := fmt.Sprint(track.writtenPaths()); got != "[/a/b/c]" {
		t.Errorf("written: %s", got)
	}
	if err := track.await(t.Context(), 8); err != nil {
		t.Error(err)
	}
	s.add([]tree.EventFields{{Action: tree.ActionSet, Node: tree.NodeFields{Path: "/a", Modified: 11}}}, 13)
	if got := fmt.Sprint(track.silentIndexes()); got != "[8 9 10 12 13]" {
		t.Errorf("indexes without an event: %s", got)
	}
	s.reset(100)
	if err := track.await(t.Context(), 100); err != errWindowLost {
		t.Errorf("after a reset: %v", err)
	}
}

// TestReadNodes reads many nodes of one directory as a list, and few of them one by one.
func TestReadNodes(t *testing.T) {
	f := newFakeTree(dir("/many", 1), dir("/few", 1), key("/few/1", "x", 1), key("/few/_h", "x", 1))
	var wanted []string
	for i := range 50 {
		path := fmt.Sprint("/many/", i)
		f.put(key(path, "x", 1))
		wanted = append(wanted, path)
	}
	found, _, err := readNodes(t.Context(), f.read, append(wanted, "/few/1", "/few/_h", "/few/none", "/many"), 0, nil)
	if err != nil || len(found) != 53 || f.reads != 5 {
		t.Errorf("%d nodes by %d reads, %v", len(found), f.reads, err)
	}
}

func TestBatches(t *testing.T) {
	value := strings.Repeat("x", changeLimit/3)
	nodes := []tree.NodeFields{
		{Path: "/b", Value: value}, {Path: "/a", Value: value}, {Path: "/c", Value: value},
		{Path: "/d", Value: strings.Repeat("x", 2*changeLimit)},
	}
	var got []string
	for change := range batches(nodes, []string{"/gone"}) {
		line := strings.Join(change.Removed, " ")
		for _, n := range change.Nodes {
			line += n.Path
		}
		got = append(got, line)
	}
	if want := "[/gone/a/b /c /d]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
