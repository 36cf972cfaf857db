package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"pando/members"
)

// patience is how long a test waits for an event that must happen.
const patience = 20 * time.Second

// The bounds of the transports under test, in bytes.
const (
	testMessage = 64 << 20
	testQueued  = 32 << 20
)

// endpoint is the transport of one member with its HTTP server. It records the calls of the functions in Config.
type endpoint struct {
	*Transport
	t             testing.TB
	server        *httptest.Server
	received      chan *raftpb.Message
	rejected      chan error // from MessageRejected
	snapshotsSent chan error // from SnapshotSent
	// The numbers of calls of Unreachable, Removed and UnknownSender.
	lost, removals, unknownSenders atomic.Int64

	founding atomic.Uint64
	level    atomic.Uint64 // the cluster's feature level
	content  []byte        // of the snapshots to send

	mu            sync.Mutex
	streams       []net.Conn // incoming
	snapshots     [][]byte   // received
	snapshotError error      // returned by receiveSnapshot
	removed       map[members.ID]bool
	added         members.ID // a member in addition to 1 to 9

	delivered uint64 // messages of deliver; used by the test's goroutine alone
}

// newEndpoint starts an endpoint without TLS. change may be nil, or changes the configuration.
func newEndpoint(t testing.TB, self members.ID, change func(*Config)) *endpoint {
	e := unstartedEndpoint(t, self, change)
	e.server.Start()
	return e
}

// unstartedEndpoint returns an endpoint whose server is not started.
func unstartedEndpoint(t testing.TB, self members.ID, change func(*Config)) *endpoint {
	e := &endpoint{
		t: t, received: make(chan *raftpb.Message, 10_000), rejected: make(chan error, 10_000), snapshotsSent: make(chan error, 100),
		removed: map[members.ID]bool{},
	}
	cfg := Config{
		Self: self, Cluster: 7, Client: NewClient(nil), Logger: zap.NewNop(),
		Membership: func(id members.ID) Membership {
			e.mu.Lock()
			defer e.mu.Unlock()
			return e.membership(id)
		},
		PeerURLs:        func(members.ID) []string { return nil },
		UnknownSender:   func(members.ID) { e.unknownSenders.Add(1) },
		MessageRejected: func(_ members.ID, reason error) { e.rejected <- reason },
		Receive: func(messages []*raftpb.Message) {
			for _, m := range messages {
				e.received <- m
			}
		},
		ReceiveSnapshot: e.receiveSnapshot,
		Snapshot: func(*raftpb.Message) (io.ReadCloser, int64, error) {
			return io.NopCloser(bytes.NewReader(e.content)), int64(len(e.content)), nil
		},
		Unreachable:  func(members.ID) { e.lost.Add(1) },
		StreamClosed: func(members.ID) {},
		SnapshotSent: func(_ members.ID, err error) { e.snapshotsSent <- err },
		Removed:      func() { e.removals.Add(1) },
		MaxMessage:   testMessage,
		MaxQueued:    testQueued,
		Sent:         func(*raftpb.Message, int) {},
		Received:     func(*raftpb.Message, int) {},
		Founding:     func() members.ID { return members.ID(e.founding.Load()) },
		ClusterLevel: e.level.Load,
		LogReport: func(_ context.Context, _ members.ID, index uint64) (LogReport, error) {
			return LogReport{EntryTerm: index + 1}, nil
		},
		Leases: func(_ context.Context, requests []LeaseRequest) ([]LeaseAnswer, error) {
			answers := make([]LeaseAnswer, len(requests))
			for i, r := range requests {
				answers[i] = LeaseAnswer{TTL: r.ID, Missing: !r.Renew}
			}
			return answers, nil
		},
	}
	if change != nil {
		change(&cfg)
	}
	e.Transport = New(cfg)
	mux := http.NewServeMux()
	e.Register(func(pattern string, h http.HandlerFunc) { mux.HandleFunc(pattern, h) })
	e.server = httptest.NewUnstartedServer(mux)
	e.server.Config.ConnState = e.noteStream
	e.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(func() {
		e.Close()
		e.server.CloseClientConnections()
		e.server.Close()
	})
	return e
}

