package stream

import (
	"bytes"
	"sync"
	"sync/atomic"

	"pando/httpapi/budget"
	"pando/tree"
)

// connStream is a Stream on a connection that was taken over from net/http. While it waits for an event it needs no
// goroutine but the one in readLoop.
type connStream struct {
	Stream
	conn      *conn
	keepAlive bool // the connection may serve further requests

	state atomic.Int32 // of sending; see the package comment

	mu        sync.Mutex
	pipelined []byte // what the client has sent of its next request
	gone      bool   // the client has closed the connection, or has sent too much
	idle      bool   // the response is complete: the connection waits for the next request
}

// The states of a connStream. Whoever moves it out of waiting queues it, and whoever moves it to sending owns it: only that
// goroutine polls the watcher and writes.
const (
	waiting      int32 = iota // for an event
	queued                    // for a worker
	sending                   // a goroutine collects and writes events
	sendingWoken              // likewise, and there were further events meanwhile
)

// start sends what is there already, and the rest when it comes.
func (s *connStream) start() {
	s.state.Store(sending)
	s.dispatcher.add(s)
	go s.readLoop()
	s.Watcher.Notify(s.wake)
	next := awaitEvent
	if s.First != nil {
		next = sendMore
	}
	s.afterWrite(next, nil)
}

// wake has a worker send the new events. If a goroutine sends already, that one will look for them. The watcher calls it.
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

// send collects a batch and writes what the connection takes without waiting. Another goroutine writes the rest. The buffer
// is w's, which keeps it for the next stream.
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
	room, ok := s.dispatcher.Budget.TryReserve(int64(len(rest)))
	if !ok {
		s.dispatcher.reportOverload(s.conn.RemoteAddr().String(), len(rest))
		s.afterWrite(next, budget.ErrExhausted)
		return
	}
	go s.sendSlowly(bytes.Clone(rest), room, large, next)
}

// sendSlowly writes the rest of a batch, whose bytes are reserved, and a large event behind it. It waits for the client.
func (s *connStream) sendSlowly(rest []byte, room budget.Reservation, large *tree.Event, next step) {
	err := s.write(rest)
	room.Release()
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

// afterWrite goes on when a batch is written, or when err has ended the writing. The caller no longer owns the stream.
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
		fallthrough // an event came meanwhile
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

// reportEnd reports the end of the watch. A client that goes away after the response is complete has got what it waited for.
func (s *connStream) reportEnd() {
	s.mu.Lock()
	gone := s.gone
	s.mu.Unlock()
	if gone && s.err != nil {
		s.fail(ErrClientGone)
	}
	s.ended()
}

// closeConn closes the connection and forgets the stream.
func (s *connStream) closeConn() {
	s.dispatcher.remove(s)
	s.conn.close()
}

// Close ends the watch, or closes the connection if it waits for the next request. The dispatcher calls it when it closes.
func (s *connStream) Close() {
	s.Watcher.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle {
		s.conn.close() // readLoop does the rest
	}
}
