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

// ErrRemoved says that this member was removed from the cluster.
var ErrRemoved = errors.New("transport: this member was removed from the cluster")

// Config is the configuration of a Transport. All fields must be set.
type Config struct {
	Self    members.ID
	Cluster members.ID
	// Client sends the requests; see NewClient.
	Client *http.Client
	// Membership says what a member is to the cluster. Only current members may open a stream.
	Membership func(id members.ID) Membership
	// UnknownSender reports that a request of an unknown member was refused.
	UnknownSender func(id members.ID)
	// MessageRejected reports that a message was dropped, which the member can't have sent.
	MessageRejected func(from members.ID, reason error)
	// Receive handles messages that arrived together. It may keep the messages, but not the slice.
	Receive func(messages []*raftpb.Message)
	// ReceiveSnapshot handles a snapshot: the message that announces it, and its content of size bytes. After an
	// error the sender tries again later.
	ReceiveSnapshot func(m *raftpb.Message, content io.Reader, size int64) error
	// Snapshot opens the content that the message announces, and returns its size in bytes. The transport closes it.
	Snapshot func(m *raftpb.Message) (io.ReadCloser, int64, error)
	// Unreachable reports that a message to the peer was lost.
	Unreachable func(id members.ID)
	// StreamClosed reports that the last stream from a member has ended.
	StreamClosed func(id members.ID)
	// SnapshotSent reports how sending a snapshot ended.
	SnapshotSent func(id members.ID, err error)
	// Removed reports that the cluster has removed this member.
	Removed func()
	// MaxMessage is the longest message that is accepted from a peer, in bytes. It must be at least the longest that a
	// peer sends.
	MaxMessage int
	// MaxQueued bounds the messages that are queued for one peer, in bytes as MessageSize counts them. An empty queue
	// takes a message of any size.
	MaxQueued int
	// LogReport answers another member's question about this member's log; see RequestLogReport.
	LogReport func(ctx context.Context, from members.ID, index uint64) (LogReport, error)
	// Founding returns the cluster's founding ID, zero while it is not known. Members with different founding IDs
	// refuse each other.
	Founding func() members.ID
	// Level is the highest feature level that this member serves.
	Level uint64
	// ClusterLevel returns the feature level of the cluster. Members that serve less are refused.
	ClusterLevel func() uint64
	// Sent and Received count the bytes of a message, for statistics.
	Sent, Received func(m *raftpb.Message, bytes int)
	Logger         *zap.Logger
}

// Membership is what a member is to the cluster, as far as this member knows.
type Membership int

// The kinds of membership.
const (
	Unknown Membership = iota // not a member; perhaps one that was added and is not applied here yet
	Current                   // a member, with a vote or without
	Removed                   // it was a member, and can't become one again
)

// Transport connects one member with its peers.
type Transport struct {
	Config
	protocols protocolRange // that this member serves
	ctx       context.Context
	cancel    context.CancelFunc
	tasks     sync.WaitGroup

	longFrame chan struct{} // has room for one: the stream that reads a long frame, see frameReader

	mu           sync.Mutex
	peers        []*peer                         // replaced, never changed: Send reads the slice without mu
	lastReceived map[members.ID]time.Time        // when the last frame arrived, by member
	incoming     map[members.ID][]incomingStream // by member, oldest first
	rejected     pace.Pace                       // of log lines about snapshots and frames that were not accepted
	incompatible pace.Pace                       // of log lines about members that don't fit this cluster
}

// incomingStream is a stream that a member has opened.
type incomingStream struct {
	announcement
	conn net.Conn
}

// maxIncoming is how many streams a member may have open to this one. It needs one, and a second for the moment in which
// an old one has not ended yet.
const maxIncoming = 4

// New returns a Transport without peers. Close must be called.
func New(cfg Config) *Transport {
	ctx, cancel := context.WithCancel(context.Background())
	return &Transport{
		Config: cfg, protocols: served, ctx: ctx, cancel: cancel,
		lastReceived: map[members.ID]time.Time{},
		incoming:     map[members.ID][]incomingStream{},
		longFrame:    make(chan struct{}, 1),
	}
}

// SetPeers connects the transport to these members, except to itself, and disconnects it from all others.
func (t *Transport) SetPeers(list []members.Member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var peers []*peer
	for _, m := range list {
		if m.ID == t.Self || t.ctx.Err() != nil || findPeer(peers, m.ID) != nil {
			continue
		}
		p := findPeer(t.peers, m.ID)
		if p == nil {
			p = newPeer(t, m)
			t.tasks.Go(p.run)
		}
		p.setURLs(m.PeerURLs)
		peers = append(peers, p)
	}
	for _, p := range t.peers {
		if findPeer(peers, p.id) == nil {
			p.stop()
		}
	}
	t.peers = peers
}

// findPeer returns nil for an ID that is not in the list, which is short.
func findPeer(peers []*peer, id members.ID) *peer {
	for _, p := range peers {
		if p.id == id {
			return p
		}
	}
	return nil
}

// Send sends messages to their peers, or drops them. It never blocks. Messages to members that are no peers are dropped
// without a report. The caller must not change a message afterwards.
func (t *Transport) Send(messages []*raftpb.Message) {
	t.mu.Lock()
	peers := t.peers
	t.mu.Unlock()
	for _, p := range peers {
		p.sender.send(messages)
	}
	for _, m := range messages {
		if m.GetType() != raftpb.MsgSnap {
			continue
		}
		if p := findPeer(peers, members.ID(m.GetTo())); p != nil {
			t.tasks.Go(func() { p.sendSnapshot(m) })
		}
	}
}

// LastReceived returns when a frame or a snapshot last arrived from the member. It is zero if none ever did, and when
// the member has no stream to this one any more.
func (t *Transport) LastReceived(id members.ID) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lastReceived[id]
}

func (t *Transport) noteReceived(id members.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastReceived[id] = time.Now()
}

// addIncoming records a stream that a member has just opened. The member can be reached, so the pause before the next
// attempt to connect to it ends.
func (t *Transport) addIncoming(peer announcement, conn net.Conn) {
	id := peer.from
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastReceived[id] = time.Now()
	streams := append(t.incoming[id], incomingStream{peer, conn})
	if len(streams) > maxIncoming {
		_ = streams[0].conn.Close() // its goroutine calls removeIncoming
	}
	t.incoming[id] = streams
	if p := findPeer(t.peers, id); p != nil {
		p.retry()
	}
}

// removeIncoming forgets a stream that has ended. When the member has no other, that is reported.
func (t *Transport) removeIncoming(id members.ID, conn net.Conn) {
	t.mu.Lock()
	left := slices.DeleteFunc(t.incoming[id], func(in incomingStream) bool { return in.conn == conn })
	t.incoming[id] = left
	last := len(left) == 0
	if last {
		delete(t.lastReceived, id)
		delete(t.incoming, id)
	}
	t.mu.Unlock()
	if last {
		t.StreamClosed(id)
	}
}

// beginTask reports false after Close. Otherwise Close waits until the caller calls tasks.Done.
func (t *Transport) beginTask() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return false
	}
	t.tasks.Add(1)
	return true
}

// Close ends all streams and snapshots, and returns when no goroutine of the transport runs any more.
func (t *Transport) Close() {
	t.cancel()
	t.mu.Lock()
	for _, p := range t.peers {
		p.stop()
	}
	t.mu.Unlock()
	t.tasks.Wait()
}
