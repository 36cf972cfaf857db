package raft

import (
	"fmt"

	"go.uber.org/zap"
)

// The loop's work is done in turns, one goroutine at a time. Most turns are the
// loop's own. A goroutine that brings work and finds nobody at it takes one
// itself: a lone write then passes from its caller to the disk and back without
// a hand-over, of which each costs it tens of microseconds.

// takeTurn waits for a turn and does something in it. It reports whether the loop
// may go on.
func (c *core) takeTurn(do func()) bool {
	c.turn.Lock()
	return c.inTurn(do)
}

// inTurn does something in a turn that was taken, and ends it. A panic ends this
// member alone.
func (c *core) inTurn(do func()) (goOn bool) {
	defer func() {
		if r := recover(); r != nil {
			c.log.Error("the raft loop panicked", zap.Any("panic", r), zap.Stack("stack"))
			c.failed = panicError(r)
		}
		goOn = c.failed == nil
		c.turn.Unlock()
	}()
	if c.failed == nil {
		do()
	}
	return
}

// panicError tells whether a panic speaks of this member's data. Only the upstream
// library can know that, and says so through its logger. Whatever else panics is no
// reason to touch the data.
func panicError(r any) error {
	if c, ok := r.(contradiction); ok {
		return fmt.Errorf("%w: %v", ErrBroken, c)
	}
	return fmt.Errorf("%w: %v", errPanic, r)
}

// helpRounds bounds what others than the loop do: a write and its commit, and a look
// whether that was all.
const callerRounds = 3

// attendInbox sees to it that what a peer has sent is worked off: by the goroutine
// that it came to, if the turn is free, or else by the loop. When batches are large
// it is always the loop: what comes from several peers is then handled together.
func (c *core) turnForInbox() {
	if c.underLoad.Load() || !c.turn.TryLock() {
		wake(c.inbox.wake)
		return
	}
	more := false
	if !c.inTurn(func() { more = c.advance(callerRounds) }) || more {
		wake(c.inbox.wake)
	}
}

// attend sees to it that p, which the caller has queued, is worked off: at once and
// by the caller, if the turn is free, or else by the loop, which is woken.
func (c *core) turnForProposal(p *proposal) {
	if !c.turn.TryLock() {
		wake(c.queue.wake)
		return
	}
	more := false
	if !c.inTurn(func() { more = c.help(p) }) || more {
		wake(c.queue.wake)
	}
}

// help does what there is to do until p has its outcome, and reports whether there
// may be more. Once it has, the next write is the loop's: its sync must not hold up
// this answer.
func (c *core) help(p *proposal) bool {
	for range callerRounds {
		if len(p.done) > 0 && c.queue.len() > 0 {
			return true
		}
		if !c.advance(1) {
			return false
		}
	}
	return true
}
