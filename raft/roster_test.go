package raft

import (
	"context"
	"testing"
)

// TestReturnToUnknownMembers starts a member that was down in a cluster whose leader it does not know.
func TestReturnToUnknownMembers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	away := c.follower()
	away.kill()
	known := c.leader()
	added := []*replica{c.add(known), c.add(known)}
	other := c.others(known)[0]
	if other == added[0] || other == added[1] {
		t.Fatal("no founder is left to remove")
	}
	c.remove(other, known)
	c.must("transfer", func(ctx context.Context) error { return known.node().TransferLeader(ctx, added[0].id) })
	c.leader().set("/key", "value")
	away.restart()
	c.awaitServing(away)
	if got := away.mustGet("/key"); got != "value" {
		t.Errorf("read %q", got)
	}
	c.settle()
}

// TestAllMembersWereReplaced starts a member after all members that it knows were replaced. Without the present
// members in its flags it logs what to do. With them it takes part.
func TestAllMembersWereReplaced(t *testing.T) {
	t.Parallel()
	var logged logs
	c := newCluster(t, 3, logged.tune)
	away := c.follower()
	away.kill()
	leaving := c.others(away)
	added := c.add(leaving[0])
	c.remove(leaving[0], leaving[1])
	c.add(leaving[1])
	c.remove(leaving[1], added)
	c.leader().set("/key", "value")
	old := c.members[:3]
	away.named = old
	away.restart()
	c.await("the member to say what it lacks", func() bool {
		return len(logged.lines(away, "list the present ones in --initial-cluster")) > 0
	})
	away.kill()
	away.named = nil
	away.restart()
	c.awaitServing(away)
	if lines := logged.lines(away, "an unknown member was refused"); len(lines) > 0 {
		t.Errorf("%d lines about members that the flags name", len(lines))
	}
	c.settle()
}
