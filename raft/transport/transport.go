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

// ErrRemoved is returned if this member was removed from the cluster.
var ErrRemoved = errors.New("transport: this member was removed from the cluster")

// Config is the configuration of a Transport. All fields except TLS must be set.
type Config struct {
	Self    members.ID
	Cluster members.ID
	// Client sends the requests; see NewClient.
	Client *http.Client
	// Membership returns whether an ID is that of a current member. Only current members may open a stream.
	Membership func(id members.ID) Membership
	// PeerURLs returns the peer URLs of a current member.
	PeerURLs func(id members.ID) []string
	// TLS checks the certificates of peers. It is nil if this member has no peer certificates.
	TLS *TLS
	// UnknownSender is called when a request of an unknown member was refused.
	UnknownSender func(id members.ID)
	// MessageRejected is called when a message was dropped because the member from can't have sent it.
	MessageRejected func(from members.ID, reason error)
	// Receive handles messages that arrived together. It may keep the messages, but not the slice.
	Receive func(messages []*raftpb.Message)
	// ReceiveSnapshot handles a snapshot: the message that announces it, and its content of size bytes. If it returns
	// an error, the sender tries again later.
	ReceiveSnapshot func(m *raftpb.Message, content io.Reader, size int64) error
	// Snapshot opens the content that the message announces, and returns its size in bytes. The transport closes it.
	Snapshot func(m *raftpb.Message) (io.ReadCloser, int64, error)
	// Unreachable is called when a message to the peer was lost, and when a stream to it has ended or could not be opened.
	Unreachable func(id members.ID)
	// StreamClosed is called when a member's last stream to this one has ended.
	StreamClosed func(id members.ID)
	// SnapshotSent is called after each attempt to send a snapshot. err is nil if the peer has accepted it.
	SnapshotSent func(id members.ID, err error)
	// Removed is called when a peer responds that the cluster has removed this member.
	Removed func()
	// MaxMessage is the size of the largest message that is accepted from a peer, in bytes. No peer may send a larger one.
	MaxMessage int
	// MaxQueued bounds the messages that are queued for one peer, in bytes as MessageSize counts them. A message of any
	// size fits into an empty queue.
	MaxQueued int
	// LogReport returns a report about this member's log for the member from; see RequestLogReport.
	LogReport func(ctx context.Context, from members.ID, index uint64) (LogReport, error)
	// Leases answers requests about leases, at least one and at most MaxLeaseRequests. It returns an error if this member does
	// not lead. See AskLeases.
	Leases func(ctx context.Context, requests []LeaseRequest) ([]LeaseAnswer, error)
	// Founding returns the cluster's founding ID, zero while this member does not have it yet. Members with different
	// founding IDs refuse each other.
	Founding func() members.ID
	// Level is the highest feature level that this member serves.
	Level uint64
	// ClusterLevel returns the feature level of the cluster. Members that serve less are refused.
	ClusterLevel func() uint64
	// Sent and Received count the bytes of a message, for statistics.
	Sent, Received func(m *raftpb.Message, bytes int)
	Logger         *zap.Logger
}

// Membership is the state of an ID in the list of members that this member has applied.
type Membership int

// The states of an ID.
const (
	Unknown Membership = iota // not in the list; this member may not have applied the addition yet
	Current                   // a member, voting or learning
	Removed                   // was a member; the ID is never used again
)

// Transport connects one member with its peers.
type Transport struct {
	Config
	protocols protocolRange // that this member serves
	ctx       context.Context
	cancel    context.CancelFunc
	tasks     sync.WaitGroup

	hugeFrames chan struct{} // shared by all frameReaders; see there

	mu           sync.Mutex
	peers        []*peer                         // replaced, never changed: Send reads the slice without mu
	lastReceived map[members.ID]time.Time        // when the last frame arrived, by member
	incoming     map[members.ID][]incomingStream // by member, oldest first
	rejected     pace.Pace                       // of log lines about snapshots and frames that were not accepted
	incompatible pace.Pace                       // of log lines about members that don't fit this cluster
	plaintext    pace.Pace                       // of log lines about members that connect without TLS
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
	t := &Transport{
		Config: cfg, protocols: servedProtocols, ctx: ctx, cancel: cancel,
		lastReceived: map[members.ID]time.Time{},
		incoming:     map[members.ID][]incomingStream{},
		hugeFrames:   make(chan struct{}, 1),
	}
	if t.TLS != nil {
		t.tasks.Go(t.recheckPeriodically)
	}
	return t
}

// SetPeers connects the transport to the members in the list, except to itself, and disconnects it from all others.
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

// findPeer returns the peer with an ID, or nil. A linear search is enough: the list is short.
func findPeer(peers []*peer, id members.ID) *peer {
	for _, p := range peers {
		if p.id == id {
			return p
		}
	}
	return nil
}

// Send queues messages for their peers, and writes them if this does not block. Messages to other members than the peers
// are dropped without a report. The caller must not change a message afterwards.
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

// LastReceived returns the time at which the last frame or snapshot arrived from the member. It is zero if the member has
// sent nothing, or has no stream to this one any more.
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

// addIncoming records a stream that a member has just opened. The member is up, so addIncoming also ends the pause before
// the next attempt to connect to it.
func (t *Transport) addIncoming(peer announcement, conn net.Conn) {
	id := peer.from
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastReceived[id] = time.Now()
	streams := append(t.incoming[id], incomingStream{peer, conn})
	if len(streams) > maxIncoming {
		_ = closeNow(streams[0].conn) // its goroutine calls removeIncoming
	}
	t.incoming[id] = streams
	if p := findPeer(t.peers, id); p != nil {
		p.retry()
	}
}

// removeIncoming removes a stream that has ended. If it was the member's last one, it calls StreamClosed.
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

// beginTask adds the caller to the goroutines that Close waits for. If it returns true, the caller must call tasks.Done. It
// returns false after Close.
func (t *Transport) beginTask() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return false
	}
	t.tasks.Add(1)
	return true
}

// Close ends all streams and snapshots, and waits until all goroutines of the transport have ended.
func (t *Transport) Close() {
	t.cancel()
	t.mu.Lock()
	for _, p := range t.peers {
		p.stop()
	}
	t.mu.Unlock()
	t.tasks.Wait()
}