// newAnsweringServer starts a server that responds to all requests with respond, and returns its URL.
func newAnsweringServer(t *testing.T, respond func(w http.ResponseWriter)) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { respond(w) }))
	t.Cleanup(server.Close)
	return server.URL
}

// noteStream records the connections that became streams.
func (e *endpoint) noteStream(conn net.Conn, state http.ConnState) {
	if state == http.StateHijacked {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.streams = append(e.streams, conn)
	}
}

// breakStreams closes the streams to this member.
func (e *endpoint) breakStreams() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, conn := range e.streams {
		_ = conn.Close() // it may be closed already
	}
	e.streams = nil
}

func (e *endpoint) receiveSnapshot(_ *raftpb.Message, content io.Reader, size int64) error {
	data, err := io.ReadAll(io.LimitReader(content, size))
	e.mu.Lock()
	defer e.mu.Unlock()
	e.snapshots = append(e.snapshots, data)
	return errors.Join(err, e.snapshotError)
}

// remove marks a member as removed from the cluster.
func (e *endpoint) remove(id members.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.removed[id] = true
}

// membership implements Config.Membership: the current members are 1 to 9 and added, without the removed ones. Callers must
// hold mu.
func (e *endpoint) membership(id members.ID) Membership {
	switch {
	case e.removed[id]:
		return Removed
	case id < 10, id == e.added:
		return Current
	}
	return Unknown
}

// connect sets the peers of the transport.
func (e *endpoint) connect(others ...*endpoint) {
	var list []members.Member
	for _, o := range others {
		list = append(list, members.Member{ID: o.Self, PeerURLs: []string{o.server.URL}})
	}
	e.SetPeers(list)
}

// await polls until done returns true. It fails the test after patience.
func (e *endpoint) await(what string, done func() bool) {
	e.t.Helper()
	for deadline := time.Now().Add(patience); !done(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			e.t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// message returns an append of one entry, from member 1. index is that of the entry before it.
func message(to members.ID, index uint64, data []byte) *raftpb.Message {
	return &raftpb.Message{
		Type: raftpb.MsgApp.Enum(), To: (*uint64)(&to), From: new(uint64(1)),
		Term: new(uint64(1)), Index: &index, LogTerm: new(min(index, 1)),
		Entries: []*raftpb.Entry{{Index: new(index + 1), Term: new(uint64(1)), Data: data}},
	}
}

// snapshotMessage returns a message that announces a snapshot.
func snapshotMessage(to members.ID) *raftpb.Message {
	return &raftpb.Message{
		Type: raftpb.MsgSnap.Enum(), To: (*uint64)(&to), From: new(uint64(1)), Term: new(uint64(1)), Snapshot: &raftpb.Snapshot{},
	}
}

// deliver sends messages until one arrives, and then until all that were sent have arrived or are lost: messages that are sent before
// the stream is open may be lost. The others arrive in order.
func (e *endpoint) deliver(to *endpoint) {
	e.t.Helper()
	const first = 1 << 40 // greater than the indexes in the tests
	send := func() {
		m := message(to.Self, first+e.delivered, nil)
		m.From = (*uint64)(&e.Self)
		e.delivered++
		e.Send([]*raftpb.Message{m})
	}
	arrived := func(last uint64) (found bool) {
		for {
			select {
			case m := <-to.received:
				found = found || m.GetIndex() >= last
			default:
				return found
			}
		}
	}
	begun := first + e.delivered
	e.await("a message to arrive", func() bool {
		send()
		return arrived(begun)
	})
	for deadline := time.Now().Add(patience); ; {
		send() // again after a second: the stream may have ended
		last, wait := first+e.delivered-1, time.Now().Add(time.Second)
		for time.Now().Before(wait) {
			if arrived(last) {
				return
			}
			<-time.After(time.Millisecond)
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("waited %v for the last message to arrive", patience)
		}
	}
}
