package transport

import (
	"errors"
	"io"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// keepAlive is how often an idle stream says that it lives, by an empty frame.
const keepAlive = time.Second

var errEnded = errors.New("transport: the peer ended the stream")

// stream is the sending side of an open connection to a peer.
//
// Whoever brings messages writes them, without waiting: that spares a message the
// hand-over to another goroutine. What the kernel does not take is left to the
// stream's own goroutine, which may wait; until it is done, messages queue behind
// it in the outbox.
type stream struct {
	outbox *outbox
	conn   io.ReadWriteCloser
	direct *direct // nil where each write may wait

	// Of whoever holds the outbox's lock; while busy, taken, frames and rest are
	// the stream's goroutine's.
	busy   bool
	taken  []*raftpb.Message // room for messages to encode
	frames []byte            // room for encoded ones
	rest   []byte            // the end of frames that is not written yet
	wrote  time.Time         // when something last was
	err    error             // why the stream has ended
}

// open makes the connection the one by which messages leave.
func (o *outbox) open(conn io.ReadWriteCloser, d *direct) *stream {
	s := &stream{outbox: o, conn: conn, direct: d, wrote: time.Now()}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stream = s
	return s
}

// run writes what others have left, until the stream ends.
func (s *stream) run() error {
	var watching sync.WaitGroup
	watching.Go(s.watch)
	defer watching.Wait()
	defer func() { _ = s.conn.Close() }()
	idle := time.NewTimer(keepAlive)
	defer idle.Stop()
	for {
		if err := s.writeRest(); err != nil {
			return err
		}
		select {
		case <-s.outbox.wake:
		case <-idle.C:
			idle.Reset(s.breathe())
		}
	}
}

// watch waits for the end of the connection: nothing else comes from the peer.
func (s *stream) watch() {
	if _, err := s.conn.Read(make([]byte, 1)); err == nil || err == io.EOF {
		s.end(errEnded)
	} else {
		s.end(err)
	}
	_ = s.conn.Close() // a write that waits ends
	s.outbox.rouse()
}

// end notes why the stream has ended. The first reason is the reason.
func (s *stream) end(err error) {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// writeNow writes what waits, as far as that can be done without waiting. The
// outbox is locked.
func (s *stream) writeNow() {
	if s.busy {
		return // its goroutine comes back for more
	}
	if s.direct != nil && s.err == nil && len(s.rest) == 0 && s.outbox.few() {
		s.taken = s.outbox.take(s.taken[:0])
		s.writeTaken()
	}
	if len(s.rest) > 0 || len(s.outbox.waiting) > 0 || s.err != nil {
		s.outbox.rouse()
	}
}

func (s *stream) writeTaken() {
	if s.err = s.encode(); s.err != nil {
		return
	}
	n, err := s.direct.write(s.rest)
	s.rest, s.err = s.rest[n:], err
	if n > 0 {
		s.wrote = time.Now()
	}
	s.shrink()
}

// encode turns what was taken into the next bytes to write.
func (s *stream) encode() error {
	s.frames = s.frames[:0]
	for _, m := range s.taken {
		var size int
		var err error
		if s.frames, size, err = appendFrame(s.frames, m); err != nil {
			return err
		}
		s.outbox.sent(m, size)
	}
	clear(s.taken)
	s.rest = s.frames
	return nil
}

// shrink gives room back that was needed once.
func (s *stream) shrink() {
	if len(s.rest) == 0 && cap(s.frames) > maxKept {
		s.frames, s.rest = nil, nil
	}
}

// writeRest writes what is left, then what waits, and waits for the peer.
func (s *stream) writeRest() error {
	for s.claim() {
		var err error
		if len(s.rest) == 0 {
			err = s.encode()
		}
		if err == nil {
			_, err = s.conn.Write(s.rest)
		}
		s.release(err)
	}
	return s.reason()
}

// claim takes for the stream's goroutine what there is to write, if there is any.
func (s *stream) claim() bool {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	if s.err != nil {
		return false
	}
	if s.taken = s.taken[:0]; len(s.rest) == 0 {
		s.taken = s.outbox.take(s.taken)
	}
	s.busy = len(s.rest) > 0 || len(s.taken) > 0
	return s.busy
}

// release ends what claim began. What could not be written stays: it is lost.
func (s *stream) release(err error) {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	s.busy = false
	if err != nil {
		if s.err == nil {
			s.err = err
		}
		return
	}
	s.rest, s.wrote = nil, time.Now()
	s.shrink()
}

func (s *stream) reason() error {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	return s.err
}

// breathe leaves an empty frame to be written, if nothing was for a while, and
// says when to look again.
func (s *stream) breathe() time.Duration {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	if silent := time.Since(s.wrote); silent < keepAlive {
		return keepAlive - silent
	}
	if len(s.rest) == 0 && len(s.outbox.waiting) == 0 {
		s.frames = append(s.frames[:0], make([]byte, headSize)...)
		s.rest = s.frames
	}
	return keepAlive
}
