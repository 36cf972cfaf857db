package rpc

import (
	"errors"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A message that does not fit into one frame arrives in parts. If it is longer than streamWindow, the client gets the window for its rest
// when there is memory for the whole message. The time for a message is limited: see Config.MessageTimeout. Streams may be idle between two
// messages for ever.

const (
	// askBytes is the number of bytes of a long message that must have arrived before memory is reserved for the whole message.
	askBytes = 16 << 10
	// maxGrant is the largest window that a client gets at once.
	maxGrant = 1 << 30
	// clockSteps is the number of steps of Server.clock in Config.MessageTimeout.
	clockSteps = 4
)

var errSlowFrame = errors.New("rpc: the client has not sent the rest of a frame in time")

// upload is the message of a stream that is being received. conn.mu guards it.
type upload struct {
	length   int    // bytes that have arrived
	asked    bool   // the message is long, and memory for it is reserved or being reserved
	waiting  bool   // for memory
	granted  bool   // the memory is reserved in stream.messageMemory
	begun    uint32 // the value of Server.clock when the call or the message has begun
	withheld int    // bytes of the window that the client does not get back before granted
}

// receivePart counts the part of a message that has arrived so far. total is the length of the message, or 0 if it is not known yet.
// It returns an error if there is no memory. Callers must hold conn.mu.
func (s *stream) receivePart(length, total int) error {
	u := &s.upload
	if u.length == 0 && !s.isUnary() {
		u.begun = s.conn.server.clock.Load()
	}
	if !u.granted && !s.hold(length-u.length) {
		return errNoMemory
	}
	u.length = length
	if u.granted || total > 0 && total <= streamWindow {
		u.withheld = 0
		return nil
	}
	u.withheld = length
	if length >= askBytes && !u.asked {
		s.reserveMessage(total)
	}
	return nil
}

// endPart ends the receiving of a message: it is complete, or the stream fails. Callers must hold conn.mu.
func (s *stream) endPart() {
	if s.upload.length > 0 {
		if !s.upload.granted {
			s.unhold(s.upload.length)
		}
		s.upload = upload{}
	}
}

// reserveMessage reserves memory for a long message. While there is none, the client gets no window for the rest. Callers must hold
// conn.mu.
func (s *stream) reserveMessage(total int) {
	c, messages := s.conn, s.conn.server.cfg.Memory.Messages
	s.upload.asked = true
	if r, ok := messages.TryReserve(int64(total)); ok {
		s.messageMemory = r
		s.grant(total)
		return
	}
	wait := c.server.cfg.MessageTimeout
	if wait == 0 {
		wait = longestWait
	}
	s.upload.waiting = true
	go func() {
		r, err := messages.ReserveContext(s.ctx, int64(total), wait)
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case !s.upload.waiting: // the stream has ended
			r.Release()
		case err != nil:
			c.server.count(NoMemoryForMessage)
			s.failUpload(errNoMemoryForMessage)
		default:
			s.messageMemory = r
			s.grant(total)
		}
		c.flushLocked()
	}()
}

// grant gives the client the window for the whole message. Callers must hold conn.mu.
func (s *stream) grant(total int) {
	s.unhold(s.upload.length)
	s.upload.waiting, s.upload.granted, s.upload.withheld, s.upload.begun = false, true, 0, s.conn.server.clock.Load()
	window := min(total, maxGrant)
	s.used -= window
	s.conn.appendWindowUpdate(s.id, uint32(window))
}

// failUpload ends a call whose message is not complete, or lets RecvMsg of a streaming call return the error. Callers must hold conn.mu.
func (s *stream) failUpload(err error) {
	if s.isUnary() {
		s.conn.refuse(s, httpOK, err)
		return
	}
	s.failed = err
	s.endPart()
	s.messageMemory.Release()
	s.signal()
}

// startClock starts the clock that ends slow messages. It runs until the server has stopped.
func (s *Server) startClock() {
	if s.cfg.MessageTimeout > 0 {
		s.clockTimer = time.AfterFunc(s.cfg.MessageTimeout/clockSteps, s.endSlow)
	}
}

// endSlow advances the clock, and ends the calls whose message takes too long.
func (s *Server) endSlow() {
	now := s.clock.Add(1)
	s.mu.Lock()
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.endSlow(now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.empty:
	default:
		s.clockTimer.Reset(s.cfg.MessageTimeout / clockSteps)
	}
}

// endSlow ends the calls whose message takes too long. If a frame does, it closes the connection.
func (c *conn) endSlow(now uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if begun := c.frameBegun.Load(); begun != 0 && now-begun > clockSteps {
		c.server.count(SlowMessage)
		go c.failSlowFrame()
		return
	}
	slow := false
	for _, s := range c.streams {
		if s.receiving() && now-s.upload.begun > clockSteps {
			slow = true
			c.server.count(SlowMessage)
			s.failUpload(status.Errorf(codes.DeadlineExceeded,
				"pando: the client took longer than %v to send a message", c.server.cfg.MessageTimeout))
		}
	}
	if slow {
		go c.flush() // may wait for the client
	}
}

// receiving reports whether the server waits for the rest of a message. Callers must hold conn.mu.
func (s *stream) receiving() bool {
	if s.finished || s.answered || s.upload.waiting {
		return false
	}
	return s.upload.length > 0 || s.isUnary() && !s.running
}

func (c *conn) failSlowFrame() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.writeGoAway(http2.ErrCodeEnhanceYourCalm, "slow_frame")
		c.close(errSlowFrame)
	}
}
