package httpapi

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc"
)

// keyWatches is a stream of the service Watch.
type keyWatches struct {
	t *testing.T
	grpc.BidiStreamingClient[pb.WatchRequest, pb.WatchResponse]
}

// watchKeys opens a stream of watches, and sends the requests.
func watchKeys(t *testing.T, conn *grpc.ClientConn, requests ...any) *keyWatches {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	stream, err := pb.NewWatchClient(conn).Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	w := &keyWatches{t, stream}
	for _, r := range requests {
		w.request(r)
	}
	return w
}

// request sends a request, which is a *pb.WatchCreateRequest, a *pb.WatchCancelRequest or a *pb.WatchProgressRequest.
func (w *keyWatches) request(r any) {
	w.t.Helper()
	var request pb.WatchRequest
	switch r := r.(type) {
	case *pb.WatchCreateRequest:
		request.RequestUnion = &pb.WatchRequest_CreateRequest{CreateRequest: r}
	case *pb.WatchCancelRequest:
		request.RequestUnion = &pb.WatchRequest_CancelRequest{CancelRequest: r}
	case *pb.WatchProgressRequest:
		request.RequestUnion = &pb.WatchRequest_ProgressRequest{ProgressRequest: r}
	}
	if err := w.Send(&request); err != nil {
		w.t.Fatal(err)
	}
}

