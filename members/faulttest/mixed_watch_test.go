package faulttest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"pando/members/servertest"
)

// keyEvents is a watcher of v3 that collects all events of the keys of the test, over many streams to all members. It checks each response:
// events come in the order of their revisions, each revision whole, none before the start, and none that was announced as complete.
type keyEvents struct {
	members []*mixedMember

	mu      sync.Mutex // guards all below
	events  []arrivedEvent
	last    int64 // the revision of the last event, or the last one that a response has announced as complete
	streams int
}

// arrivedEvent is an event and the time at which it arrived.
type arrivedEvent struct {
	*mvccpb.Event
	at time.Time
}

// run watches until ctx is done. It leaves each stream after a random time, and goes on at another member.
func (w *keyEvents) run(ctx context.Context, random *rand.Rand) error {
	for n := random.IntN(len(w.members)); ctx.Err() == nil; n++ {
		stay, cancel := context.WithTimeout(ctx, time.Duration(50+random.IntN(2000))*time.Millisecond)
		err := w.follow(stay, w.members[n%len(w.members)])
		cancel()
		if err != nil {
			return err
		}
		<-time.After(mixedPause)
	}
	return nil
}

// follow opens one stream and reads it until it ends. An error means a wrong response.
func (w *keyEvents) follow(ctx context.Context, m *mixedMember) error {
	stream, err := m.watch.Watch(ctx)
	if err != nil {
		return nil // the member does not serve
	}
	start := w.reached() + 1
	create := &pb.WatchCreateRequest{
		Key: []byte(mixedPrefix), RangeEnd: prefixEnd(mixedPrefix), StartRevision: start, PrevKv: true, ProgressNotify: true,
	}
	if stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}}) != nil {
		return nil
	}
	for n := 1; ; n++ {
		r, err := stream.Recv()
		if err != nil {
			return nil
		}
		if err := w.add(r, start); err != nil {
			return err
		}
		if n%20 == 0 {
			_ = stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{}}) // Recv returns the error
		}
	}
}

// prefixEnd returns the end of the range of the keys that begin with a prefix, whose last byte is less than 0xff.
func prefixEnd(prefix string) []byte {
	end := []byte(prefix)
	end[len(end)-1]++
	return end
}

// reached returns the revision up to which the watcher has all events.
func (w *keyEvents) reached() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// add checks and collects a response of a stream that was started at a revision.
func (w *keyEvents) add(r *pb.WatchResponse, start int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case r.Canceled:
		return fmt.Errorf("the watch from %d was canceled: %v", start, r)
	case r.Created:
		w.streams++
		return nil
	case len(r.Events) == 0: // progress
		w.last = max(w.last, r.Header.Revision)
		return nil
	}
	now, complete := time.Now(), w.last
	for _, e := range r.Events {
		revision := e.Kv.ModRevision
		if revision <= complete || revision < start || revision < w.last || revision > r.Header.Revision {
			return fmt.Errorf("event %v in a watch from %d, after all events up to %d, in a response of %d", e, start, w.last, r.Header.Revision)
		}
		w.last = revision
		w.events = append(w.events, arrivedEvent{e, now})
	}
	return nil
}

// contents are the keys of the test at all revisions, computed from the events.
type contents struct {
	events []*mvccpb.Event
	now    map[string]*mvccpb.KeyValue
}

// replay checks that the events follow from each other: each has the file before it, and counts on from its version and create revision, or
// begins anew.
func replay(events []arrivedEvent) (*contents, error) {
	c := &contents{now: map[string]*mvccpb.KeyValue{}}
	atRevision := map[string]int64{} // the last event of a key
	for _, e := range events {
		key, prev := string(e.Kv.Key), c.now[string(e.Kv.Key)]
		if atRevision[key] == e.Kv.ModRevision {
			return nil, fmt.Errorf("two events of %s at one revision: %v", key, e)
		}
		atRevision[key] = e.Kv.ModRevision
		if !proto.Equal(prev, e.PrevKv) {
			return nil, fmt.Errorf("event %v follows %v", e, prev)
		}
		switch {
		case e.Type == mvccpb.Event_DELETE && prev == nil:
			return nil, fmt.Errorf("deleted twice: %v", e)
		case e.Type == mvccpb.Event_DELETE:
			delete(c.now, key)
			c.events = append(c.events, e.Event)
			continue
		case e.Kv.Version == 1 && e.Kv.CreateRevision == e.Kv.ModRevision: // a new file, or a set of v2
		case prev != nil && e.Kv.Version == prev.Version+1 && e.Kv.CreateRevision == prev.CreateRevision:
		default:
			return nil, fmt.Errorf("event %v does not go on from %v", e, prev)
		}
		c.now[key] = e.Kv
		c.events = append(c.events, e.Event)
	}
	return c, nil
}

// at returns the files at a revision in the order of their keys.
func (c *contents) at(revision int64) (list []*mvccpb.KeyValue) {
	files := map[string]*mvccpb.KeyValue{}
	for _, e := range c.events {
		if e.Kv.ModRevision > revision {
			break
		}
		if files[string(e.Kv.Key)] = e.Kv; e.Type == mvccpb.Event_DELETE {
			delete(files, string(e.Kv.Key))
		}
	}
	for _, kv := range files {
		list = append(list, kv)
	}
	slices.SortFunc(list, func(a, b *mvccpb.KeyValue) int { return bytes.Compare(a.Key, b.Key) })
	return list
}

// pastReads are reads at old revisions, made while members fail.
type pastReads struct {
	members []*mixedMember
	watcher *keyEvents

	mu   sync.Mutex
	read map[int64][][]*mvccpb.KeyValue // by revision
}

// run reads at revisions that the watcher has reached until ctx is done. A member that has not reached the revision refuses the read.
func (p *pastReads) run(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		<-time.After(10 * mixedPause)
		if reached := p.watcher.reached(); reached > 1 {
			revision := reached - random.Int64N(min(reached-1, 2000))
			_ = p.get(ctx, p.members[random.IntN(len(p.members))], revision, random.IntN(2) == 0)
		}
	}
}

func (p *pastReads) get(ctx context.Context, m *mixedMember, revision int64, serializable bool) error {
	ctx, cancel := context.WithTimeout(ctx, writerTimeout)
	defer cancel()
	r, err := m.kv.Range(ctx, &pb.RangeRequest{
		Key: []byte(mixedPrefix), RangeEnd: prefixEnd(mixedPrefix), Revision: revision, Serializable: serializable,
	})
	if err == nil {
		p.mu.Lock()
		p.read[revision] = append(p.read[revision], r.Kvs)
		p.mu.Unlock()
	}
	return err
}

// check compares all reads with the events, and returns their number.
func (p *pastReads) check(t *testing.T, c *contents) (reads int) {
	t.Helper()
	for revision, results := range p.read {
		want := c.at(revision)
		for _, got := range results {
			reads++
			same := slices.EqualFunc(got, want, func(a, b *mvccpb.KeyValue) bool { return proto.Equal(a, b) })
			if !same {
				t.Errorf("at revision %d a read has\n%v\nand the events make\n%v", revision, got, want)
			}
		}
	}
	return reads
}

// readAll reads at many old revisions of each member.
func (p *pastReads) readAll(t *testing.T, last int64) {
	t.Helper()
	for i, m := range p.members {
		for n := range int64(20) {
			revision := max(2, last-n*n*n)
			servertest.Await(t, fmt.Sprintf("a read of member %d at revision %d", i, revision), func() bool {
				return p.get(t.Context(), m, revision, n%2 == 0) == nil
			})
		}
	}
}
