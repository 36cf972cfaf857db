package raft

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"pando/members"
)

// TestAbandonedChange asks for a change while another one is in progress, and gives up before it begins: the change
// must not be made.
func TestAbandonedChange(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	node := c.leader().node()
	ctx, cancel := context.WithCancel(context.Background())
	answer := make(chan error, 1)
	given := make(chan error, 1)
	node.core.takeTurn(func() {
		nodeCore := node.core
		nodeCore.membership.begin(&memberChange{
			context.Background(), raftpb.ConfChangeAddLearnerNode,
			members.Member{ID: 50, PeerURLs: []string{"http://127.0.0.1:1"}, Learner: true}, answer, nil,
		})
		nodeCore.membership.begin(&memberChange{
			ctx, raftpb.ConfChangeAddLearnerNode,
			members.Member{ID: 51, PeerURLs: []string{"http://127.0.0.1:2"}, Learner: true}, given, nil,
		})
		cancel()
	})
	wake(node.inbox.wake)
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
	c.must("add", func(ctx context.Context) error {
		return node.AddMember(ctx, members.Member{ID: 52, PeerURLs: []string{"http://127.0.0.1:3"}})
	})
	c.settle()
	for _, r := range c.members {
		if _, made := r.node().Members().Get(51); made {
			t.Errorf("member %d: the change was made although its caller has given up", r.id)
		}
	}
}

// TestRemovalIsAnswered removes a member through that member, which learns from another one that it is removed before it has applied the
// removal itself.
func TestRemovalIsAnswered(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	gone := c.follower()
	node := gone.node()
	x := &memberChange{
		ctx: context.Background(), kind: raftpb.ConfChangeRemoveNode, member: members.Member{ID: gone.id}, answer: make(chan error, 1),
	}
	node.core.takeTurn(func() {
		node.core.membership.begin(x)
		node.core.membership.removedByOthers()
	})
	wake(node.inbox.wake)
	gone.mustEndRemoved()
	if err := x.resultAtEnd(); err != nil {
		t.Errorf("the removal: %v", err)
	}
}

// TestChangesAtALaggingMember changes members at a member that has not applied the change before. It must not refuse them.
func TestChangesAtALaggingMember(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	m := members.Member{ID: 50, PeerURLs: []string{"http://127.0.0.1:1"}}
	lagging := c.follower()
	// change makes a change while the member is cut off, and the next one at this member, before it has caught up.
	change := func(what string, first, next func(ctx context.Context, n *Node) error) {
		c.isolate(lagging)
		via := c.leader(c.others(lagging)...)
		c.must(what, func(ctx context.Context) error { return first(ctx, via.node()) })
		c.links.heal()
		c.must(what+", then change", func(ctx context.Context) error { return next(ctx, lagging.node()) })
	}
	add := func(ctx context.Context, n *Node) error { return n.AddMember(ctx, m) }
	change("add", add, func(ctx context.Context, n *Node) error { return n.RemoveMember(ctx, m.ID) })
	m.ID = 51
	c.must("add", func(ctx context.Context) error { return add(ctx, c.leader().node()) })
	c.settle()
	change("remove", func(ctx context.Context, n *Node) error { return n.RemoveMember(ctx, m.ID) },
		func(ctx context.Context, n *Node) error {
			return n.AddMember(ctx, members.Member{ID: 52, PeerURLs: m.PeerURLs})
		})
	c.settle()
	if _, known := lagging.node().Members().Get(52); !known {
		t.Error("the member with the URLs of the removed one was not added")
	}
}

// TestTwoLearnersCatchUp has two learners that have caught up: one promotion is proposed at a time, and again only
// after a pause.
func TestTwoLearnersCatchUp(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	nodeCore := c.leader().node().core
	for id := range members.ID(2) {
		m := members.Member{ID: 50 + id, PeerURLs: []string{"http://127.0.0.1:" + (id + 1).String()}}
		c.must("add", func(ctx context.Context) error { return c.leader().node().AddMember(ctx, m) })
	}
	nodeCore.takeTurn(func() {
		start := nodeCore.membership.number
		proposed := func() uint64 { return nodeCore.membership.number - start }
		now := time.Now()
		for tick := range 20 {
			nodeCore.deadlines.advance(now.Add(time.Duration(tick) * clusterTick))
			for id := range members.ID(2) {
				nodeCore.membership.promote(50 + id)
			}
		}
		if n := proposed(); n != 1 {
			t.Errorf("%d promotions were proposed within %v", n, 20*clusterTick)
		}
		nodeCore.deadlines.advance(now.Add(2 * promotionPause))
		if nodeCore.membership.promote(50); proposed() != 2 {
			t.Errorf("%d promotions were proposed, want another one after %v", proposed(), promotionPause)
		}
	})
}

// TestRemovedFollowerIsForgotten checks that the observer gets the members after a removal.
func TestRemovedFollowerIsForgotten(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[members.ID]*memberWatcher{}
	c := newCluster(t, 3, func(cfg *Config) {
		w := &memberWatcher{}
		mu.Lock()
		defer mu.Unlock()
		seen[members.ID(cfg.Recovered.Identity.MemberID)] = w
		cfg.Observer = Observer{MembersChanged: w.membersChanged}
	})
	gone, via := c.follower(), c.leader()
	c.remove(gone, via)
	c.await("the observer to get the members that are left", func() bool {
		left := seen[via.id].last()
		return len(left) == 2 && !slices.Contains(left, gone.id)
	})
}

type memberWatcher struct {
	mu   sync.Mutex
	list []members.ID
}

// TestLastVoterStays applies the removal of the only voter, which a member may have forwarded: it is refused and ends
// no member.
func TestLastVoterStays(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	m.start()
	data, err := confChangeEntry(0, 0, raftpb.ConfChangeRemoveNode, members.Member{ID: m.node.state.id})
	if err != nil {
		t.Fatal(err)
	}
	m.node.inbox.post(func(c *core) {
		c.receive(&raftpb.Message{
			Type: raftpb.MsgProp.Enum(), From: (*uint64)(&m.node.state.id),
			Entries: []*raftpb.Entry{{Type: data.Type, Data: data.Data}},
		})
	})
	m.set("/after", "1")
	if _, there := m.node.Members().Get(m.node.state.id); !there {
		t.Error("the only member was removed")
	}
}

func (w *memberWatcher) membersChanged(list []members.Member) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = nil
	for _, m := range list {
		w.list = append(w.list, m.ID)
	}
}

func (w *memberWatcher) last() []members.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.list
}