// next returns the next response as a text, without what is the same in all.
func (w *keyWatches) next() string {
	w.t.Helper()
	r, err := w.Recv()
	if err != nil {
		w.t.Fatal(err)
	}
	if r.Header.ClusterId != 0xc1 || r.Header.MemberId != 1 || r.Header.RaftTerm != 7 {
		w.t.Errorf("the header is %v", r.Header)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%d @%d", r.WatchId, r.Header.Revision)
	for _, part := range []struct {
		is   bool
		name string
	}{{r.Created, "created"}, {r.Canceled, "canceled"}, {r.Fragment, "fragment"}} {
		if part.is {
			text.WriteString(" " + part.name)
		}
	}
	if r.CompactRevision != 0 {
		fmt.Fprintf(&text, " compacted=%d", r.CompactRevision)
	}
	if r.CancelReason != "" {
		fmt.Fprintf(&text, " (%s)", r.CancelReason)
	}
	for _, e := range r.Events {
		fmt.Fprintf(&text, " %s %s", e.Type, keyText(e.Kv))
		if e.PrevKv != nil {
			fmt.Fprintf(&text, " was %s", keyText(e.PrevKv))
		}
	}
	return text.String()
}

func keyText(kv *mvccpb.KeyValue) string {
	return fmt.Sprintf("%s=%.8s[%d %d %d]", kv.Key, kv.Value, kv.CreateRevision, kv.ModRevision, kv.Version)
}

// expect compares the next responses.
func (w *keyWatches) expect(want ...string) {
	w.t.Helper()
	for _, line := range want {
		if got := w.next(); got != line {
			w.t.Errorf("got  %s\nwant %s", got, line)
		}
	}
}

// allKeys watches all keys.
func allKeys() *pb.WatchCreateRequest { return &pb.WatchCreateRequest{RangeEnd: []byte{0}} }

// watchFixture returns a fixture that counts revisions, and a connection to it. Its revision is 1.
func watchFixture(t *testing.T) (*fixture, *grpc.ClientConn) {
	t.Helper()
	f := newFixture(t, func(cfg *MemberConfig) { cfg.WatchProgressInterval = time.Hour })
	f.log.tree.StartRevisions()
	_, conn := serveGRPC(t, f)
	return f, conn
}

// TestKeyWatch compares the responses to watches with those that etcd 3.7.3 was seen to send.
func TestKeyWatch(t *testing.T) {
	f, conn := watchFixture(t)
	for i := range 3 {
		f.do("PUT", "/v2/keys/a", fmt.Sprintf("value=%d", i)) // revisions 2 to 4
	}
	f.do("PUT", "/v2/keys/a", "value=9&prevExist=true") // 5
	f.do("DELETE", "/v2/keys/a", "")                    // 6
	a := []byte("/a")
	t.Run("from a revision on, with files before the change", func(t *testing.T) {
		w := watchKeys(t, conn, &pb.WatchCreateRequest{Key: a, StartRevision: 3, PrevKv: true})
		w.expect("0 @6 created", "0 @6 PUT /a=1[3 3 1] was /a=0[2 2 1] PUT /a=2[4 4 1] was /a=1[3 3 1] "+
			"PUT /a=9[4 5 2] was /a=2[4 4 1] DELETE /a=[0 6 0] was /a=9[4 5 2]")
	})
	t.Run("filters", func(t *testing.T) {
		noPut := []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NOPUT}
		noDelete := []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NODELETE, 7}
		w := watchKeys(t, conn, &pb.WatchCreateRequest{Key: a, StartRevision: 4, Filters: noPut})
		w.expect("0 @6 created", "0 @6 DELETE /a=[0 6 0]")
		w = watchKeys(t, conn, &pb.WatchCreateRequest{Key: a, StartRevision: 5, Filters: noDelete})
		w.expect("0 @6 created", "0 @6 PUT /a=9[4 5 2]")
	})
	t.Run("IDs", func(t *testing.T) {
		w := watchKeys(t, conn, &pb.WatchCreateRequest{Key: a, WatchId: 1}, &pb.WatchCreateRequest{Key: a, WatchId: 1},
			&pb.WatchCreateRequest{Key: a}, &pb.WatchCreateRequest{Key: a}, &pb.WatchCreateRequest{Key: a, WatchId: -1})
		w.expect("1 @6 created", "-1 @6 created canceled (mvcc: duplicate watch ID provided on the WatchStream)", "0 @6 created",
			"2 @6 created", "-1 @6 created")
	})
	t.Run("ranges without a key", func(t *testing.T) {
		w := watchKeys(t, conn, &pb.WatchCreateRequest{Key: []byte("b"), RangeEnd: a}, &pb.WatchCreateRequest{Key: a, RangeEnd: a})
		empty := "-1 @6 created canceled (mvcc: watcher range is empty)"
		w.expect(empty, empty)
	})
	t.Run("an end of a watch", func(t *testing.T) {
		w := watchKeys(t, conn, allKeys(), &pb.WatchCancelRequest{WatchId: 7}, &pb.WatchCancelRequest{}, &pb.WatchCancelRequest{}, allKeys())
		w.expect("0 @6 created", "0 @6 canceled", "1 @6 created")
	})
	t.Run("a revision before the first", func(t *testing.T) {
		watchKeys(t, conn, &pb.WatchCreateRequest{Key: a, StartRevision: -5}).
			expect("-1 @6 created canceled (etcdserver: mvcc: required revision has been compacted)")
	})
	t.Run("progress", func(t *testing.T) {
		w := watchKeys(t, conn, &pb.WatchProgressRequest{}, allKeys(), &pb.WatchCreateRequest{Key: a, StartRevision: 6},
			&pb.WatchProgressRequest{})
		w.expect("0 @6 created", "1 @6 created", "1 @6 DELETE /a=[0 6 0]", "-1 @6")
		w.request(&pb.WatchCreateRequest{Key: a, StartRevision: 1000})
		w.request(&pb.WatchProgressRequest{}) // a watch that begins later has made no progress
		w.request(&pb.WatchCancelRequest{WatchId: 2})
		w.request(&pb.WatchProgressRequest{})
		w.expect("2 @6 created", "2 @6 canceled", "-1 @6")
	})
}

// TestKeyWatchOfCompacted watches from a revision on whose events are no longer kept.
func TestKeyWatchOfCompacted(t *testing.T) {
	f, conn := watchFixture(t)
	for range 1010 {
		f.do("PUT", "/v2/keys/a", "value=1")
	}
	watchKeys(t, conn, &pb.WatchCreateRequest{Key: []byte("/a"), StartRevision: 5}, allKeys()).
		expect("0 @1011 created", "0 @0 canceled compacted=12", "1 @1011 created")
}

