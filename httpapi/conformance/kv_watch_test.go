package conformance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/prototext"

	"pando/members/servertest"
)

// kvWatches are the watches of one stream. A goroutine reads the stream.
type kvWatches struct {
	stream pb.Watch_WatchClient

	mu       sync.Mutex // guards all below
	lines    map[int64][]string
	creates  int // responses with created
	expected int // requests to create a watch
	puts     int // of lastKey that the watch of all keys has got
	err      error
}

const (
	allKeysWatch = 1000                 // the ID of the watch of all keys
	lastKey      = "\xff\xff\xff-last-" // a key that is put when the events before it must have arrived
)

// openKVWatches opens a stream with a watch of all keys. The stream ends with ctx.
func openKVWatches(ctx context.Context, conn *grpc.ClientConn) (*kvWatches, error) {
	stream, err := pb.NewWatchClient(conn).Watch(ctx)
	if err != nil {
		return nil, err
	}
	w := &kvWatches{stream: stream, lines: map[int64][]string{}}
	go w.read()
	return w, w.create(&pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, PrevKv: true, WatchId: allKeysWatch})
}

func (w *kvWatches) read() {
	for {
		r, err := w.stream.Recv()
		w.mu.Lock()
		if err != nil {
			w.err = err
			w.mu.Unlock()
			return
		}
		w.add(r)
		w.mu.Unlock()
	}
}

// add writes down a response. Callers must hold mu.
func (w *kvWatches) add(r *pb.WatchResponse) {
	line := func(format string, args ...any) {
		w.lines[r.WatchId] = append(w.lines[r.WatchId], fmt.Sprintf(format, args...))
	}
	if r.Created {
		w.creates++
		line("created at %d", r.Header.Revision)
	}
	for _, e := range r.Events {
		line("%s", prototext.MarshalOptions{}.Format(e))
		if r.WatchId == allKeysWatch && string(e.Kv.Key) == lastKey && e.Kv.Version > 0 { // not deleted
			w.puts++
		}
	}
	if r.Canceled {
		line("canceled: %q, compacted %d", r.CancelReason, r.CompactRevision)
	}
}

// create sends a request for a watch, and waits for its response.
func (w *kvWatches) create(r *pb.WatchCreateRequest) error {
	w.mu.Lock()
	w.expected++
	expected := w.expected
	w.mu.Unlock()
	if err := w.stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}); err != nil {
		return err
	}
	return w.await(func() bool { return w.creates >= expected })
}

// cancel sends a request to cancel a watch, and waits for its response, if there is such a watch.
func (w *kvWatches) cancel(r *pb.WatchCancelRequest) error {
	active := w.active(r.WatchId)
	if !active && w.ended(r.WatchId) { // etcd confirms it again if a compaction has canceled the watch
		return nil
	}
	if err := w.stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: r}}); err != nil || !active {
		return err
	}
	return w.await(func() bool { return canceled(w.lines[r.WatchId]) })
}

// active reports whether there is a watch with this ID.
func (w *kvWatches) active(id int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.lines[id]) > 0 && !canceled(w.lines[id])
}

// ended reports whether there was a watch with this ID.
func (w *kvWatches) ended(id int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.lines[id]) > 0 && canceled(w.lines[id])
}

// canceled reports whether the last of the lines is the end of a watch.
func canceled(lines []string) bool {
	return strings.HasPrefix(lines[len(lines)-1], "canceled")
}

// await waits until done, which is called with mu held.
func (w *kvWatches) await(done func() bool) error {
	var ok bool
	var err error
	servertest.Poll(kvTimeout, time.Millisecond, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		ok, err = done(), w.err
		return ok || err != nil
	})
	switch {
	case ok:
		return nil
	case err != nil:
		return fmt.Errorf("the stream of watches ended: %w", err)
	}
	return fmt.Errorf("a watch has not got what it must get in %v", kvTimeout)
}

// count returns the number of responses and events.
func (w *kvWatches) count() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, lines := range w.lines {
		n += len(lines)
	}
	return n
}

// snapshot returns what the watches have got.
func (w *kvWatches) snapshot() map[int64][]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make(map[int64][]string, len(w.lines))
	for id, lines := range w.lines {
		all[id] = slices.Clone(lines)
	}
	return all
}

// kvSettle bounds the wait for events that only one of the servers has sent.
const kvSettle = 10 * time.Second

// compareWatches waits until both have got all events up to the n-th put of lastKey, and compares them. omitted reports whether a line of
// Pando may be missing in what etcd sends.
func compareWatches(etcd, pando *kvWatches, n int, omitted func(line string) bool) error {
	for _, w := range []*kvWatches{etcd, pando} {
		if err := w.await(func() bool { return w.puts >= n }); err != nil {
			return err
		}
	}
	var err error
	servertest.Poll(kvSettle, 5*time.Millisecond, func() bool {
		err = differentLines(etcd.snapshot(), pando.snapshot(), omitted)
		return err == nil
	})
	return err
}

// differentLines returns an error with the first line of a watch that differs.
func differentLines(etcd, pando map[int64][]string, omitted func(line string) bool) error {
	ids := slices.Sorted(maps.Keys(etcd))
	for id := range pando {
		if _, ok := etcd[id]; !ok {
			ids = append([]int64{id}, ids...)
		}
	}
	for _, id := range ids {
		want, got := append(etcd[id], "(no more)"), append(pando[id], "(no more)")
		if len(want) == 1 {
			return fmt.Errorf("etcd has no watch %d; Pando sent %q", id, pando[id])
		}
		for i := range want {
			for i < len(got) && got[i] != want[i] && omitted(got[i]) {
				got = slices.Delete(got, i, i+1)
			}
			if i >= len(got) || got[i] != want[i] {
				return fmt.Errorf("line %d of watch %d\ngot  %s\nwant %s", i, id, got[min(i, len(got)-1):], want[i:])
			}
		}
	}
	return nil
}
