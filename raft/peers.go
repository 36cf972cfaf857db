package raft

import (
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
		Self:          n.id,
		Cluster:       n.registry.ClusterID(),
		Client:        cfg.PeerClient,
		Membership:    n.roster.membership,
		UnknownSender: n.roster.inquire,
		MessageRejected: func(from members.ID, reason error) {
			if n.inbox.offer(func(c *core) { c.refused(from, reason) }, reportSize) {
				wake(n.inbox.wake)
			}
		},
		LogReport:    n.reportLog,
		Founding:     func() members.ID { return members.ID(n.founding.Load()) },
		Level:        n.programLevel,
		ClusterLevel: n.FeatureLevel,
		Receive: func(messages []*raftpb.Message) {
			together := slices.Clone(messages)
			if n.inbox.offer(func(c *core) { c.receiveAll(together) }, messagesSize(together)) {
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
				c.abandon(id)
				c.retryTransfer(id)
			})
		},
		SnapshotSent: func(id members.ID, err error) {
			n.inbox.post(func(c *core) { c.snapshotSent(id, err) })
		},
		Removed: func() {
			n.inbox.post(func(c *core) { c.fail(ErrRemoved) })
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

// reportSize is about what a report of the transport takes up in memory.
const reportSize = 64

func messagesSize(messages []*raftpb.Message) int {
	size := 0
	for _, m := range messages {
		size += transport.MessageSize(m)
	}
	return size
}

// RegisterPeer mounts on the peer URLs' router what members say to each other.
func (n *Node) RegisterPeer(handle func(pattern string, h http.HandlerFunc)) {
	n.transport.Register(handle)
}

// receiveAll takes messages that came from a peer together.
func (c *core) receiveAll(messages []*raftpb.Message) {
	for _, m := range messages {
		c.receive(m)
	}
}

// receive takes a message from a peer.
func (c *core) receive(m *raftpb.Message) {
	c.latency.received(m, c.observer)
	switch m.GetType() {
	case raftpb.MsgProp:
		c.admit(m)
	case raftpb.MsgSnap:
		// It would come with its content, as a request of its own.
	default:
		if !c.accept(m) {
			return
		}
		// Step refuses what is out of date or from a stranger; there is nobody
		// to tell.
		_ = c.raw.Step(m)
	}
}

// unreachable notes that messages to a peer got lost.
func (c *core) unreachable(id members.ID) {
	c.raw.ReportUnreachable(uint64(id))
	if uint64(id) == c.leader.Load() {
		c.blocking = 0 // a forwarded batch may be among them
	}
	if _, member := c.registry.Get(id); member && c.leads() {
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

// leads reports whether this member leads.
func (c *core) leads() bool { return c.leader.Load() == uint64(c.id) }

// transmit sends messages to peers.
func (c *core) transmit(messages []*raftpb.Message) {
	if len(messages) == 0 {
		return
	}
	if c.leads() {
		c.latency.sent(messages)
	}
	c.transport.Send(messages)
}

// latencies measures how long followers take to acknowledge. One append or
// heartbeat a follower is timed at a time.
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
		if underway := x[m.GetTo()]; underway != nil && time.Since(underway.at) < time.Second {
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
	underway := x[m.GetFrom()]
	if underway == nil || t == raftpb.MsgAppResp && m.GetIndex() < underway.index || t == raftpb.MsgHeartbeatResp && underway.index != 0 {
		return
	}
	delete(x, m.GetFrom())
	emit2(o.FollowerAnswered, members.ID(m.GetFrom()), time.Since(underway.at))
}
