package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"pando/members"
	"pando/raft/pace"
)

// ErrRemoved tells that this member was removed from the cluster.
var ErrRemoved = errors.New("transport: this member was removed from the cluster")

// Config is what a Transport is made of. All fields must be set.
type Config struct {
	Self    members.ID
	Cluster members.ID
	// Client sends the requests; see NewClient.
	Client *http.Client
	// Standing tells what a member is to the cluster. A stream is taken from a current
	// one alone.
	Standing func(id members.ID) Standing
	// Stranger tells that somebody of an unknown ID was refused. It must return soon.
	Stranger func(id members.ID)
	// Refuse tells of a message that the member can't have sent. It was dropped.
	Refuse func(from members.ID, reason error)
	// Receive takes messages that came in together. They are its; the slice is
	// not, after the call.
	Receive func(messages []*raftpb.Message)
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
	// MaxMessage is the longest message that is taken from a peer, in bytes. It must have room for the longest that a
	// peer sends.
	MaxMessage int
	// MaxWaiting bounds the messages that wait for one peer, in bytes. When none waits, the next is taken whatever its size.
	MaxWaiting int
	// Report says what this member's log has, for another member that asks; see AskLog.
	Report func(ctx context.Context, from members.ID, index uint64) (LogReport, error)
	// Founding is the cluster's founding ID, zero while it is not known. Members of
	// different ones don't talk.
	Founding func() members.ID
	// Level is the highest feature level that this member serves, ClusterLevel that of the cluster. Members whose
	// program is below the cluster's level are refused.
	Level        uint64
	ClusterLevel func() uint64
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

	long chan struct{} // taken by whoever reads a long frame

	mu       sync.Mutex
	peers    []*peer                   // never changed in place: Send walks it without the lock
	heard    map[members.ID]time.Time  // when a frame last came from a member
	incoming map[members.ID][]incoming // the streams that a member has opened, the oldest first
	failures pace.Pace                 // of snapshots that come in
	// incompatible paces the log lines about members that don't fit this cluster.
	incompatible pace.Pace
	protocols    protocolRange // that this member serves
}

// incoming is a stream that a member has opened.
type incoming struct {
	announcement
	conn net.Conn
}

// maxIncoming is how many streams a member may have open to this one. It needs one; an
// old one may end later than the next begins.
const maxIncoming = 4

// New makes a Transport without peers.
func New(cfg Config) *Transport {
	ctx, cancel := context.WithCancel(context.Background())
	return &Transport{
		Config: cfg, ctx: ctx, cancel: cancel, protocols: served,
		heard:    map[members.ID]time.Time{},
		incoming: map[members.ID][]incoming{},
		long:     make(chan struct{}, 1),
	}
}

// SetPeers makes the transport talk to exactly these members, without itself.
func (t *Transport) SetPeers(list []members.Member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var peers []*peer
	for _, m := range list {
		if m.ID == t.Self || t.ctx.Err() != nil || find(peers, m.ID) != nil {
			continue
		}
		p := find(t.peers, m.ID)
		if p == nil {
			p = newPeer(t, m)
			t.wg.Go(p.run)
		}
		p.setURLs(m.PeerURLs)
		peers = append(peers, p)
	}
	for _, p := range t.peers {
		if find(peers, p.id) == nil {
			p.stop()
		}
	}
	t.peers = peers
}

// find looks for a member among a few; nil if it is not there.
func find(peers []*peer, id members.ID) *peer {
	for _, p := range peers {
		if p.id == id {
			return p
		}
	}
	return nil
}

// Send passes messages on to their peers, or drops them.
func (t *Transport) Send(messages []*raftpb.Message) {
	t.mu.Lock()
	peers := t.peers
	t.mu.Unlock()
	for _, p := range peers {
		p.outbox.add(messages)
	}
	for _, m := range messages {
		if m.GetType() != raftpb.MsgSnap {
			continue
		}
		if p := find(peers, members.ID(m.GetTo())); p != nil {
			t.wg.Go(func() { p.sendSnapshot(m) })
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

// callBack notes that a member has just opened a stream, and ends the pause before the
// next attempt to reach it.
func (t *Transport) callBack(peer announcement, conn net.Conn) {
	id := peer.from
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard[id] = time.Now()
	streams := append(t.incoming[id], incoming{peer, conn})
	if len(streams) > maxIncoming {
		_ = streams[0].conn.Close() // its goroutine takes it off the list
	}
	t.incoming[id] = streams
	if p := find(t.peers, id); p != nil {
		select {
		case p.again <- struct{}{}:
		default:
		}
	}
}

// lose notes that a stream from a member has ended. With the last of them the member
// counts as not heard, until it calls again.
func (t *Transport) lose(id members.ID, conn net.Conn) {
	t.mu.Lock()
	left := slices.DeleteFunc(t.incoming[id], func(in incoming) bool { return in.conn == conn })
	t.incoming[id] = left
	gone := len(left) == 0
	if gone {
		delete(t.heard, id)
		delete(t.incoming, id)
	}
	t.mu.Unlock()
	if gone {
		t.Lost(id)
	}
}

// enter begins something that Close waits for, unless that was called; wg.Done
// ends it.
func (t *Transport) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return false
	}
	t.wg.Add(1)
	return true
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