// TestKeyWatchOfDirectory removes a directory: the watch shows each key, and several responses for a client that takes fragments.
func TestKeyWatchOfDirectory(t *testing.T) {
	f, conn := watchFixture(t)
	f.do("PUT", "/v2/keys/d/a", "value=1")
	f.do("PUT", "/v2/keys/d/a-b", "value=2")
	f.do("PUT", "/v2/keys/d/a/b", "value=3") // fails: a file is in its place
	f.do("PUT", "/v2/keys/d/e/f", "value=3")
	w := watchKeys(t, conn, &pb.WatchCreateRequest{Key: []byte("/d/"), RangeEnd: []byte("/d0"), PrevKv: true})
	w.expect("0 @4 created")
	f.do("DELETE", "/v2/keys/d?recursive=true", "")
	w.expect("0 @5 DELETE /d/a=[0 5 0] was /d/a=1[2 2 1] DELETE /d/a-b=[0 5 0] was /d/a-b=2[3 3 1] DELETE /d/e/f=[0 5 0] was /d/e/f=3[4 4 1]")
}

// TestKeyWatchOfSlowClient lets a client read nothing while more than its connection holds happens. It gets each event once, in order, and
// another stream of the connection does not wait for it.
func TestKeyWatchOfSlowClient(t *testing.T) {
	f, conn := watchFixture(t)
	slow := watchKeys(t, conn, allKeys())
	slow.expect("0 @1 created")
	quick := watchKeys(t, conn, &pb.WatchCreateRequest{Key: []byte("/last")})
	quick.expect("0 @1 created")
	value := "value=" + strings.Repeat("x", 10_000)
	for i := range 500 {
		f.do("PUT", fmt.Sprintf("/v2/keys/k%03d", i), value)
	}
	f.do("PUT", "/v2/keys/last", "value=1")
	quick.expect("0 @502 PUT /last=1[502 502 1]")
	for next := 0; next < 501; {
		r, err := slow.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range r.Events {
			if want := int64(next + 2); e.Kv.ModRevision != want {
				t.Fatalf("got the event of revision %d, want %d", e.Kv.ModRevision, want)
			}
			next++
		}
	}
}

// TestKeyWatchFragments sends an event that is larger than a request may be, and many in one revision.
func TestKeyWatchFragments(t *testing.T) {
	f, conn := watchFixture(t)
	value := "value=" + strings.Repeat("x", 300_000)
	for i := range 6 {
		f.do("PUT", fmt.Sprintf("/v2/keys/d/%d", i), value)
	}
	read := func(w *keyWatches) (responses, events int) {
		w.expect("0 @7 created")
		f.do("PUT", "/v2/keys/d/0", value)
		for fragment := true; fragment || events < 6; responses++ {
			r, err := w.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if fragment = r.Fragment; len(r.Events) == 0 {
				t.Error("a response without events")
			}
			events += len(r.Events)
		}
		return responses, events
	}
	watch := &pb.WatchCreateRequest{Key: []byte("/d"), RangeEnd: []byte("/e"), StartRevision: 2, PrevKv: true, Fragment: true}
	if responses, events := read(watchKeys(t, conn, watch)); events < 6 || responses < 2 {
		t.Errorf("%d events in %d responses", events, responses)
	}
}

// TestKeyWatchProgress waits for the responses that show the progress of a watch without events.
func TestKeyWatchProgress(t *testing.T) {
	f := newFixture(t, func(cfg *MemberConfig) { cfg.WatchProgressInterval = 10 * time.Millisecond })
	_, conn := serveGRPC(t, f)
	w := watchKeys(t, conn, &pb.WatchCreateRequest{Key: []byte("/a"), ProgressNotify: true}, &pb.WatchCreateRequest{Key: []byte("/b")})
	w.expect("0 @1 created")
	if got := w.next(); got != "1 @1 created" && got != "0 @1" {
		t.Errorf("got %s", got)
	}
	f.do("PUT", "/v2/keys/other", "value=1")
	await(t, "the progress", func() bool { return w.next() == "0 @2" })
}
