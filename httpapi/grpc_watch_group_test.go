package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// TestKeyWatchGroup opens many watches of one key on one stream, with several options, before and after the events. The largest events do
// not fit into a frame. Each watch must get every event once and in order.
func TestKeyWatchGroup(t *testing.T) {
	f, conn := watchFixture(t)
	const watches, changes = 30, 30
	w := watchKeys(t, conn)
	last := map[int64]int64{} // the revision of the last event of each watch
	open := func(n int, start int64) {
		for range n {
			w.request(&pb.WatchCreateRequest{Key: []byte("/a"), StartRevision: start, PrevKv: len(last)%3 == 0, Fragment: len(last)%5 == 0})
			last[int64(len(last))] = max(start, 2) - 1
		}
	}
	open(watches, 0)
	for created := 0; created < watches; created++ {
		if r, err := w.Recv(); err != nil || !r.Created {
			t.Fatalf("got %v, %v", r, err)
		}
	}
	for i := range changes {
		f.do("PUT", "/v2/keys/a", "value="+strings.Repeat("x", i*i*30)) // the last ones do not fit into a frame
		if i == changes/2 {
			open(watches, 2) // they must read what has happened
			w.request(&pb.WatchCancelRequest{WatchId: 7})
		}
	}
	canceled := false
	for done := 0; done < 2*watches-1; {
		r, err := w.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if r.Canceled {
			canceled = true
		}
		if r.WatchId == 7 && canceled && len(r.Events) > 0 {
			t.Fatal("an event of a canceled watch")
		}
		for _, e := range r.Events {
			if e.Kv.ModRevision != last[r.WatchId]+1 {
				t.Fatalf("watch %d: revision %d after %d", r.WatchId, e.Kv.ModRevision, last[r.WatchId])
			}
			last[r.WatchId]++
			if r.WatchId%3 == 0 && e.Kv.ModRevision > 2 && (e.PrevKv == nil || e.PrevKv.ModRevision != e.Kv.ModRevision-1) {
				t.Fatalf("watch %d: revision %d has the previous file %s", r.WatchId, e.Kv.ModRevision, keyText(e.PrevKv))
			}
		}
		if r.WatchId != 7 && len(r.Events) > 0 && last[r.WatchId] == changes+1 {
			done++
		}
	}
	f.do("PUT", "/v2/keys/a", "value=1") // all watches send this event
	const fragments = 2 * watches / 5    // which share no cursor
	await(t, "one cursor for the watches with the same options", func() bool { return f.log.tree.KeyWatchers() == 2+fragments })
}

// TestKeyWatchGroupEnds ends groups of watches: one after the other, all together because the history was compacted, and with the stream.
func TestKeyWatchGroupEnds(t *testing.T) {
	f, conn := watchFixture(t)
	w := watchKeys(t, conn, allKeys(), allKeys(), &pb.WatchCreateRequest{RangeEnd: []byte{0}, ProgressNotify: true}, allKeys())
	w.expect("0 @1 created", "1 @1 created", "2 @1 created", "3 @1 created")
	await(t, "one cursor", func() bool { return f.log.tree.KeyWatchers() == 1 })
	w.request(&pb.WatchCancelRequest{WatchId: 0})
	w.expect("0 @1 canceled")
	w.request(&pb.WatchProgressRequest{})
	w.expect("-1 @1")
	f.do("PUT", "/v2/keys/a", "value=1")
	got := map[string]bool{w.next(): true, w.next(): true, w.next(): true}
	for id := 1; id <= 3; id++ {
		if text := fmt.Sprintf("%d @2 PUT /a=1[2 2 1]", id); !got[text] {
			t.Errorf("no %s in %v", text, got)
		}
	}
	for id := range int64(3) {
		w.request(&pb.WatchCancelRequest{WatchId: id + 1})
		w.expect(fmt.Sprintf("%d @2 canceled", id+1))
	}
	if n := f.log.tree.KeyWatchers(); n != 0 {
		t.Errorf("%d cursors without watches", n)
	}
	w.request(allKeys())
	w.expect("4 @2 created")
	f.do("PUT", "/v2/keys/a", "value=2")
	w.expect("4 @3 PUT /a=2[3 3 1]")
}

// TestKeyWatchGroupProgress checks that only the watches of a group that want it get responses without events.
func TestKeyWatchGroupProgress(t *testing.T) {
	f := newFixture(t, func(cfg *MemberConfig) { cfg.WatchProgressInterval = 10 * time.Millisecond })
	_, conn := serveGRPC(t, f)
	w := watchKeys(t, conn)
	for i := range 4 {
		w.request(&pb.WatchCreateRequest{Key: []byte("/a"), ProgressNotify: i%2 == 0})
	}
	seen := map[int64]bool{}
	for !seen[0] || !seen[2] {
		r, err := w.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if !r.Created && r.WatchId%2 != 0 {
			t.Fatalf("got %v", r)
		}
		seen[r.WatchId] = seen[r.WatchId] || !r.Created
	}
}

// TestKeyWatchGroupFragments removes so many keys with one revision that watches get them in fragments. Clients join the fragments of a
// watch: the last one must end the revision, and no response of another watch may come before it.
func TestKeyWatchGroupFragments(t *testing.T) {
	const keys, watches = 12, 3
	f, conn := watchFixture(t)
	for i := range keys {
		f.do("PUT", fmt.Sprintf("/v2/keys/d/%d", i), "value="+strings.Repeat("x", 300_000))
	}
	w := watchKeys(t, conn)
	for range watches {
		w.request(&pb.WatchCreateRequest{Key: []byte("/d"), RangeEnd: []byte("/e"), PrevKv: true, Fragment: true})
		w.next()
	}
	f.do("DELETE", "/v2/keys/d?recursive=true", "")
	for range watches {
		events, id := 0, int64(-1)
		for responses := 0; ; responses++ {
			r, err := w.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if responses > 0 && r.WatchId != id {
				t.Fatalf("a response of watch %d between the fragments of watch %d", r.WatchId, id)
			}
			id = r.WatchId
			events += len(r.Events)
			if !r.Fragment {
				if events != keys || responses == 0 {
					t.Errorf("watch %d: %d events in %d responses", id, events, responses+1)
				}
				break
			}
		}
	}
}
