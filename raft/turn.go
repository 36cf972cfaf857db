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
func (l *loop) takeTurn(do func()) bool {
	l.turn.Lock()
	return l.inTurn(do)
}

// inTurn does something in a turn that was taken, and ends it. A panic ends this
// member alone.
func (l *loop) inTurn(do func()) (goOn bool) {
	defer func() {
		if r := recover(); r != nil {
			l.log.Error("the raft loop panicked", zap.Any("panic", r), zap.Stack("stack"))
			l.failed = panicError(r)
		}
		goOn = l.failed == nil
		l.turn.Unlock()
	}()
	if l.failed == nil {
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
const helpRounds = 3

// attendInbox sees to it that what a peer has sent is worked off: by the goroutine
// that it came to, if the turn is free, or else by the loop. When batches are large
// it is always the loop: what comes from several peers is then handled together.
func (l *loop) attendInbox() {
	if l.crowded.Load() || !l.turn.TryLock() {
		wake(l.inbox.wake)
		return
	}
	more := false
	if !l.inTurn(func() { more = l.advance(helpRounds) }) || more {
		wake(l.inbox.wake)
	}
}

// attend sees to it that p, which the caller has queued, is worked off: at once and
// by the caller, if the turn is free, or else by the loop, which is woken.
func (l *loop) attend(p *proposal) {
	if !l.turn.TryLock() {
		wake(l.queue.wake)
		return
	}
	more := false
	if !l.inTurn(func() { more = l.help(p) }) || more {
		wake(l.queue.wake)
	}
}

// help does what there is to do until p has its outcome, and reports whether there
// may be more. Once it has, the next write is the loop's: its sync must not hold up
// this answer.
func (l *loop) help(p *proposal) bool {
	for range helpRounds {
		if len(p.done) > 0 && l.queue.len() > 0 {
			return true
		}
		if !l.advance(1) {
			return false
		}
	}
	return true
}
