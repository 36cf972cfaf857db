package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"pando/members"
)

// protocol is the version of the framing and of what the messages hold.
// Members of different versions don't talk.
const protocol = "1"

// The paths on the peer URLs, and the headers of requests there.
const (
	streamPath   = "/raft/stream"
	snapshotPath = "/raft/snapshot"

	headerCluster  = "X-Etcd-Cluster-Id"
	headerFrom     = "X-Pando-From"
	headerTo       = "X-Pando-To"
	headerProtocol = "X-Pando-Protocol"
)

// ErrRemoved tells that this member was removed from the cluster.
var ErrRemoved = errors.New("transport: this member was removed from the cluster")

// Config is what a Transport is made of. All fields must be set.
type Config struct {
	Self    members.ID
	Cluster members.ID
	// Client sends the requests; see NewClient.
	Client *http.Client
	// Removed tells whether a member was removed from the cluster.
	Removed func(id members.ID) bool
	// Receive takes a message that came in. The message is its.
	Receive func(m *raftpb.Message)
	// ReceiveSnapshot takes a snapshot that comes in: the message that
	// announces it and the stream of its content. An error makes the sender
	// try again later.
	ReceiveSnapshot func(m *raftpb.Message, content io.Reader, size int64) error
	// Snapshot opens the content that the message announces, and gives its
	// size in bytes.
	Snapshot func(m *raftpb.Message) (io.ReadCloser, int64, error)
	// Unreachable tells that a message to the peer was lost.
	Unreachable func(id members.ID)
	// Lost tells that the stream from a member has ended, and no other took its place.
	Lost func(id members.ID)
	// SnapshotSent tells how sending a snapshot ended.
	SnapshotSent func(id members.ID, err error)
	// Refused tells that the cluster no longer knows this member.
	Refused func()
	// Sent and Received count the bytes of a message; for statistics.
	Sent, Received func(m *raftpb.Message, bytes int)
	Logger         *zap.Logger
}

// Transport connects one member with its peers.
type Transport struct {
	Config
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	peers map[members.ID]*peer
	heard map[members.ID]time.Time // when a frame last came from a member
	calls uint64                   // streams that were opened from elsewhere
	last  map[members.ID]uint64    // which of them is a member's latest
}

// New makes a Transport without peers.
func New(cfg Config) *Transport {
	ctx, cancel := context.WithCancel(context.Background())
	return &Transport{
		Config: cfg, ctx: ctx, cancel: cancel,
		peers: map[members.ID]*peer{},
		heard: map[members.ID]time.Time{},
		last:  map[members.ID]uint64{},
	}
}

// SetPeers makes the transport talk to exactly these members, without itself.
func (t *Transport) SetPeers(list []members.Member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	wanted := map[members.ID]bool{}
	for _, m := range list {
		if m.ID == t.Self || t.ctx.Err() != nil {
			continue
		}
		wanted[m.ID] = true
		if p := t.peers[m.ID]; p != nil {
			p.setURLs(m.PeerURLs)
			continue
		}
		p := newPeer(t, m)
		t.peers[m.ID] = p
		t.wg.Go(p.run)
	}
	for id, p := range t.peers {
		if !wanted[id] {
			p.stop()
			delete(t.peers, id)
		}
	}
}

// Send passes messages on to their peers, or drops them.
func (t *Transport) Send(messages []*raftpb.Message) {
	for _, m := range messages {
		t.mu.Lock()
		p := t.peers[members.ID(m.GetTo())]
		t.mu.Unlock()
		switch {
		case p == nil:
		case m.GetType() == raftpb.MsgSnap:
			t.wg.Go(func() { p.sendSnapshot(m) })
		default:
			p.outbox.add(m)
		}
	}
}

// Heard is when something last came from the member; zero for never, and when its
// stream has ended.
func (t *Transport) Heard(id members.ID) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heard[id]
}

func (t *Transport) hear(id members.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard[id] = time.Now()
}

// callBack notes that a member has just called, and ends the pause before the next
// attempt to reach it. It gives the stream a number.
func (t *Transport) callBack(id members.ID) (call uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard[id] = time.Now()
	t.calls++
	t.last[id] = t.calls
	if p := t.peers[id]; p != nil {
		select {
		case p.again <- struct{}{}:
		default:
		}
	}
	return t.calls
}

// lose notes that a member's stream has ended: until it calls again, it counts as
// not heard. A stream whose end is noticed late, when the member has long opened
// another, says nothing of the member.
func (t *Transport) lose(id members.ID, call uint64) {
	t.mu.Lock()
	latest := t.last[id] == call
	if latest {
		delete(t.heard, id)
		delete(t.last, id)
	}
	t.mu.Unlock()
	if latest {
		t.Lost(id)
	}
}

// Close ends all streams and waits until nothing is under way any more.
func (t *Transport) Close() {
	t.cancel()
	t.mu.Lock()
	for _, p := range t.peers {
		p.stop()
	}
	t.mu.Unlock()
	t.wg.Wait()
}
