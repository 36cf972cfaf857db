package rpc

import (
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pando/httpapi/budget"
)

// Memory bounds the memory of all connections of a server. A field that is nil stands for no limit.
type Memory struct {
	// Messages bounds messages of clients that are longer than the window of a stream. Each is reserved when it has begun to arrive, and
	// released when its handler has returned. Others wait for at most Config.MessageTimeout.
	Messages *budget.Bytes
	// Streams bounds what calls keep while they are open, with their headers, the parts of shorter messages, and shorter
	// responses that do not fit into the windows of the client. Each connection has freeBytes beside it. What finds no room is refused at
	// once.
	Streams *budget.Bytes
	// Responses bounds longer responses until they are sent. Others wait for at most Config.StallTimeout.
	Responses *budget.Bytes
}

const (
	// freeBytes is what each connection may keep without a reservation in Memory.Streams.
	freeBytes = 64 << 10
	// reservationStep is the least number of bytes by which the reservation of a connection grows.
	reservationStep = 64 << 10
	// callBytes and streamBytes are about the memory of an open call, and of an open stream with its goroutines. Their headers are added.
	callBytes, streamBytes = 1 << 10, 16 << 10
	// longResponse is the length of the shortest response that is reserved in Memory.Responses.
	longResponse = 64 << 10
	// longestWait is how long a message or a response waits for memory if the time has no limit in the Config.
	longestWait = 30 * time.Second
)

var (
	errNoMemory = status.Error(codes.ResourceExhausted,
		"pando: the open requests and streams of gRPC have all the memory of --max-grpc-bytes; try again later")
	errNoMemoryForMessage = status.Error(codes.ResourceExhausted,
		"pando: other long requests have all the memory of --max-inflight-bytes; try again later")
	errNoMemoryForResponse = status.Error(codes.ResourceExhausted,
		"pando: other responses of gRPC have all the memory of --max-grpc-bytes; a change may have been made all the same")
)

// held counts the bytes of a connection for Memory.Streams. conn.mu guards it.
type held struct {
	bytes    int
	reserved budget.Reservation // of what exceeds freeBytes
}

// grow counts n bytes. It returns false if there is no memory for them.
func (h *held) grow(b *budget.Bytes, n int) bool {
	missing := int64(h.bytes+n-freeBytes) - h.reserved.Bytes()
	if missing > 0 && !b.Extend(&h.reserved, max(missing, reservationStep)) {
		return false
	}
	h.bytes += n
	return true
}

// shrink counts n bytes less. A part of the reservation that is not used stays while the connection is busy, because the next calls may
// need it. A connection that needs little keeps none: there may be many, and others need the memory.
func (h *held) shrink(n int) {
	if h.bytes -= n; h.bytes <= freeBytes/2 {
		h.reserved.Release()
		return
	}
	if unused := h.reserved.Bytes() - int64(max(h.bytes-freeBytes, 0)); unused >= 4*reservationStep {
		h.reserved.Shrink(unused - reservationStep)
	}
}

// hold counts bytes that a stream keeps. It returns false if there is no memory for them. Callers must hold conn.mu.
func (s *stream) hold(n int) bool {
	c := s.conn
	if c.err != nil {
		return true // close has released everything
	}
	if !c.held.grow(c.server.cfg.Memory.Streams, n) {
		c.server.count(NoMemory)
		return false
	}
	s.held += n
	return true
}

// unhold counts bytes that a stream no longer keeps. Callers must hold conn.mu.
func (s *stream) unhold(n int) {
	if s.conn.err == nil {
		s.held -= n
		s.conn.held.shrink(n)
	}
}

// forget removes a stream that has ended, and whose handler does not run. Callers must hold mu.
func (c *conn) forget(s *stream) {
	delete(c.streams, s.id)
	s.unhold(s.held)
}

// awaitRoom waits while more than maxUnsent bytes of responses wait for the client, and until there is memory for the response of a call.
// It returns at the latest when the stream has ended. Callers must hold mu.
func (c *conn) awaitRoom(s *stream, size int) error {
	if c.unsent > maxUnsent {
		c.mu.Unlock()
		s.handOff() // the frames of the client that make room must be read
		c.mu.Lock()
		c.blockedCalls++
		for c.unsent > maxUnsent && !s.finished {
			c.written.Wait()
		}
		c.blockedCalls--
	}
	return s.reserveResponse(size)
}

// reserveResponse reserves memory for a response of size bytes before it is encoded. It waits for the memory. Callers must hold conn.mu,
// which is released meanwhile, and must look at finished afterwards.
func (s *stream) reserveResponse(size int) error {
	if size < longResponse || s.finished {
		return nil
	}
	c, responses := s.conn, s.conn.server.cfg.Memory.Responses
	if r, ok := responses.TryReserve(int64(size)); ok {
		s.responseMemory = r
		return nil
	}
	wait := c.server.cfg.StallTimeout
	if wait == 0 {
		wait = longestWait
	}
	if s.isUnary() {
		c.blockedCalls++
		defer func() { c.blockedCalls-- }() // with mu held again
	}
	c.mu.Unlock()
	if s.isUnary() {
		s.handOff()
	}
	c.server.waiting.Add(1)
	r, err := responses.ReserveContext(s.ctx, int64(size), wait)
	c.server.waiting.Add(-1)
	c.mu.Lock()
	switch {
	case s.finished:
		r.Release()
	case err != nil:
		c.server.count(NoMemory)
		return errNoMemoryForResponse
	default:
		s.responseMemory = r
	}
	return nil
}

// holdUnsent counts the rest of a response that waits for a window. If there is no memory for it, the stream ends. progress says whether a
// part of it was sent before. Callers must hold conn.mu.
func (s *stream) holdUnsent(progress pumpProgress) {
	if s.responseMemory.Bytes() > 0 {
		return
	}
	more := len(s.unsent) - s.unsentHeld
	switch {
	case more <= 0:
		s.unhold(-more)
	case !s.hold(more):
		s.conn.dropResponse(s, progress)
		return
	}
	s.unsentHeld += more
}

// releaseUnsent releases the memory of a response that was sent, or that is not sent any more. Callers must hold conn.mu.
func (s *stream) releaseUnsent() {
	s.responseMemory.Release()
	if s.unsentHeld > 0 {
		s.unhold(s.unsentHeld)
		s.unsentHeld = 0
	}
}

// dropResponse ends a stream for whose response there is no memory. Callers must hold mu.
func (c *conn) dropResponse(s *stream, progress pumpProgress) {
	if progress == partSent { // a status after a part of a message would be hidden by the error of the message
		c.appendReset(s.id, http2.ErrCodeEnhanceYourCalm)
		c.removeStream(s)
		return
	}
	c.countUnsent(s, -len(s.unsent))
	s.unsent = nil
	c.refuse(s, httpOK, errNoMemoryForResponse)
}
