package raft

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"pando/members"
	"pando/raft/pace"
)

// logs collects the log lines of each member of a cluster.
type logs struct {
	mu sync.Mutex
	of map[members.ID]*observer.ObservedLogs
}

func (l *logs) tune(cfg *Config) {
	core, observed := observer.New(zapcore.InfoLevel)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = map[members.ID]*observer.ObservedLogs{}
	}
	l.of[members.ID(cfg.Recovered.Identity.MemberID)] = observed
	cfg.Logger = zap.New(core)
}

// lines gives the lines of a member that contain a text.
func (l *logs) lines(r *replica, text string) []observer.LoggedEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of[r.id].Filter(func(e observer.LoggedEntry) bool { return strings.Contains(e.Message, text) }).All()
}

// TestMissingMajorityIsLogged leaves one member running: it logs which members it waits for, at growing intervals.
func TestMissingMajorityIsLogged(t *testing.T) {
	t.Parallel()
	var logged logs
	c := newCluster(t, 3, logged.tune)
	left := c.members[0]
	for _, r := range c.others(left) {
		r.kill()
	}
	const text = "waiting for a majority of the members: 1 of 3 are here, 2 are needed"
	c.await("the member to say what it waits for", func() bool { return len(logged.lines(left, text)) == 2 })
	first, second := logged.lines(left, text)[0], logged.lines(left, text)[1]
	missing := first.ContextMap()["missing"].([]any)
	for i, r := range c.members[1:] {
		if name := missing[i].(string); !strings.Contains(name, r.name) || !strings.Contains(name, r.server.URL) {
			t.Errorf("missing %v, want member %s at %s", missing, r.name, r.server.URL)
		}
	}
	// TestPace proves that the pauses grow.
	if pause := second.Time.Sub(first.Time); pause < pace.MinPause/2 {
		t.Errorf("two lines within %v", pause)
	}
}

// TestReplayIsNotLogged restarts a member: it does not log the changes of the membership that it replays.
func TestReplayIsNotLogged(t *testing.T) {
	t.Parallel()
	var logged logs
	c := newCluster(t, 3, logged.tune)
	again := c.follower()
	if n := len(logged.lines(again, "members changed")); n != 3 {
		t.Errorf("%d lines about three founders", n)
	}
	again.kill()
	again.restart()
	c.awaitServing(again)
	if lines := logged.lines(again, "members changed"); len(lines) > 0 {
		t.Errorf("logged again: %v", lines)
	}
	c.add(c.leader())
	if n := len(logged.lines(again, "members changed")); n == 0 {
		t.Error("a new member is not logged")
	}
}

// TestUnstableLeaderIsLoggedRarely has a leader lose its streams again and again: that must not fill the log.
func TestUnstableLeaderIsLoggedRarely(t *testing.T) {
	t.Parallel()
	var logged logs
	c := newCluster(t, 3, logged.tune)
	lead := c.leader()
	follower := c.others(lead)[0]
	l := follower.node().core
	for range 200 {
		l.takeTurn(func() {
			for _, leader := range []uint64{0, uint64(lead.id)} {
				l.state.leader.Store(leader)
				l.leaderLog.leaderChanged()
			}
		})
	}
	if n := len(logged.lines(follower, "no leader")) + len(logged.lines(follower, "leader elected")); n > 8 {
		t.Errorf("%d lines about 200 lost leaders", n)
	}
}

// TestAbandonedChange asks for a change while another one is under way, and gives up before it begins: the change
// must not be made.
func TestAbandonedChange(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	node := c.leader().node()
	ctx, cancel := context.WithCancel(context.Background())
	answer := make(chan error, 1)
	given := make(chan error, 1)
	node.core.takeTurn(func() {
		l := node.core
		l.membership.begin(&memberChange{
			context.Background(), raftpb.ConfChangeAddLearnerNode,
			members.Member{ID: 50, PeerURLs: []string{"http://127.0.0.1:1"}, Learner: true}, answer, nil,
		})
		l.membership.begin(&memberChange{
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

// TestTwoLearnersCatchUp has two learners that have caught up: one promotion is proposed at a time, and again only
// after a pause.
func TestTwoLearnersCatchUp(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	l := c.leader().node().core
	for id := range members.ID(2) {
		m := members.Member{ID: 50 + id, PeerURLs: []string{"http://127.0.0.1:" + (id + 1).String()}}
		c.must("add", func(ctx context.Context) error { return c.leader().node().AddMember(ctx, m) })
	}
	l.takeTurn(func() {
		start := l.membership.number
		proposed := func() uint64 { return l.membership.number - start }
		now := time.Now()
		for tick := range 20 {
			l.deadlines.advance(now.Add(time.Duration(tick) * clusterTick))
			for id := range members.ID(2) {
				l.membership.promote(50 + id)
			}
		}
		if n := proposed(); n != 1 {
			t.Errorf("%d promotions were proposed within %v", n, 20*clusterTick)
		}
		l.deadlines.advance(now.Add(2 * promotionPause))
		if l.membership.promote(50); proposed() != 2 {
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
	gone := c.follower()
	c.remove(gone, c.leader())
	w := seen[c.leader().id]
	if list := w.last(); slices.Contains(list, gone.id) || len(list) != 2 {
		t.Errorf("the members are %v", list)
	}
}

type memberWatcher struct {
	mu   sync.Mutex
	list []members.ID
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
