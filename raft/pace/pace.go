// Package pace limits how often a condition is logged that lasts or recurs, such as an
// unreachable peer.
package pace

import "time"

// The pause between two log lines doubles with each line, from MinPause to MaxPause.
const (
	MinPause = time.Second
	MaxPause = 5 * time.Minute
)

// Pace decides when to log one condition: at once, then after growing pauses. The zero
// value is ready to use. A Pace must not be used by several goroutines at once.
type Pace struct {
	next  time.Time // the end of the current pause
	pause time.Duration
}

// Due reports whether to log now. If it returns true, the next pause begins. If Due was
// not called for 2*MaxPause after the end of a pause, the pauses begin with MinPause again.
func (p *Pace) Due(now time.Time) bool {
	if now.Before(p.next) {
		return false
	}
	if p.pause == 0 || now.Sub(p.next) > 2*MaxPause {
		p.pause = MinPause
	}
	p.next = now.Add(p.pause)
	p.pause = min(2*p.pause, MaxPause)
	return true
}

// Reset makes the next call of Due return true. It is called when the condition has
// ended.
func (p *Pace) Reset() { *p = Pace{} }
