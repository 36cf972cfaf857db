package rpc

import (
	"context"
	"sync"
	"time"
)

// callContext is the context of a unary call. It makes its channel and its timer at the first call of Done: most calls need neither. Its
// methods may be called from any goroutine.
type callContext struct {
	context.Context // of the connection; has the values, and is never done
	call            *stream
	deadline        time.Time // zero if there is none

	mu    sync.Mutex
	done  chan struct{} // nil before the first call of Done
	err   error
	timer *time.Timer
}

// longestTimeout is the longest time limit that is applied. A call with a longer one has no deadline.
const longestTimeout = 10 * 365 * 24 * time.Hour

// deadlineOf returns the deadline of a request that has just arrived; zero if there is none.
func deadlineOf(h *head) time.Time {
	if h.timeout < 0 || h.timeout > longestTimeout {
		return time.Time{}
	}
	return time.Now().Add(h.timeout)
}

// Deadline returns the deadline that the client has sent.
func (c *callContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

// Done returns the channel that is closed at the deadline, when the client cancels the call, and when the call has ended.
func (c *callContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done != nil {
		return c.done
	}
	c.done = make(chan struct{})
	switch {
	case c.err != nil:
		close(c.done)
	case !c.deadline.IsZero():
		c.timer = time.AfterFunc(time.Until(c.deadline), func() { c.end(context.DeadlineExceeded) })
	}
	return c.done
}

// Err returns why the context is done, or nil if it is not.
func (c *callContext) Err() error {
	c.mu.Lock()
	err := c.err
	c.mu.Unlock()
	if err == nil && !c.deadline.IsZero() && !time.Now().Before(c.deadline) {
		c.end(context.DeadlineExceeded)
		return context.DeadlineExceeded
	}
	return err
}

// Value returns a value of the request.
func (c *callContext) Value(key any) any {
	if key == (callKey{}) {
		return c.call
	}
	return c.Context.Value(key)
}

// callKey is the key of the call in a callContext.
type callKey struct{}

// end ends the context, if it has not ended yet.
func (c *callContext) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	if c.done != nil {
		close(c.done)
	}
	if c.timer != nil {
		c.timer.Stop()
	}
}
