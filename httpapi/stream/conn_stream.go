package stream

import (
	"bytes"
	"sync"
	"sync/atomic"

	"pando/httpapi/budget"
	"pando/tree"
)

// connStream is a Stream on a connection that was taken over from net/http. While it waits for an event it needs no
// goroutine except that of readLoop.
type connStream struct {
	Stream
	conn     *conn
	reusable bool // the connection may serve further requests

	state atomic.Int32 // of sending; see the package comment

	mu        sync.Mutex
	pipelined []byte // what the client has sent of its next request
	gone      bool   // the client has closed the connection, or has sent too much
	idle      bool   // the response is complete: the connection waits for the next request
}

// The states of a connStream. The goroutine that changes waiting to queued must enqueue the stream. The goroutine that sets the
// state to sending owns the stream until afterWrite: no other goroutine may poll the watcher or write.
const (
	waiting      int32 = iota // for an event
	queued                    // for a worker
	sending                   // a goroutine collects and writes events
	sendingWoken              // like sending, and the watcher has called wake
)

// start begins to send events. The stream must be new.
func (s *connStream) start() {
	s.state.Store(sending)
	s.dispatcher.add(s)
	go s.readLoop()
	s.Watcher.Notify(s.wake)
	s.startTimers(s.wake)
	next := awaitEvent
	if s.First != nil || s.Layout != JSON {
		next = sendMore
	}
	s.afterWrite(next, nil)
}

// wake is called by the watcher when it has an event. It enqueues the stream, or makes the goroutine that is sending poll the watcher
// once more.
func (s *connStream) wake() {
	for {
		switch s.state.Load() {
		case waiting:
			if s.state.CompareAndSwap(waiting, queued) {
				s.dispatcher.enqueue(s)
				return
			}
		case sending:
			if s.state.CompareAndSwap(sending, sendingWoken) {
				return
			}
		default:
			return
		}
	}
}

// send collects a batch in the buffer of w, and writes what the connection takes without waiting. Another goroutine writes a copy of
// the rest.
func (s *connStream) send(w *worker) {
	s.state.Store(sending)
	batch, large, next := s.collect(w.buf[:0])
	w.buf = batch
	n, err := w.writer.write(s.conn, batch)
	rest := batch[n:]
	if err != nil || len(rest) == 0 && large == nil {
		s.afterWrite(next, err)
		return
	}
	reserved, ok := s.dispatcher.Budget.TryReserve(int64(len(rest)))
	if !ok {
		s.dispatcher.reportOverload(s.conn.RemoteAddr().String(), len(rest))
		s.afterWrite(next, budget.ErrExhausted)
		return
	}
	go s.sendSlowly(bytes.Clone(rest), reserved, large, next)
}

// sendSlowly writes the rest of a batch, whose bytes are reserved, and then the large event, if any. It waits for the client.
func (s *connStream) sendSlowly(rest []byte, reserved budget.Reservation, large *tree.Event, next step) {
	err := s.write(rest)
	reserved.Release()
	if err == nil && large != nil {
		err = s.sendLarge(large, s.write)
	}
	s.conn.clearWriteDeadline()
	s.afterWrite(next, err)
}

func (s *connStream) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_, err := s.conn.Write(b)
	return err
}

// afterWrite performs the next step after a batch is written. If err is not nil, writing has failed and the watch ends. The caller
// must own the stream, and no longer owns it afterwards.
func (s *connStream) afterWrite(next step, err error) {
	if err != nil {
		s.fail(err)
		next = abort
	}
	switch next {
	case awaitEvent:
		if s.state.CompareAndSwap(sending, waiting) {
			return
		}
		fallthrough // the state is sendingWoken
	case sendMore:
		s.state.Store(queued)
		s.dispatcher.enqueue(s)
	case finish:
		s.Watcher.Close()
		s.reportEnd()
		s.awaitRequest()
	case abort:
		s.Watcher.Close()
		s.reportEnd() // before readLoop finds the connection closed
		s.closeConn()
	}
}

// reportEnd reports the end of the watch. A client that goes away after a complete response is not counted as gone.
func (s *connStream) reportEnd() {
	s.mu.Lock()
	gone := s.gone
	s.mu.Unlock()
	if gone && s.err != nil {
		s.fail(ErrClientGone)
	}
	s.callEnded()
}

// closeConn closes the connection and removes the stream from the dispatcher.
func (s *connStream) closeConn() {
	s.dispatcher.remove(s)
	s.conn.close()
}

// Close ends the watch, and closes the connection if it waits for the next request. Dispatcher.Close calls it.
func (s *connStream) Close() {
	s.Watcher.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle {
		s.conn.close() // readLoop does the rest
	}
}
