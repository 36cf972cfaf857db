package stream

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"pando/httpapi/budget"
)

// responseStream is a Stream that the request's handler writes to its ResponseWriter. It is used where the connection can't be
// taken over, because other requests share it (HTTP/2). It needs the handler's goroutine for as long as the client waits.
//
// Over HTTP/1 it is used for a long poll whose event has already happened, and if middleware hides http.Hijacker. Middleware should
// not do that: on a connection of Listen net/http does not notice that the client is gone, so its watch ends only with the next event.
type responseStream struct {
	Stream
	w      http.ResponseWriter
	client string        // its address
	woken  chan struct{} // has an element when the watcher may have events; nil before the first wait
	// shared is true if other requests share the connection. Then setDeadline sets the deadlines of this response. Otherwise the
	// deadlines of Listen apply.
	shared   bool
	deadline time.Time // of writes; zero for none
}

// serveResponse sends the events of a watch until it ends. It returns http.ErrAbortHandler if the response is incomplete.
func (d *Dispatcher) serveResponse(w http.ResponseWriter, r *http.Request, watch Watch) error {
	s := &responseStream{
		Stream: Stream{Watch: watch, dispatcher: d, framing: Raw},
		w:      w, client: r.RemoteAddr, shared: r.ProtoMajor > 1,
	}
	defer watch.Watcher.Close()
	d.add(watch.Watcher)
	defer d.remove(watch.Watcher)
	next := s.run(r.Context().Done())
	s.callEnded()
	if next == abort {
		return http.ErrAbortHandler
	}
	return nil
}

// run collects and writes batches until the watch ends or the client is gone. It returns finish or abort.
func (s *responseStream) run(gone <-chan struct{}) step {
	for {
		next, err := s.send()
		if err == nil && next == awaitEvent {
			err = s.await(gone)
		}
		if err != nil {
			s.fail(err)
			return abort
		}
		if next == finish || next == abort {
			return next
		}
	}
}

// await waits until the watcher has an event, or an error.
func (s *responseStream) await(gone <-chan struct{}) error {
	if s.woken == nil {
		s.woken = make(chan struct{}, 1)
		s.Watcher.Notify(s.wake)
		s.startTimers(s.wake)
	}
	select {
	case <-s.woken:
		return nil
	case <-gone:
		return ErrClientGone
	}
}

// wake ends await. The watcher calls it.
func (s *responseStream) wake() {
	select {
	case s.woken <- struct{}{}:
	default: // await has not received the last one yet
	}
}

// smallBatch is the size up to which a batch is written without a reservation: it fits into the buffers of net/http.
const smallBatch = 4 << 10

// send collects and writes one batch.
func (s *responseStream) send() (step, error) {
	p := buffers.Get().(*[]byte)
	batch, large, next := s.collect((*p)[:0])
	defer func() { putBuffer(p, batch) }()
	if len(batch) == 0 && large == nil {
		return next, nil
	}
	if len(batch) > smallBatch {
		reserved, ok := s.dispatcher.Budget.TryReserve(int64(len(batch)))
		if !ok {
			s.dispatcher.reportOverload(s.client, len(batch))
			return next, budget.ErrExhausted
		}
		defer reserved.Release()
	}
	err := s.write(batch)
	if err == nil && large != nil {
		err = s.sendLarge(large, s.write)
	}
	if err == nil && next != finish { // after finish net/http flushes, with the end of the body
		err = s.flush()
	}
	s.setDeadline(time.Time{})
	return next, err
}

// maxWrite is the number of bytes that the client must read within StallTimeout.
const maxWrite = 64 << 10

// write writes in pieces, each with a deadline of its own.
func (s *responseStream) write(b []byte) error {
	for len(b) > 0 {
		s.setDeadline(time.Now().Add(s.dispatcher.StallTimeout))
		n, err := s.w.Write(b[:min(len(b), maxWrite)])
		if err != nil {
			return s.writeError(err, len(b)-n)
		}
		b = b[n:]
	}
	return nil
}

func (s *responseStream) flush() error {
	if err := http.NewResponseController(s.w).Flush(); err != nil {
		return s.writeError(err, 0)
	}
	return nil
}

// setDeadline sets the deadline of writes on a shared connection.
func (s *responseStream) setDeadline(t time.Time) {
	if s.shared && !(t.IsZero() && s.deadline.IsZero()) {
		s.deadline = t
		_ = http.NewResponseController(s.w).SetWriteDeadline(t) // an error means that the connection is closed
	}
}

// writeError turns an error of writing into ErrStalled if it came from the deadline. At the deadline net/http resets the stream of
// HTTP/2. A write then fails with os.ErrDeadlineExceeded, or with an error that does not say why.
func (s *responseStream) writeError(err error, unsent int) error {
	expired := !s.deadline.IsZero() && !time.Now().Before(s.deadline)
	if !expired && !(s.shared && errors.Is(err, os.ErrDeadlineExceeded)) {
		return err
	}
	stalled := StallPolicy{Timeout: s.dispatcher.StallTimeout, Metrics: s.dispatcher.Metrics, Logger: s.dispatcher.Logger}
	stalled.report(s.client, unsent)
	return fmt.Errorf("%w for %v: %w", ErrStalled, stalled.Timeout, err)
}
