package raft

import (
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// TestTurnWaitsForDisk waits in a turn for what the disk does, as a caller may who installs a snapshot: nobody who
// waits for a turn of his own must hold in hand what is waited for.
func TestTurnWaitsForDisk(t *testing.T) {
	t.Parallel()
	for name, disk := range map[string]struct {
		begin func(l *core)
		come  func(l *core) bool // the outcome waits to be taken
		await func(l *core)
	}{
		"append": {
			func(c *core) { c.writer.submit(&raftpb.Message{}) },
			func(c *core) bool { return len(c.writer.done) > 0 },
			(*core).awaitAppends,
		},
		"checkpoint": {
			func(c *core) { c.checkpoints.begin() },
			func(c *core) bool { return len(c.checkpoints.done) > 0 },
			func(c *core) { c.checkpoints.await() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newTestMember(t)
			l := m.start().core
			ended := make(chan struct{})
			go l.takeTurn(func() {
				defer close(ended)
				disk.begin(l)
				if !poll(func() bool { return disk.come(l) }) {
					t.Error("another took what the disk had done")
					return
				}
				<-time.After(20 * time.Millisecond) // the time to take it away
				disk.await(l)
			})
			select {
			case <-ended:
			case <-time.After(patience):
				t.Fatal("who has the turn waits for what another holds")
			}
			m.set("/after", "1")
		})
	}
}

// TestBusyLoopKeepsTime brings work without end: there are ticks meanwhile.
func TestBusyLoopKeepsTime(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	n := m.start()
	ticked, late := make(chan struct{}), time.Now().Add(patience)
	var last time.Time
	var work task
	work = func(c *core) {
		if last.IsZero() {
			last = c.startup.publish.at
		}
		if c.startup.publish.at != last || time.Now().After(late) { // a tick did that
			close(ticked)
			return
		}
		if err := c.raw.Propose(nil); err != nil {
			t.Error(err)
		}
		c.inbox.post(work)
	}
	n.inbox.post(work)
	<-ticked
	if time.Now().After(late) {
		t.Error("no tick while there was work")
	}
}
