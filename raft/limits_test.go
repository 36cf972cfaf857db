package raft

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"go.etcd.io/raft/v3/raftpb"

	"pando/raft/transport"
)

// TestLimits checks that each bound has room for the largest element that it bounds.
func TestLimits(t *testing.T) {
	for _, request := range []int64{1, 3 << 19, 10 << 20, 100 << 20, MaxRequestLimit} {
		l := newLimits(request, LeastCatchUp(request))
		command := int(request) + requestHead
		for name, bound := range map[string]int{
			"command": l.command, "message": l.message, "queue": l.queue, "deferred": l.deferred, "inbox": l.inbox,
			"send queue": l.sendQueue, "appends": l.appends, "uncommitted": l.uncommitted, "in flight": l.inFlight,
		} {
			if bound < command {
				t.Errorf("request limit %d: %s has room for %d bytes, and a command may have %d", request, name, bound, command)
			}
		}
		if l.sendQueue < l.inFlight+l.message {
			t.Errorf("request limit %d: a follower that lags behind gets no proposals: %d bytes may wait for it", request, l.sendQueue)
		}
	}
}

// TestLargestMessage encodes the largest batch that a member may forward, after the most entries that can be
// coalesced.
func TestLargestMessage(t *testing.T) {
	for _, request := range []int64{1, 3 << 19, 20 << 20} {
		l := newLimits(request, 0)
		m := &raftpb.Message{
			Type: raftpb.MsgProp.Enum(), To: new(^uint64(0)), From: new(^uint64(0)), Term: new(^uint64(0)),
			Entries: []*raftpb.Entry{{Data: make([]byte, max(l.command, batchBytes)+batchHead)}},
		}
		for len(m.Entries) < maxCoalesced/entryOverhead {
			m.Entries = append(m.Entries, &raftpb.Entry{Data: make([]byte, 1)})
		}
		if size := proto.Size(m); size > l.message {
			t.Errorf("request limit %d: a message of %d bytes, and the peers take %d", request, size, l.message)
		}
	}
}

func TestLargestRequest(t *testing.T) {
	for _, test := range []struct {
		election time.Duration
		want     int64
	}{
		{5 * time.Millisecond, 16 << 20},
		{time.Second, 32 << 20},
		{1500 * time.Millisecond, 48 << 20},
		{time.Minute, MaxRequestLimit},
	} {
		if got := LargestRequest(test.election); got != test.want {
			t.Errorf("with an election timeout of %v: %d, want %d", test.election, got, test.want)
		}
	}
}

// TestLargestWrite writes the largest value that the request limit allows, on each member.
func TestLargestWrite(t *testing.T) {
	if testing.Short() {
		t.Skip("it copies a gigabyte, which takes a minute with the race detector")
	}
	t.Parallel()
	const request = 17 << 20 // exceeds what members accept and keep in flight under the usual limit
	c := newCluster(t, 3, func(cfg *Config) { cfg.RequestBytes, cfg.ElectionTicks, cfg.Timeout = request, 1500, 3*testTimeout })
	for _, r := range c.running() {
		r.set("/large", strings.Repeat(r.name[:1], request))
		r.set("/small", r.name)
		c.settle()
	}
	_, err := c.leader().trySet("/larger", strings.Repeat("x", request+requestHead))
	if mustBeLogError(t, err); err != nil && !strings.Contains(err.Error(), errTooLarge.Error()) {
		t.Errorf("a command that is too large: %v", err)
	}
}

// TestFirstAlwaysFits offers each bounded queue an element that exceeds its bound, and then a small one.
func TestFirstAlwaysFits(t *testing.T) {
	t.Run("inbox", func(t *testing.T) {
		b := newInbox(100)
		for range 2 {
			if !b.offer(func(*core) {}, 101) {
				t.Fatal("an empty inbox drops a message")
			}
			if b.offer(func(*core) {}, 1) {
				t.Error("the inbox takes more than its bound")
			}
			if !b.post(func(*core) {}) {
				t.Error("the inbox drops a task that must not get lost")
			}
			if tasks := b.take(nil); len(tasks) != 2 {
				t.Errorf("%d tasks come out, want 2", len(tasks))
			}
		}
	})
	t.Run("deferred", func(t *testing.T) {
		d := deferredProposals{maxBytes: 100}
		m := &raftpb.Message{Entries: []*raftpb.Entry{{Data: make([]byte, 101)}}}
		if transport.MessageSize(m) <= d.maxBytes || !d.add(m, time.Now()) {
			t.Error("the first proposal is not deferred")
		}
		if d.add(m, time.Now()) || len(d.list) != 1 {
			t.Error("the deferred proposals exceed their bound")
		}
	})
}
