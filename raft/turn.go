package raft

import (
	"fmt"

	"go.uber.org/zap"
)

// The core's work is done in turns, by one goroutine at a time. Most turns are those of the core's own goroutine. A
// goroutine that brings work and finds the turn free takes it: a lone write then goes from its caller to the disk and back
// without a switch between goroutines, each of which costs tens of microseconds.

// takeTurn waits for the turn and runs do in it. It reports whether the core may go on.
func (c *core) takeTurn(do func()) bool {
	c.turn.Lock()
	return c.inTurn(do)
}

// inTurn runs do in a turn that the caller has taken, and ends the turn. A panic ends this member instead of the process.
func (c *core) inTurn(do func()) (goOn bool) {
	defer func() {
		if r := recover(); r != nil {
			c.log.Error("the raft core panicked", zap.Any("panic", r), zap.Stack("stack"))
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

// panicError turns a panic into an error. Only the raft library can find that this member's data is damaged, and says so
// through its logger. Any other panic is no reason to discard the data.
func panicError(r any) error {
	if c, ok := r.(contradiction); ok {
		return fmt.Errorf("%w: %v", ErrBroken, c)
	}
	return fmt.Errorf("%w: %v", errPanic, r)
}

// callerRounds bounds the work of a goroutine that is not the core's: a write, its commit, and a check that nothing more
// is left.
const callerRounds = 3

// turnForInbox has the inbox handled after a peer's messages were put into it: by the calling goroutine if the turn is
// free, otherwise by the core's goroutine. Under load it is always the core's, because messages from several peers are
// then handled together.
func (c *core) turnForInbox() {
	if c.proposer.load.heavy.Load() || !c.turn.TryLock() {
		wake(c.inbox.wake)
		return
	}
	more := false
	if !c.inTurn(func() { more = c.advance(callerRounds) }) || more {
		wake(c.inbox.wake)
	}
}

// turnForProposal has a proposal handled after its caller has queued it: by the caller if the turn is free, otherwise by
// the core's goroutine.
func (c *core) turnForProposal(p *proposal) {
	if !c.turn.TryLock() {
		wake(c.queue.wake)
		return
	}
	more := false
	if !c.inTurn(func() { more = c.advanceFor(p) }) || more {
		wake(c.queue.wake)
	}
}

// advanceFor works until the proposal has its outcome, and reports whether more work may be left. The next write is then
// left to the core's goroutine: its sync must not delay the answer to this one.
func (c *core) advanceFor(p *proposal) (more bool) {
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
