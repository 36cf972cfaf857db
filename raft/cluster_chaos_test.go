package raft

import (
	"context"
	"math/rand/v2"
	"time"
)

// randomFaults injects faults until the deadline and then repairs all of them. It returns how often it injected each
// kind.
func (c *cluster) randomFaults(random *rand.Rand, deadline time.Time) map[string]int {
	c.t.Helper()
	done := map[string]int{}
	faults := []struct {
		name string
		do   func(r *replica, random *rand.Rand) (undo func())
	}{
		{"kill", func(r *replica, _ *rand.Rand) func() { r.kill(); return r.restart }},
		{"stop", func(r *replica, _ *rand.Rand) func() { r.stop(); return r.restart }},
		{"pause", func(r *replica, _ *rand.Rand) func() { r.pause(); return r.unpause }},
		{"isolate", func(r *replica, _ *rand.Rand) func() { c.isolate(r); return c.links.heal }},
		{"mute from", func(r *replica, _ *rand.Rand) func() { c.towards(r, link{mute: true}, "from"); return c.links.heal }},
		{"cut to", func(r *replica, _ *rand.Rand) func() { c.towards(r, cut, "to"); return c.links.heal }},
		{"disturb", func(_ *replica, random *rand.Rand) func() {
			c.disturb(link{drop: random.IntN(20), swap: random.IntN(20), delay: time.Duration(random.IntN(5)) * time.Millisecond})
			return c.links.heal
		}},
		{"split", func(r *replica, random *rand.Rand) func() {
			list := c.others(r)
			at := random.IntN(len(list) + 1)
			c.split(append(list[:at:at], r), list[at:])
			return c.links.heal
		}},
		{"transfer", func(r *replica, _ *rand.Rand) func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*clusterTick)
			defer cancel()
			_ = r.node().TransferLeader(ctx, c.others(r)[0].id) // it may fail
			return func() {}
		}},
	}
	for time.Now().Before(deadline) {
		target := c.members[random.IntN(len(c.members))]
		if lead := agreed(c.running()); lead != nil && random.IntN(2) == 0 {
			target = lead // the worst target
		}
		fault := faults[random.IntN(len(faults))]
		undo := fault.do(target, random)
		done[fault.name]++
		<-time.After(time.Duration(50+random.IntN(500)) * time.Millisecond)
		undo()
		if random.IntN(2) == 0 {
			c.leader() // the cluster must recover before the next fault
		}
	}
	c.links.heal()
	c.awaitServing(c.members...)
	return done
}
