package stats

import (
	"sync"
	"testing"
	"time"
)

// clock is a clock whose time changes by pass alone.
type clock struct{ t time.Time }

func newClock() *clock {
	return &clock{t: time.Date(2026, 11, 20, 13, 1, 24, 234445174, time.UTC)}
}

func (c *clock) now() time.Time { return c.t }

func (c *clock) pass(d time.Duration) { c.t = c.t.Add(d) }

func checkBody(t *testing.T, got []byte, want string) {
	t.Helper()
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The wanted bodies are those of etcd 3.4.23 in the same roles, with the times and rates of this test.
func TestServerJSON(t *testing.T) {
	t.Run("no leader yet", func(t *testing.T) {
		s := NewServer("n1", 0x8221129fa3e0b6b8, newClock().now)
		checkBody(t, s.JSON(),
			`{"name":"n1","id":"8221129fa3e0b6b8","state":"StateFollower","startTime":"2026-11-20T13:01:24.234445174Z",`+
				`"leaderInfo":{"leader":"","uptime":"0s","startTime":"0001-01-01T00:00:00Z"},"recvAppendRequestCnt":0,`+
				`"sendAppendRequestCnt":0}`)
	})
	t.Run("leader", func(t *testing.T) {
		c := newClock()
		s := NewServer("n1", 0x8221129fa3e0b6b8, c.now)
		c.pass(400 * time.Millisecond)
		s.BecomeLeader()
		c.pass(3578151676)
		s.BecomeLeader() // it leads already: its time as leader goes on
		checkBody(t, s.JSON(),
			`{"name":"n1","id":"8221129fa3e0b6b8","state":"StateLeader","startTime":"2026-11-20T13:01:24.234445174Z",`+
				`"leaderInfo":{"leader":"8221129fa3e0b6b8","uptime":"3.578151676s","startTime":"2026-11-20T13:01:24.634445174Z"},`+
				`"recvAppendRequestCnt":0,"sendAppendRequestCnt":0}`)
	})
	t.Run("leader with followers", func(t *testing.T) {
		c := newClock()
		s := NewServer("n1", 0x8221129fa3e0b6b8, c.now)
		s.BecomeLeader()
		for range 5 {
			s.SendAppend(100)
			c.pass(100 * time.Millisecond)
		}
		checkBody(t, s.JSON(),
			`{"name":"n1","id":"8221129fa3e0b6b8","state":"StateLeader","startTime":"2026-11-20T13:01:24.234445174Z",`+
				`"leaderInfo":{"leader":"8221129fa3e0b6b8","uptime":"500ms","startTime":"2026-11-20T13:01:24.234445174Z"},`+
				`"recvAppendRequestCnt":0,"sendAppendRequestCnt":5,"sendPkgRate":12.5,"sendBandwidthRate":1250}`)
	})
	t.Run("follower", func(t *testing.T) {
		c := newClock()
		s := NewServer("n<2>", 0x90fbd81bb28688a, c.now)
		s.Follow(0x8221129fa3e0b6b8)
		for range 5 {
			s.RecvAppend(80)
			c.pass(250 * time.Millisecond)
		}
		checkBody(t, s.JSON(),
			`{"name":"n\u003c2\u003e","id":"90fbd81bb28688a","state":"StateFollower","startTime":"2026-11-20T13:01:24.234445174Z",`+
				`"leaderInfo":{"leader":"8221129fa3e0b6b8","uptime":"1.25s","startTime":"2026-11-20T13:01:24.234445174Z"},`+
				`"recvAppendRequestCnt":5,"recvPkgRate":5,"recvBandwidthRate":400,"sendAppendRequestCnt":0}`)
	})
	t.Run("idle for more than a second", func(t *testing.T) {
		c := newClock()
		s := NewServer("n2", 2, c.now)
		s.Follow(1)
		for range 5 {
			s.RecvAppend(80)
			s.SendAppend(80)
			c.pass(250 * time.Millisecond)
		}
		c.pass(time.Second)
		checkBody(t, s.JSON(),
			`{"name":"n2","id":"2","state":"StateFollower","startTime":"2026-11-20T13:01:24.234445174Z","leaderInfo":{"leader":"1",`+
				`"uptime":"2.25s","startTime":"2026-11-20T13:01:24.234445174Z"},"recvAppendRequestCnt":5,"sendAppendRequestCnt":5}`)
	})
}

func TestServerLeaderChanges(t *testing.T) {
	c := newClock()
	s := NewServer("n1", 1, c.now)
	check := func(state, leader, uptime string) {
		t.Helper()
		b := s.body()
		if b.State != state || b.LeaderInfo.Leader != leader || b.LeaderInfo.Uptime != uptime {
			t.Errorf("got %s, %+v; want %s, %q, %s", b.State, b.LeaderInfo, state, leader, uptime)
		}
	}
	s.Follow(0xab)
	c.pass(time.Minute)
	s.Follow(0xab)
	check("StateFollower", "ab", "1m0s")
	s.LoseLeader()
	c.pass(time.Minute)
	check("StateFollower", "", "0s")
	s.BecomeLeader()
	c.pass(time.Second)
	check("StateLeader", "1", "1s")
	s.Follow(0xcd)
	check("StateFollower", "cd", "0s")
}

func TestServerFromManyGoroutines(t *testing.T) {
	s := NewServer("n1", 1, time.Now)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				s.RecvAppend(10)
				s.SendAppend(10)
				s.Follow(2)
				s.LoseLeader()
				s.BecomeLeader()
				s.JSON()
			}
		})
	}
	wg.Wait()
	if b := s.body(); b.RecvAppendRequestCnt != 2000 || b.SendAppendRequestCnt != 2000 {
		t.Errorf("counted %d and %d, want 2000 each", b.RecvAppendRequestCnt, b.SendAppendRequestCnt)
	}
}

func BenchmarkServerSendAppend(b *testing.B) {
	s := NewServer("n1", 1, time.Now)
	b.ReportAllocs()
	for b.Loop() {
		s.SendAppend(100)
	}
}
