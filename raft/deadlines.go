package raft

import "time"

// deadlines is the one list of everything that the core has to do at a later time: time-outs of proposals, reads and
// membership changes, retries, pauses and campaigns. The tick advances it, so that a deadline expires up to one tick late.
//
// Each part of the core adds its deadlines when it is made, then sets and cancels them as needed; that allocates nothing.
// Only the goroutine that has the turn may use them.
type deadlines struct {
	tick time.Duration
	list []*deadline
}

// deadline is one entry of the list. It is one-shot: expire may set it again.
type deadline struct {
	at     time.Time // zero while it is not set
	expire func(now time.Time)
}

// add appends a deadline that is not set. When its time has come, expire is called with the time of the tick.
func (d *deadlines) add(expire func(now time.Time)) *deadline {
	x := &deadline{expire: expire}
	d.list = append(d.list, x)
	return x
}

// advance expires every deadline whose time has come, in the order in which they were added.
func (d *deadlines) advance(now time.Time) {
	for _, x := range d.list {
		if x.isSet() && !now.Before(x.at) {
			x.cancel()
			x.expire(now)
		}
	}
}

// inTicks returns the time at which the nth tick from now has come.
func (d *deadlines) inTicks(n int) time.Time {
	return time.Now().Add(time.Duration(n-1) * d.tick)
}

// set replaces the time at which the deadline expires.
func (x *deadline) set(at time.Time) { x.at = at }

// setEarliest sets the deadline, unless it expires before that time already.
func (x *deadline) setEarliest(at time.Time) {
	if !x.isSet() || at.Before(x.at) {
		x.at = at
	}
}

func (x *deadline) cancel() { x.at = time.Time{} }

func (x *deadline) isSet() bool { return !x.at.IsZero() }
