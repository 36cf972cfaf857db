// Package pace limits how often something is logged that goes on or comes again and
// again, as a peer that can't be reached.
package pace

import "time"

// The pauses between two log lines: each is twice the one before, from First to Last.
const (
	First = time.Second
	Last  = 5 * time.Minute
)

// Pace decides when to log: the first time at once, then after growing pauses. The
// zero value has logged nothing yet. Callers must not use one Pace from several
// goroutines at once.
type Pace struct {
	next  time.Time // the end of the current pause
	pause time.Duration
}

// Due reports whether to log now. If it does, the next pause begins. The pauses start
// again from First when Due was not called until long after the last one.
func (p *Pace) Due(now time.Time) bool {
	if now.Before(p.next) {
		return false
	}
	if p.pause == 0 || now.Sub(p.next) > 2*Last {
		p.pause = First
	}
	p.next = now.Add(p.pause)
	p.pause = min(2*p.pause, Last)
	return true
}

// Reset makes the next call of Due report true. It is for the end of what was logged.
func (p *Pace) Reset() { *p = Pace{} }
