package raft

import (
	"time"

	"pando/tree"
)

// expiry knows when the next TTL falls due. It proposes nothing by itself: the
// loop asks it each time round.
//
// The timer runs on the monotonic clock, the TTLs on the wall clock. When the
// wall clock is stepped, the loop's next tick finds out: what falls due by the
// new clock expires within a heartbeat interval, what no longer does waits.
type expiry struct {
	timer *time.Timer
	due   int64  // nanoseconds since 1970; zero when nothing falls due
	sweep uint64 // the number of the sweep under way, zero when none is
}

func newExpiry() expiry {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return expiry{timer: t}
}

// set notes when the next TTL falls due and has the loop woken then.
func (x *expiry) set(due int64, now time.Time) {
	if due == x.due {
		return
	}
	x.due = due
	if due == 0 {
		x.timer.Stop()
		return
	}
	x.timer.Reset(time.Unix(0, due).Sub(now))
}

// sweep proposes to expire what is due. Only the leader does, and one sweep at
// a time; what a sweep leaves behind is taken by the next.
func (c *core) sweep() {
	if c.expiry.due == 0 || !c.leads() || c.awaitsFounding() {
		return
	}
	now := c.now()
	if now.UnixNano() < c.expiry.due {
		return
	}
	if _, underway := c.inFlight[c.expiry.sweep]; underway && c.expiry.sweep != 0 {
		return
	}
	data := tree.AppendCommand(c.batchHead(64), &tree.Command{Op: tree.OpExpire})
	c.expiry.sweep = c.number
	c.send(data, proposedBatch{since: time.Now()})
}
