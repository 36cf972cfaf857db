package raft

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// TestTurnWaitsForDisk waits in a turn for a result of the disk, as the installation of a snapshot does: no goroutine
// that waits for the turn may have received that result.
func TestTurnWaitsForDisk(t *testing.T) {
	t.Parallel()
	for name, disk := range map[string]struct {
		begin func(c *core)
		come  func(c *core) bool // the result can be received
		await func(c *core)
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
			nodeCore := m.start().core
			ended := make(chan struct{})
			go nodeCore.takeTurn(func() {
				defer close(ended)
				disk.begin(nodeCore)
				if !poll(func() bool { return disk.come(nodeCore) }) {
					t.Error("another goroutine has received the result")
					return
				}
				<-time.After(20 * time.Millisecond) // time to receive it elsewhere
				disk.await(nodeCore)
			})
			select {
			case <-ended:
			case <-time.After(testTimeout):
				t.Fatal("the turn waits for a result that another goroutine has received")
			}
			m.set("/after", "1")
		})
	}
}

// TestBusyCoreTicks posts work without end: the core must still tick.
func TestBusyCoreTicks(t *testing.T) {
	t.Parallel()
	m := newTestMember(t)
	n := m.start()
	ticked, late := make(chan struct{}), time.Now().Add(testTimeout)
	var last time.Time
	var work task
	work = func(c *core) {
		if last.IsZero() {
			last = c.startup.publish.at
		}
		if c.startup.publish.at != last || time.Now().After(late) { // only a tick sets it
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

// TestPanicAdvice panics in a turn: the member ends. Only an error about its data may advise to replace the data.
func TestPanicAdvice(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		do   func(c *core)
		want error
	}{
		"a fault of the program": {func(*core) { panic("a fault") }, errPanic},
		"a fault of the library": {func(c *core) { newRaftLogger(c.log).Panicf("unexpected error (%v)", "x") }, errPanic},
		"a contradicted log": {func(c *core) {
			_ = c.raw.Step(&raftpb.Message{
				Type: raftpb.MsgHeartbeat.Enum(), From: new(uint64(9)), To: (*uint64)(&c.state.id),
				Term: new(c.state.term.Load() + 1), Commit: new(uint64(1 << 40)),
			})
		}, ErrBroken},
	} {
		t.Run(name, func(t *testing.T) {
			m := newTestMember(t)
			node := m.start()
			node.inbox.post(test.do)
			m.await("the member to end", func() bool { return closed(node.Done()) })
			if !errors.Is(node.Err(), test.want) {
				t.Errorf("the member ended with %v", node.Err())
			}
			if advised := strings.Contains(node.Err().Error(), "delete its data directory"); advised != (test.want == ErrBroken) {
				t.Errorf("the advice is wrong: %v", node.Err())
			}
		})
	}
}
