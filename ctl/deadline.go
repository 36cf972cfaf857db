package ctl

import (
	"context"
	"io"
	"time"
)

// bodyPatience is how long a member may pause in the middle of an answer. A whole answer may take as long as it needs.
const bodyPatience = 30 * time.Second

// deadline ends an HTTP exchange that makes no progress. It knows two limits: one for the time until the header of the
// answer is there, and one for the time between two pieces of the body.
type deadline struct {
	ctx    context.Context // of the request; its cause is the error of the limit that was exceeded
	cancel context.CancelCauseFunc
	timer  *time.Timer // until the header is there; nil: no limit
}

// startDeadline starts the time until the header. late is the error when it is over. The caller must call stop.
// In both limits zero means that there is none.
func startDeadline(ctx context.Context, limit time.Duration, late error) *deadline {
	d := &deadline{}
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	if limit > 0 {
		d.timer = time.AfterFunc(limit, func() { d.cancel(late) })
	}
	return d
}

// stop releases what the deadline holds. The body must have been read.
func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
	d.cancel(nil)
}

// body ends the time until the header and returns the body under a limit for each piece. late is the error of a read when
// that is over.
func (d *deadline) body(body io.ReadCloser, limit time.Duration, late error) io.ReadCloser {
	if d.timer != nil {
		d.timer.Stop()
	}
	if limit == 0 {
		return body
	}
	timer := time.AfterFunc(limit, func() { d.cancel(late) })
	timer.Stop()
	return &timedBody{ReadCloser: body, deadline: d, timer: timer, limit: limit}
}

// explain returns the error of the limit that was exceeded in place of what that did to the exchange.
func (d *deadline) explain(err error) error {
	if cause := context.Cause(d.ctx); err != nil && err != io.EOF && cause != nil {
		return cause
	}
	return err
}

// timedBody lets the timer run while it waits for the next piece.
type timedBody struct {
	io.ReadCloser
	deadline *deadline
	timer    *time.Timer
	limit    time.Duration
}

func (b *timedBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.limit)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	return n, b.deadline.explain(err)
}
