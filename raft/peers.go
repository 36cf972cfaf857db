package raft

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	etcdraft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
	"pando/raft/transport"
)

// newTransport connects the node with its peers.
func (n *Node) newTransport(cfg Config) *transport.Transport {
	return transport.New(transport.Config{
		Self:          n.state.id,
		Cluster:       n.registry.ClusterID(),
		Client:        cfg.PeerClient,
		Membership:    n.roster.membership,
		PeerURLs:      n.roster.peerURLs,
		TLS:           cfg.PeerTLS,
		UnknownSender: n.roster.inquire,
		MessageRejected: func(from members.ID, reason error) {
			if n.inbox.offer(func(c *core) { c.checker.refuse(from, reason) }, reportSize) {
				wake(n.inbox.wake)
			}
		},
		LogReport:    n.reportLog,
		Leases:       n.answerLeases,
		Founding:     func() members.ID { return members.ID(n.state.founding.Load()) },
		Level:        n.programLevel,
		ClusterLevel: n.FeatureLevel,
		Receive: func(messages []*raftpb.Message) {
			received := slices.Clone(messages)
			if n.inbox.offer(func(c *core) { c.receiveAll(received) }, messagesSize(received)) {
				n.core.turnForInbox()
			}
		},
		ReceiveSnapshot: n.receiveSnapshot,
		Snapshot:        n.openSnapshot,
		Unreachable: func(id members.ID) {
			if n.inbox.offer(func(c *core) { c.unreachable(id) }, reportSize) {
				wake(n.inbox.wake)
			}
		},
		StreamClosed: func(id members.ID) {
			n.inbox.post(func(c *core) {
				c.elections.streamClosed(id)
				c.transfer.streamClosed(id)
			})
		},
		SnapshotSent: func(id members.ID, err error) {
			n.inbox.post(func(c *core) { c.snapshotSent(id, err) })
		},
		Removed: func() {
			n.inbox.post(func(c *core) { c.membership.removedByOthers() })
		},
		MaxMessage: n.limits.message,
		MaxQueued:  n.limits.sendQueue,
		Sent: func(m *raftpb.Message, bytes int) {
			if m.GetType() == raftpb.MsgApp {
				emit1(n.observer.AppendSent, bytes)
			}
		},
		Received: func(m *raftpb.Message, bytes int) {
			if m.GetType() == raftpb.MsgApp {
				emit1(n.observer.AppendReceived, bytes)
			}
		},
		Logger: cfg.Logger.Named("peers"),
	})
}

// reportSize is about the memory that a report of the transport takes, in bytes.
const reportSize = 64

func messagesSize(messages []*raftpb.Message) int {
	size := 0
	for _, m := range messages {
		size += transport.MessageSize(m)
	}
	return size
}

// RegisterPeer mounts the handlers for other members on the router of the peer URLs.
func (n *Node) RegisterPeer(handle func(pattern string, h http.HandlerFunc)) {
	n.transport.Register(handle)
}

// RecheckCertificates closes the streams to and from members whose certificates are no longer accepted. It must be called
// after the peer certificates, CAs or CRLs have been read again.
func (n *Node) RecheckCertificates() { n.transport.RecheckCertificates() }

// PlaintextStreams returns the number of open streams to and from other members that do not use TLS.
func (n *Node) PlaintextStreams() int { return n.transport.PlaintextStreams() }

// receiveAll takes messages that arrived from a peer together.
func (c *core) receiveAll(messages []*raftpb.Message) {
	for _, m := range messages {
		c.receive(m)
	}
}

// receive checks a message from a peer and passes it to the raft library.
func (c *core) receive(m *raftpb.Message) {
	c.latencies.received(m, c.observer)
	switch m.GetType() {
	case raftpb.MsgProp:
		c.receiveProposal(m)
	case raftpb.MsgSnap:
		// A snapshot comes with its content, by a request of its own.
	default:
		if c.checker.accepts(m) {
			// Step refuses outdated messages, which is no fault.
			_ = c.raw.Step(m)
		}
	}
}

// receiveProposal proposes the entries that a follower has forwarded, if they can be applied.
func (c *core) receiveProposal(m *raftpb.Message) {
	err := checkProposal(m, c.state.level.Load())
	if err == nil {
		if c.membership.promotesTooEarly(m.GetEntries()) {
			return // the member that asks for it gets no vote for the learner, and says so to its client
		}
		c.proposer.forward(m)
		return
	}
	c.checker.refuse(members.ID(m.GetFrom()),
		fmt.Errorf("a forwarded proposal can't be applied: %w; check that all members run the same version", err))
}

// unreachable notes that messages to a peer were lost.
func (c *core) unreachable(id members.ID) {
	c.raw.ReportUnreachable(uint64(id))
	if uint64(id) == c.state.leader.Load() {
		c.proposer.inFlight.unblock() // a forwarded batch may be among them
	}
	if _, member := c.registry.Get(id); member && c.state.leads() {
		emit1(c.observer.FollowerFailed, id)
	}
}

func (c *core) snapshotSent(id members.ID, err error) {
	status := etcdraft.SnapshotFinish
	if err != nil {
		status = etcdraft.SnapshotFailure
	}
	c.raw.ReportSnapshot(uint64(id), status)
}

// transmit sends messages to peers.
func (c *core) transmit(messages []*raftpb.Message) {
	if len(messages) == 0 {
		return
	}
	if c.state.leads() {
		c.latencies.sent(messages)
	}
	c.transport.Send(messages)
}

// latencies measures how long followers take to acknowledge an append or a heartbeat. One message of each follower is
// timed at a time.
type latencies map[uint64]*timed

type timed struct {
	index uint64 // the append's last index; zero for a heartbeat
	at    time.Time
}

func (x latencies) sent(messages []*raftpb.Message) {
	for _, m := range messages {
		t := m.GetType()
		if t != raftpb.MsgApp && t != raftpb.MsgHeartbeat {
			continue
		}
		if inProgress := x[m.GetTo()]; inProgress != nil && time.Since(inProgress.at) < time.Second {
			continue
		}
		index := uint64(0)
		if entries := m.GetEntries(); len(entries) > 0 {
			index = entries[len(entries)-1].GetIndex()
		}
		x[m.GetTo()] = &timed{index, time.Now()}
	}
}

func (x latencies) received(m *raftpb.Message, o *Observer) {
	t := m.GetType()
	if t != raftpb.MsgAppResp && t != raftpb.MsgHeartbeatResp {
		return
	}
	inProgress := x[m.GetFrom()]
	if inProgress == nil || t == raftpb.MsgAppResp && m.GetIndex() < inProgress.index ||
		t == raftpb.MsgHeartbeatResp && inProgress.index != 0 {
		return
	}
	delete(x, m.GetFrom())
	emit2(o.FollowerAnswered, members.ID(m.GetFrom()), time.Since(inProgress.at))
}
