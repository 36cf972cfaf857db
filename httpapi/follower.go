package httpapi

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"pando/stats"
	"pando/tree"
)

// follower is a client that waits for events, with its connection, which has left
// net/http (see park). Its watcher tells when there is news, and a worker of the
// delivery then sends what there is. Until then it takes no goroutine but the one
// that listens for the client's end.
type follower struct {
	server  *Server
	conn    *conn
	watcher *tree.Watcher
	first   *tree.Event // taken from the watcher and not yet sent
	stream  bool        // all events are sent, not one
	chunked bool        // a client of HTTP/1.1; an older one reads up to the end
	keep    bool        // the connection may serve another request
	start   time.Time
	err     error // why the events end; nil for a long poll that got its own

	state atomic.Int32

	mu    sync.Mutex
	ahead []byte // what the client has sent ahead for the next request
	gone  bool   // the client has closed the connection, or sent too much ahead
	idle  bool   // a long poll is answered: the connection waits for the next request
}

// The states of a follower.
const (
	waiting int32 = iota // for news
	queued               // for a worker
	working              // somebody is at it, and nobody else may be
	again                // and news has come meanwhile
)

// progress is what a follower needs once the gathered is sent.
type progress int

const (
	upToDate progress = iota // nothing
	behind                   // another turn: there may be more
	answered                 // an end: a long poll has its event
	ended                    // an end: no more events will come
)

// begin has the follower wait for news, or told what is there already.
func (f *follower) begin() {
	f.state.Store(working)
	f.server.open.add(f)
	go f.listen()
	f.watcher.Notify(f.news)
	if f.first != nil {
		f.proceed(behind, nil)
	} else {
		f.proceed(upToDate, nil)
	}
}

// news has the delivery look at the follower, unless it will do so anyway.
func (f *follower) news() {
	for {
		switch f.state.Load() {
		case waiting:
			if f.state.CompareAndSwap(waiting, queued) {
				f.server.delivery.add(f)
				return
			}
		case working:
			if f.state.CompareAndSwap(working, again) {
				return
			}
		default:
			return
		}
	}
}

// gather appends the events that are there: one for a long poll, for a stream as
// many as a buffer should hold. A large event is not appended but given, to be sent
// behind them. A stream that falls off the history is told so by one more JSON object,
// for its headers are sent already.
func (f *follower) gather(out []byte) ([]byte, *tree.Event, progress) {
	event := f.first
	f.first = nil
	for {
		if event == nil {
			event, f.err = f.watcher.Poll()
		}
		switch {
		case f.err != nil:
			out, p := f.conclude(out)
			return out, nil, p
		case event == nil:
			return out, nil, upToDate
		case event.Large():
			return out, event, f.afterEvent()
		}
		out = f.appendJSON(out, f.server.events.JSON(event))
		event = nil
		if !f.stream {
			return f.finish(out), nil, answered
		}
		if len(out) >= maxPooled {
			return out, nil, behind
		}
	}
}

// afterEvent is what a follower needs once it has an event.
func (f *follower) afterEvent() progress {
	if f.stream {
		return behind
	}
	return answered
}

// conclude appends why there are no more events, if the client has to know.
func (f *follower) conclude(out []byte) ([]byte, progress) {
	var told *tree.Error
	if !errors.As(f.err, &told) {
		return out, ended
	}
	out = f.finish(f.appendJSON(out, told.AppendJSON(nil)))
	if f.stream {
		return out, ended
	}
	return out, answered
}

// appendJSON appends one object of the answer's body.
func (f *follower) appendJSON(out, json []byte) []byte {
	if !f.chunked {
		return append(out, json...)
	}
	out = strconv.AppendInt(out, int64(len(json)), 16)
	out = append(out, "\r\n"...)
	out = append(out, json...)
	return append(out, "\r\n"...)
}

// finish appends the end of the answer.
func (f *follower) finish(out []byte) []byte {
	if f.chunked {
		out = append(out, "0\r\n\r\n"...)
	}
	return out
}

// proceed goes on after the gathered was sent, or was not: err says why.
func (f *follower) proceed(p progress, err error) {
	if err != nil {
		f.err = errors.Join(f.err, err)
		p = ended
	}
	switch p {
	case upToDate:
		if f.state.CompareAndSwap(working, waiting) {
			return
		}
		fallthrough
	case behind:
		f.state.Store(queued)
		f.server.delivery.add(f)
	case answered:
		f.release()
	case ended:
		f.end()
	}
}

// observe counts the watch.
func (f *follower) observe(outcome stats.Outcome) {
	f.server.Metrics.Observe(stats.OpWatch, outcome, time.Since(f.start))
}

// outcome is how a watch ended that err ended, nil for one that was answered.
func (f *follower) outcome(err error) stats.Outcome {
	var e *tree.Error
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil:
		return stats.OK
	case errors.As(err, &e):
		return keyOutcome(e)
	case f.gone, errors.Is(err, errStalled):
		return stats.Canceled
	case errors.Is(err, tree.ErrWatcherClosed):
		return stats.Unavailable
	}
	return stats.Canceled // nothing can be written any more
}
