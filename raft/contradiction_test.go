package raft

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// TestReportOfAnyEntry asks a member for reports of entries that it cannot have, as any process that reaches its peer
// port can.
func TestReportOfAnyEntry(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	r := c.leader()
	r.set("/key", "v")
	last := r.node().Status().Committed
	for _, index := range []uint64{last, 0, last + 1, 1 << 40, 1 << 63, math.MaxUint64 - 1, math.MaxUint64} {
		report, err := r.node().reportLog(t.Context(), r.id, index)
		// The member may append entries of its own meanwhile.
		known, has := report.EntryTerm != 0, index > 0 && index <= report.Last
		if err != nil || known != has || report.Last < last {
			t.Errorf("asked for entry %d of %d: %+v, %v", index, last, report, err)
		}
	}
}

// TestContradictedLog restores the data of two of three members from copies, lets them write, and starts the third
// one. It has committed entries that the others lack: it must stop, must not answer a quorum read from its own data,
// and must not count for a quorum.
func TestContradictedLog(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		tune      func(*Config)
		meanwhile int // keys that only the third member has
		after     int // keys that are written before it is started
		// replaced means that the other members no longer have the entries to compare: a snapshot replaces the
		// member's data.
		replaced bool
	}{
		{"longer log", nil, 60, 5, false},
		{"shorter log", nil, 5, 60, false},
		{"longer log after a checkpoint", smallLog, 400, 5, false},
		{"shorter log after a checkpoint", smallLog, 150, 400, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, 3, test.tune)
			c.restoreTwo(test.meanwhile, test.after)
			third := c.members[2]
			third.restart()
			node := third.node()
			wrong := make(chan error, 1)
			ctx, cancel := context.WithCancel(context.Background())
			go func() { wrong <- readUntilEnd(ctx, node) }()
			if test.replaced {
				c.awaitServing(third)
				c.settle()
				cancel()
				if err := <-wrong; err != nil {
					t.Error(err)
				}
				return
			}
			c.await("the member with another log to end", func() bool { return closed(node.Done()) })
			cancel()
			if err := <-wrong; err != nil {
				t.Error(err)
			}
			if !errors.Is(node.Err(), ErrContradiction) {
				t.Errorf("the member ended with %v", node.Err())
			}
			third.up.Store(nil)
			third.shut()
			if _, err := os.Stat(third.dir); err != nil {
				t.Errorf("the data of the member that ended: %v", err)
			}
			c.leader().set("/after", "1")
			c.settle()
		})
	}
}

// readUntilEnd makes quorum reads until the member ends, and returns a key that a read found and the cluster does not
// have.
func readUntilEnd(ctx context.Context, node *Node) error {
	for ctx.Err() == nil && !closed(node.Done()) {
		if node.Barrier(ctx) != nil {
			continue
		}
		if _, err := node.Tree().View().Get("/lost0"); err == nil {
			return errors.New("a quorum read gave a key that the cluster does not have")
		}
	}
	return nil
}

// TestUnconfirmedContradiction sends a follower, in its leader's name, an append that contradicts its log. The leader
// does not confirm it, so the follower continues.
func TestUnconfirmedContradiction(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	lead := c.leader()
	follower := c.others(lead)[0]
	for i := range 5 {
		lead.set("/key", fmt.Sprint(i))
	}
	c.settle()
	committed := follower.node().Status().Committed
	start := time.Now()
	for answered := 0; answered < 3; {
		before := time.Now()
		if before.Sub(start) > testTimeout {
			t.Fatalf("the leader could not be asked: %v", follower.claims().failed)
		}
		m := follower.forged(raftpb.MsgApp, lead.id)
		m.Index, m.LogTerm = new(committed-1), new(m.GetTerm())
		m.Term = new(m.GetTerm() + 1)
		m.Entries = []*raftpb.Entry{{Index: &committed, Term: m.Term, Data: []byte("other")}}
		follower.receive(m)
		c.await("the leader to be asked", func() bool { return follower.claims().asked.After(before) && !follower.claims().asking })
		if follower.claims().failed == nil { // on a busy machine the leader may answer too late
			answered++
		}
		<-time.After(claimPause)
	}
	if closed(follower.node().Done()) {
		t.Fatalf("the follower ended with %v", follower.node().Err())
	}
	c.leader().set("/key", "after")
	c.settle()
}

// copyData copies the data directory of a member that is down.
func (r *replica) copyData() string {
	r.c.t.Helper()
	dir := r.dir + ".copy"
	if err := os.CopyFS(dir, os.DirFS(r.dir)); err != nil {
		r.c.t.Fatal(err)
	}
	return dir
}

// restoreCopy replaces the member's data by a copy.
func (r *replica) restoreCopy(dir string) {
	r.c.t.Helper()
	if err := errors.Join(os.RemoveAll(r.dir), os.Rename(dir, r.dir)); err != nil {
		r.c.t.Fatal(err)
	}
}

// restoreTwo restores the first two of three members from copies that lack the last keys, starts them, and has them write
// keys of their own. The third member is down.
func (c *cluster) restoreTwo(meanwhile, after int) {
	c.t.Helper()
	stopAll := func() {
		c.settle()
		for _, r := range c.members {
			r.stop()
		}
	}
	for i := range 20 {
		c.leader().set(fmt.Sprintf("/old%d", i), "v")
	}
	stopAll()
	restored := c.members[:2]
	copies := []string{restored[0].copyData(), restored[1].copyData()}
	for _, r := range c.members {
		r.restart()
	}
	c.awaitServing(c.members...)
	for i := range meanwhile {
		c.leader().set(fmt.Sprintf("/lost%d", i), "v")
	}
	stopAll()
	for i, r := range restored {
		r.restoreCopy(copies[i])
		r.restart()
	}
	c.awaitServing(restored...)
	for i := range 4 { // terms after those that were lost
		c.leader().node().TransferLeader(context.Background(), restored[i%2].id)
		c.leader().set("/elected", fmt.Sprint(i))
	}
	for i := range after {
		c.leader().set(fmt.Sprintf("/new%d", i), "v")
	}
}

// claims returns the member's state of asking for reports.
func (r *replica) claims() claims {
	r.c.t.Helper()
	var d claims
	r.node().core.takeTurn(func() { d = r.node().core.checker.claims })
	return d
}
