// Package pace limits how often a condition is logged that lasts or recurs, such as an
// unreachable peer.
package pace

import "time"

// The pause between two log lines doubles with each line, from First to Last.
const (
	First = time.Second
	Last  = 5 * time.Minute
)

// Pace decides when to log one condition: at once, then after growing pauses. The zero
// value is ready to use. A Pace must not be used by several goroutines at once.
type Pace struct {
	next  time.Time // the end of the current pause
	pause time.Duration
}

// Due reports whether to log now. If it returns true, the next pause begins. If Due was
// not called for 2*Last after the end of a pause, the pauses begin with First again.
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

// Reset makes the next call of Due return true. It is called when the condition has
// ended.
func (p *Pace) Reset() { *p = Pace{} }
