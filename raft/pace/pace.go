// Package pace spaces out what is told again and again, as lines of the log about
// something that goes on being wrong.
package pace

import "time"

// The pauses between two tellings: doubled from the first to the last.
const (
	First = time.Second
	Last  = 5 * time.Minute
)

// Pace says when something may be told again: the first time at once, then after
// pauses that grow. The zero value has told nothing yet. It is not for use by several
// goroutines at once.
type Pace struct {
	next  time.Time
	pause time.Duration
}

// Due reports whether it may be told now, and counts it as told then. When nothing was
// asked for much longer than the last pause, it begins anew.
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

// Reset begins anew: what was wrong is right again.
func (p *Pace) Reset() { *p = Pace{} }
