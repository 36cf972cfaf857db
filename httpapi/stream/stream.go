package stream

import (
	"errors"
	"fmt"
	"time"

	"pando/tree"
)

// Watcher is a cursor on the events of the tree, as *tree.Watcher is.
type Watcher interface {
	// Poll returns the next event, or nil if there is none yet. An error ends the watch: a *tree.Error is sent to the
	// client, as when the history no longer holds the next event.
	Poll() (*tree.Event, error)
	// Notify registers wake. The Watcher calls wake when it has an event or an error after Poll returned nil, or at once if it
	// has one already. It may also call wake when Poll still returns nil. wake must not block and must not call the Watcher.
	Notify(wake func())
	// Close ends the watch: Poll returns tree.ErrWatcherClosed from now on.
	Close()
}

// Mode is the kind of a watch: how many events its response has.
type Mode uint8

// The modes of a watch.
const (
	// LongPoll responses have one event.
	LongPoll Mode = iota
	// Continuous responses have all events until the client closes the connection.
	Continuous
)

// Watch is the watch of one request.
type Watch struct {
	// Watcher returns the events. The Dispatcher closes it.
	Watcher Watcher
	// First was polled from Watcher before and is not sent yet. It may be nil.
	First *tree.Event
	Mode  Mode
	// Layout is the text around each event.
	Layout Layout
	// KeysOnly leaves the values out of the events.
	KeysOnly bool
	// After is the ID after which the events begin. Only ServerSentEvents uses it.
	After EventID
	// Cleared, unless nil, is sent before the first event of ServerSentEvents: events before After were lost.
	Cleared *tree.Error
	// Heartbeat is the time after which something is sent if there was no event. 0 means never.
	Heartbeat time.Duration
	// Timeout is the time after Start at which the response ends without an event. 0 means never. In a Continuous watch events may
	// come before.
	Timeout time.Duration
	// Start is when the request arrived.
	Start time.Time
}

// The errors that end a watch without an event or a *tree.Error in its response.
var (
	// ErrClientGone means that the client closed the connection, or that nothing can be written to it.
	ErrClientGone = errors.New("stream: the client is gone")
	// ErrStalled means that the client was cut off because it did not read for the stall timeout.
	ErrStalled = errors.New("stream: the client does not read")
	// ErrClosed means that the Dispatcher was closed.
	ErrClosed = errors.New("stream: the dispatcher is closed")
)

// Stream is the response to one watch. It collects events and frames them. A connStream or a responseStream contains it and writes
// to the client. One goroutine at a time may use it.
type Stream struct {
	Watch
	dispatcher *Dispatcher
	framing    Framing
	opened     bool    // the text before the first event was collected
	lastID     uint64  // the index of the last ID of ServerSentEvents in what was collected
	timers     *timers // nil unless the client asked for one
	err        error   // the reason why the watch ended; nil after the event of a long poll, and after Timeout
}

// step is what a Stream does after its batch is written.
type step uint8

const (
	awaitEvent step = iota // the watcher has no more events now
	sendMore               // the watcher may have more events
	finish                 // the body is complete
	abort                  // the watch ended and the body is incomplete: the client must see the connection break
)

// maxBatch is the number of bytes after which a batch gets no more events.
const maxBatch = 128 << 10

// collect appends a batch of available events to out until the batch has maxBatch bytes. A long poll gets one event, and its parts before.
// collect returns a large event instead of appending it; callers must write it after the batch, with sendLarge. A *tree.Error of the
// watcher is appended as the last JSON object, because the header is already sent.
func (s *Stream) collect(out []byte) (batch []byte, large *tree.Event, next step) {
	event := s.First
	s.First = nil
	out = s.appendOpening(out)
	for {
		var announced uint64
		if s.Layout == ServerSentEvents {
			announced = s.dispatcher.Announced() // before Poll
		}
		if event == nil {
			event, s.err = s.Watcher.Poll()
		}
		switch {
		case s.err != nil:
			batch, next = s.appendError(out)
			return batch, nil, next
		case event == nil && s.isOver():
			return s.appendEnd(out, announced), nil, finish
		case event == nil:
			return s.appendHeartbeat(out, announced), nil, awaitEvent
		}
		s.lastID = event.Index()
		if s.isLarge(event) {
			next = sendMore
			if s.isLast(event) {
				next = finish
			}
			return out, event, next
		}
		out = s.appendObject(out, s.json(event), idOf(event), "")
		if s.isLast(event) {
			return s.framing.Close(out), nil, finish
		}
		event = nil
		if len(out) >= maxBatch {
			return out, nil, sendMore
		}
	}
}

