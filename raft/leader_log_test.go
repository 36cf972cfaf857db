package raft

import (
	"strings"
	"sync"
	"testing"

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

// lines returns the lines of a member that contain a text.
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
	c.await("the member to say what it waits for", func() bool { return len(logged.lines(left, text)) >= 2 })
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
	c.await("the line about the new member", func() bool { return len(logged.lines(again, "members changed")) > 0 })
}

// TestUnstableLeaderIsLoggedRarely has a leader lose its streams again and again: that must not fill the log.
func TestUnstableLeaderIsLoggedRarely(t *testing.T) {
	t.Parallel()
	var logged logs
	c := newCluster(t, 3, logged.tune)
	lead := c.leader()
	follower := c.others(lead)[0]
	nodeCore := follower.node().core
	for range 200 {
		nodeCore.takeTurn(func() {
			for _, leader := range []uint64{0, uint64(lead.id)} {
				nodeCore.state.leader.Store(leader)
				nodeCore.leaderLog.leaderChanged()
			}
		})
	}
	if n := len(logged.lines(follower, "no leader")) + len(logged.lines(follower, "leader elected")); n > 8 {
		t.Errorf("%d lines about 200 lost leaders", n)
	}
}
