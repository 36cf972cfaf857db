package raft

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"pando/members"
)

// awaitFounding waits until all running members have the same founding ID, and returns it.
func (c *cluster) awaitFounding() members.ID {
	c.t.Helper()
	var id members.ID
	c.await("all to have one founding ID", func() bool {
		id, _ = c.running()[0].node().Members().Founded()
		for _, r := range c.running() {
			if own, founded := r.node().Members().Founded(); !founded || own != id || r.node().state.founding.Load() != uint64(id) {
				return false
			}
		}
		return true
	})
	return id
}

// TestFounding checks that a cluster gets an ID of its own, that new members learn it from the log or from a
// snapshot, and that it stays.
func TestFounding(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, smallLog)
	id := c.awaitFounding()
	for i := range 400 {
		c.leader().set("/key", fmt.Sprint(i))
	}
	c.add(c.leader())
	if got := c.awaitFounding(); got != id {
		t.Errorf("founding ID %s became %s with a new member", id, got)
	}
	for _, r := range c.members {
		r.kill()
	}
	for _, r := range c.members {
		r.restart()
	}
	c.awaitServing(c.members...)
	if got := c.awaitFounding(); got != id {
		t.Errorf("founding ID %s became %s with a restart", id, got)
	}
	if other := newCluster(t, 1, nil); other.awaitFounding() == id {
		t.Error("two clusters have the same founding ID")
	}
}

// TestEarlierCluster founds a cluster with the same flags as an earlier one, while one member still has the data of
// the earlier cluster: more entries, of later terms. That member must not lead, and no key of the new cluster may be
// lost.
func TestEarlierCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	founders := c.leader().node().Members().List()
	for i := range 100 {
		c.leader().set(fmt.Sprintf("/earlier%d", i), "v")
	}
	for i := range 6 {
		c.leader().node().TransferLeader(context.Background(), c.members[i%3].id)
	}
	c.settle()
	a, b, old := c.members[0], c.members[1], c.members[2]
	for _, r := range c.members {
		r.kill()
	}
	for _, r := range []*replica{a, b} {
		if err := os.RemoveAll(r.dir); err != nil {
			t.Fatal(err)
		}
		r.start(founders, nil)
	}
	c.awaitServing(a, b)
	c.leader().set("/new", "acknowledged")
	old.restart()
	for round := range 3 {
		lead := c.leader(a, b)
		lead.kill() // an election that the old data would win
		<-time.After(2 * clusterElectionTicks * clusterTick)
		lead.restart()
		c.leader(a, b).set("/round", fmt.Sprint(round))
	}
	for _, r := range []*replica{a, b} {
		if got := r.mustGet("/new"); got != "acknowledged" {
			t.Errorf("member %d: %q", r.id, got)
		}
		if r.node().Tree().View().Nodes() > 50 {
			t.Errorf("member %d has keys of the earlier cluster", r.id)
		}
	}
	if closed(old.node().Ready()) {
		t.Error("the member with the data of the earlier cluster serves")
	}
	old.kill()
}

// dropFounding puts the member into the state that an older version leaves: without a founding ID.
func (r *replica) dropFounding() {
	r.c.t.Helper()
	nodeCore := r.node().core
	fresh := members.NewRegistry(r.c.id)
	for _, m := range nodeCore.registry.List() {
		if err := fresh.Add(m); err != nil {
			r.c.t.Fatal(err)
		}
	}
	nodeCore.takeTurn(func() {
		if err := nodeCore.registry.Unmarshal(fresh.Marshal()); err != nil {
			r.c.t.Error(err)
		}
		f := nodeCore.founding
		f.hasCommands, f.logged, f.loggedIndex, f.proposed = true, 0, 0, 0
		f.next.set(time.Now().Add(foundingPause))
		nodeCore.state.founding.Store(0)
	})
}

// reconnect ends the streams of members, as a restart would.
func (c *cluster) reconnect(list ...*replica) {
	c.t.Helper()
	for _, r := range list {
		c.isolate(r)
	}
	c.await("the members to be alone", func() bool {
		for _, r := range list {
			for _, other := range c.members {
				if r != other && !r.node().transport.LastReceived(other.id).IsZero() {
					return false
				}
			}
		}
		return true
	})
}

// TestFoundingOfAnOlderCluster gives an ID to a cluster that an older version founded, and the same ID to a single
// member without one.
func TestFoundingOfAnOlderCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	id := c.awaitFounding()
	c.leader().set("/key", "value")
	c.settle()
	t.Run("one member without", func(t *testing.T) {
		for _, r := range c.members {
			c.reconnect(r)
			r.dropFounding()
			c.links.heal()
			if got := c.awaitFounding(); got != id {
				t.Errorf("founding ID %s became %s", id, got)
			}
		}
	})
	t.Run("all without", func(t *testing.T) {
		// A request for a stream that was in flight when the links were cut may announce the last ID after they are
		// healed. Then the members had the ID, and the test drops it again.
		for range 10 {
			c.settle() // no proposal of the last ID may be in flight
			last := c.awaitFounding()
			c.reconnect(c.members...)
			for _, r := range c.members {
				r.dropFounding()
			}
			c.links.heal()
			c.leader()
			if c.awaitFounding() != last {
				return
			}
		}
		t.Error("members without a founding ID got no new one")
	})
	c.leader().set("/key", "after")
	c.settle()
}

// TestOlderVersionSkipsFounding decodes the entry as versions without founding IDs do: as an audit entry that they
// ignore.
func TestOlderVersionSkipsFounding(t *testing.T) {
	data := encodeFounding(77)
	var start auditStart
	if known, err := decodeAudit(data, &start); known || err != nil || data[0] != kindAudit {
		t.Errorf("known: %v, %v", known, err)
	}
	if id, ok := decodeFounding(data); id != 77 || !ok {
		t.Errorf("decoded %s, %v", id, ok)
	}
	for _, bad := range [][]byte{
		nil, {kindAudit}, {kindAudit, foundingVersion}, append(data, 1), encodeFounding(0), encodeFounding(members.Unfounded),
	} {
		if id, ok := decodeFounding(bad); ok {
			t.Errorf("%x was read as founding ID %s", bad, id)
		}
	}
}