// isLast reports whether the response ends after an event: that of a long poll, which comes after its parts.
func (s *Stream) isLast(e *tree.Event) bool { return s.Mode == LongPoll && e.Part() == 0 }

// isLarge reports whether an event must be written with sendLarge. Without its values no event is large.
func (s *Stream) isLarge(e *tree.Event) bool { return !s.KeysOnly && e.Large() }

// json returns the JSON of an event that is not large. Callers must not change it.
func (s *Stream) json(e *tree.Event) []byte {
	if s.KeysOnly {
		return e.AppendKeys(nil)
	}
	return s.dispatcher.EventCache.JSON(e)
}

// appendError appends the watcher's error if it is a *tree.Error.
func (s *Stream) appendError(out []byte) ([]byte, step) {
	e, ok := errors.AsType[*tree.Error](s.err)
	if !ok {
		return out, abort
	}
	name, id := nameFailed, EventID{}
	if e.Code == tree.CodeHistoryCleared || e.Code == tree.CodeWatcherCleared {
		name, id.Index = nameCleared, e.Index
	}
	return s.framing.Close(s.appendObject(out, e.AppendJSON(nil), id, name)), finish
}

// appendOpening appends the text before the first event.
func (s *Stream) appendOpening(out []byte) []byte {
	if s.opened || s.Layout == JSON {
		return out
	}
	s.opened, s.lastID = true, s.After.Index
	out = s.appendText(out, s.Layout.appendOpening(nil, s.After))
	if s.Cleared != nil {
		out = s.appendObject(out, s.Cleared.AppendJSON(nil), s.After, nameCleared)
	}
	return out
}

// appendText appends text that is not an event.
func (s *Stream) appendText(out, text []byte) []byte {
	out = append(s.framing.Begin(out, len(text)), text...)
	return s.framing.End(out)
}

// appendObject appends one JSON object of the body. id and name are those of Layout.appendHeader.
func (s *Stream) appendObject(out, json []byte, id EventID, name string) []byte {
	var space [maxHeader]byte
	header, trailer := s.Layout.appendHeader(space[:0], id, name), s.Layout.trailer()
	out = s.framing.Begin(out, len(header)+len(json)+len(trailer))
	out = append(append(append(out, header...), json...), trailer...)
	return s.framing.End(out)
}

// maxHeader is the size of the largest text before an object.
const maxHeader = 64

// fail adds an error to err.
func (s *Stream) fail(err error) { s.err = errors.Join(s.err, err) }

// callEnded reports the end of the watch to the owner of the dispatcher.
func (s *Stream) callEnded() {
	s.stopTimers()
	s.dispatcher.Ended(time.Since(s.Start), resultOf(s.err))
}

// resultOf returns the argument of Config.Ended for the errors of a stream.
func resultOf(err error) error {
	if err == nil {
		return nil
	}
	if sent, ok := errors.AsType[*tree.Error](err); ok {
		return sent
	}
	switch {
	case errors.Is(err, ErrClientGone): // err may also contain ErrWatcherClosed
		return ErrClientGone
	case errors.Is(err, ErrStalled):
		return ErrStalled
	case errors.Is(err, tree.ErrWatcherClosed):
		return ErrClosed
	}
	return fmt.Errorf("%w: %w", ErrClientGone, err)
}
