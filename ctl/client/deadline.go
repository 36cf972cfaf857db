package client

import (
	"context"
	"io"
	"time"
)

// deadline cancels an HTTP exchange that makes no progress. It has two limits: the time until the header of the response
// arrives, and the time that a read of the body may wait. A limit of zero is no limit.
type deadline struct {
	ctx    context.Context // the context of the request; its cause is the error of the exceeded limit
	cancel context.CancelCauseFunc
	timer  *time.Timer // limits the time until the header; nil without a limit
}

// startDeadline starts the timer for the header. If the limit is exceeded, exceeded is the error of the exchange. The caller
// must call stop after it has read the body.
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

// limitBody stops the timer for the header, and returns a body whose reads have the limit. The time between two reads does
// not count. If the limit is exceeded, the read returns exceeded.
func (d *deadline) limitBody(body io.ReadCloser, limit time.Duration, exceeded error) io.ReadCloser {
	if d.timer != nil {
		d.timer.Stop()
	}
	if limit == 0 {
		return body
	}
	timer := time.AfterFunc(limit, func() { d.cancel(exceeded) })
	timer.Stop() // Read starts it
	return &timedBody{ReadCloser: body, deadline: d, timer: timer, limit: limit}
}

// explain returns the error of the exceeded limit, or err if no limit was exceeded.
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
