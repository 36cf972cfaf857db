package raft

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pando/tree"
)

// steppedClock is a wall clock that the test sets.
type steppedClock struct{ ahead atomic.Int64 }

func (c *steppedClock) now() time.Time { return time.Now().Round(0).Add(time.Duration(c.ahead.Load())) }

func (c *steppedClock) step(by time.Duration) { c.ahead.Add(int64(by)) }

// setTTL sets a key that expires after this time by the clock.
func (m *testMember) setTTL(path string, ttl time.Duration) *tree.Event {
	m.t.Helper()
	return m.propose(tree.Command{Op: tree.OpSet, Path: path, Expires: m.cfg.Now().Add(ttl).UnixNano()})
}

// setBeforeStep sets a key with a short TTL, and steps the clock backwards before the TTL ends. On a busy machine it needs several
// attempts.
func (m *testMember) setBeforeStep(clock *steppedClock, path string, by time.Duration) {
	m.t.Helper()
	m.await("a step before the TTL ends", func() bool {
		m.setTTL(path, 100*time.Millisecond)
		clock.step(by)
		m.set("/step", "x") // an expiry that was proposed before the step is applied before this write
		if m.exists(path) {
			return true
		}
		clock.step(-by)
		return false
	})
}

func newClockMember(t *testing.T) (*testMember, *steppedClock) {
	m, clock := newTestMember(t), &steppedClock{}
	m.cfg.Now = clock.now
	m.start()
	return m, clock
}

func TestClockSteps(t *testing.T) {
	t.Parallel()
	t.Run("forwards", func(t *testing.T) {
		m, clock := newClockMember(t)
		m.setTTL("/hour", time.Hour)
		m.setTTL("/day", 24*time.Hour)
		clock.step(2 * time.Hour)
		m.await("/hour to expire", func() bool { return !m.exists("/hour") })
		if !m.exists("/day") {
			t.Error("/day expired too")
		}
	})
	t.Run("backwards", func(t *testing.T) {
		m, clock := newClockMember(t)
		m.setBeforeStep(clock, "/soon", -time.Hour)
		// Its TTL ends in an hour now. Other keys expire by the new clock, later than /soon would have, and must not
		// expire it, too.
		m.setTTL("/later", 200*time.Millisecond)
		m.await("/later to expire", func() bool { return !m.exists("/later") })
		if !m.exists("/soon") {
			t.Error("/soon expired an hour early by the clock")
		}
		clock.step(time.Hour)
		m.await("/soon to expire", func() bool { return !m.exists("/soon") })
	})
	t.Run("backwards while stopped", func(t *testing.T) {
		m, clock := newClockMember(t)
		m.setTTL("/a", time.Hour)
		index := m.set("/b", "x").Index()
		m.stop()
		clock.step(-24 * time.Hour)
		m.start()
		if !m.exists("/a") {
			t.Error("/a expired")
		}
		if got := m.set("/b", "y").Index(); got != index+1 {
			t.Errorf("index %d after %d", got, index)
		}
	})
	t.Run("forwards while stopped", func(t *testing.T) {
		m, clock := newClockMember(t)
		var want []string
		for i := range 600 { // more than two commands expire
			path := fmt.Sprintf("/k%03d", 599-i)
			m.setTTL(path, time.Hour+time.Duration(i)*time.Second)
			want = append(want, path)
		}
		last := m.set("/stays", "x").Index()
		m.stop()
		clock.step(24 * time.Hour)
		m.start()
		w, err := m.node.Tree().Watch("/", tree.Recursive, last+1)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		for i, path := range want {
			event, err := w.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if event.Action() != tree.ActionExpire || event.Node().Path() != path || event.Index() != last+1+uint64(i) {
				t.Fatalf("event %d: %s, want %s to expire", i, event.AppendJSON(nil), path)
			}
		}
		if !m.exists("/stays") {
			t.Error("/stays did not")
		}
	})
}

// TestExpiryUnderLoad has TTLs end while other keys are written: every key expires, and the writes continue.
func TestExpiryUnderLoad(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	m.cfg.Now = time.Now
	m.start()
	for i := range 500 {
		m.setTTL(fmt.Sprintf("/ttl/%d", i), time.Duration(i)*time.Millisecond)
		m.set("/other", fmt.Sprint(i))
	}
	m.await("all to expire", func() bool {
		dir, err := m.node.Tree().View().Get("/ttl")
		return err == nil && dir.Len() == 0
	})
	if n, err := m.node.Tree().View().Get("/other"); err != nil || n.Value() != "499" {
		t.Errorf("/other is %v, %v", n, err)
	}
}
