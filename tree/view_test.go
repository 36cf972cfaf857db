package tree

import (
	"fmt"
	"hash/fnv"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// fingerprint returns a hash of all fields of every node in a view, and of the totals.
func fingerprint(v *View) uint64 {
	h := fnv.New64a()
	var line []byte
	walk(v.root, func(n *Node) {
		line = append(append(line[:0], n.Path()...), 0)
		line = AppendNode(line, n)
		line = strconv.AppendInt(append(line, 0), int64(n.Len()), 10)
		_, _ = h.Write(append(line, 0))
	})
	fmt.Fprintf(h, "%d %d %d %d %d %+v", v.index, v.oldest, v.Nodes(), v.Bytes(), v.due, v.counters)
	return h.Sum64()
}

// kept is a view or an event with its original fingerprint.
type kept[T any] struct {
	item        T
	fingerprint string
}

// TestPublishedViewNeverChanges keeps views and events while more batches are applied. At
// the end each must have its original fingerprint.
func TestPublishedViewNeverChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m := New(10), newModel(10)
		now := 100 * second
		var views []kept[*View]
		var events []kept[*Event]
		for range rapid.IntRange(1, 30).Draw(t, "batches") {
			views = append(views, kept[*View]{s.View(), strconv.FormatUint(fingerprint(s.View()), 16)})
			now = genNow(t, now)
			commands := genBatch(t, m, now, 6)
			for _, c := range commands {
				_, _ = m.do(now, c)
			}
			for _, r := range s.Apply(now, commands) {
				if r.Event != nil {
					events = append(events, kept[*Event]{r.Event, string(AppendEvent(nil, r.Event))})
				}
			}
		}
		for i, k := range views {
			if now := strconv.FormatUint(fingerprint(k.item), 16); now != k.fingerprint {
				t.Fatalf("view %d of index %d has changed", i, k.item.Index())
			}
		}
		for _, k := range events {
			if string(AppendEvent(nil, k.item)) != k.fingerprint {
				t.Fatalf("event %d has changed", k.item.Index())
			}
		}
	})
}

// TestWideViewNeverChanges is TestPublishedViewNeverChanges with directories of many pages,
// which split and merge.
func TestWideViewNeverChanges(t *testing.T) {
	s := New(10)
	var views []kept[*View]
	keep := func() {
		views = append(views, kept[*View]{s.View(), strconv.FormatUint(fingerprint(s.View()), 16)})
	}
	const width = 3000
	key := func(i int) string { return fmt.Sprintf("/d/%d/%05d", i%2, i*7919%width) }
	for i := 0; i < width; i += 100 {
		s.Apply(1, batch(100, func(j int) Command { return Command{Op: OpSet, Path: key(i + j), Value: "1"} }))
		keep()
	}
	for i := 0; i < width; i += 100 {
		s.Apply(1, batch(100, func(j int) Command {
			op := []Op{OpDelete, OpSet, OpDelete}[(i+j)%3]
			return Command{Op: op, Path: key(i + j), Value: "2"}
		}))
		keep()
	}
	s.Apply(1, []Command{{Op: OpDelete, Path: "/d", Recursive: true}})
	if v := s.View(); v.Nodes() != 0 || v.Bytes() != 0 {
		t.Errorf("%d nodes of %d bytes are left", v.Nodes(), v.Bytes())
	}
	for i, k := range views {
		if now := strconv.FormatUint(fingerprint(k.item), 16); now != k.fingerprint {
			t.Errorf("view %d of index %d has changed", i, k.item.Index())
		}
	}
}

// TestReadersSeeWholeBatches reads views while batches are applied. Every batch sets all
// keys to the same value. A view with two values or with wrong totals would show a part of
// a batch.
func TestReadersSeeWholeBatches(t *testing.T) {
	s := New(100)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() { readUntil(t, s, stop) })
	}
	const keys = 200
	for round := range 300 {
		value := strconv.Itoa(round)
		commands := batch(keys, func(i int) Command {
			return Command{Op: OpSet, Path: fmt.Sprintf("/%d/%d", i%10, i), Value: value}
		})
		if round%10 == 9 {
			commands = append(commands, Command{Op: OpDelete, Path: "/5", Recursive: true})
		}
		s.Apply(1, commands)
		s.Announce()
		if round%20 == 0 {
			s.TakeDelta()
			runtime.Gosched()
		}
	}
	close(stop)
	readers.Wait()
}

// readUntil reads views and checks them until stop is closed.
func readUntil(t *testing.T, s *Store, stop chan struct{}) {
	for {
		v := s.View()
		before := fingerprint(v)
		var nodes, bytes int64 = -1, -1 // without the root
		values := map[string]bool{}
		walk(v.root, func(n *Node) {
			nodes++
			bytes += n.bytes()
			if !n.IsDir() {
				values[n.Value()] = true
			}
		})
		if len(values) > 1 || nodes != v.Nodes() || bytes != v.Bytes() {
			t.Errorf("at %d: values %v, %d nodes (%d), %d bytes (%d)", v.Index(), values, nodes, v.Nodes(), bytes, v.Bytes())
			return
		}
		if v.Lookup("/1/1") != nil {
			EncodeGet(v.root, 1, Deep).Append(nil)
		}
		if fingerprint(v) != before {
			t.Errorf("the view of %d changed while it was read", v.Index())
			return
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}
