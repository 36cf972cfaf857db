package client

import (
	"context"
	"io"
	"time"
)

// deadline ends an HTTP exchange that makes no progress. It has two limits: the time until the header of the answer is
// there, and the time between two pieces of the body. A limit of zero is none.
type deadline struct {
	ctx    context.Context // of the request; its cause is the error of the limit that was exceeded
	cancel context.CancelCauseFunc
	timer  *time.Timer // until the header is there; nil: no limit
}

// startDeadline starts the time until the header. exceeded becomes the error of the exchange when the time is over. The
// caller must call stop after the body has been read.
func startDeadline(ctx context.Context, limit time.Duration, exceeded error) *deadline {
	d := &deadline{}
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	if limit > 0 {
		d.timer = time.AfterFunc(limit, func() { d.cancel(exceeded) })
	}
	return d
}

// stop releases the timer and the context.
func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
	d.cancel(nil)
}

// body ends the time until the header, and returns the body with a limit for each of its pieces. Time in which nobody
// reads the body does not count. exceeded is the error of a read that exceeds the limit.
func (d *deadline) body(body io.ReadCloser, limit time.Duration, exceeded error) io.ReadCloser {
	if d.timer != nil {
		d.timer.Stop()
	}
	if limit == 0 {
		return body
	}
	timer := time.AfterFunc(limit, func() { d.cancel(exceeded) })
	timer.Stop()
	return &timedBody{ReadCloser: body, deadline: d, timer: timer, limit: limit}
}

// explain returns the error of the limit that was exceeded, or err if none was.
func (d *deadline) explain(err error) error {
	if cause := context.Cause(d.ctx); err != nil && err != io.EOF && cause != nil {
		return cause
	}
	return err
}

// timedBody is a body whose timer runs during each Read.
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
