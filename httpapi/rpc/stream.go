package rpc

import (
	"bytes"
	"context"
	"io"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"pando/httpapi/budget"
)

// stream is a stream of HTTP/2: a unary call or a streaming call of gRPC. The handler of the latter gets it as its grpc.ServerStream.
type stream struct {
	conn *conn
	id   uint32
	head *head
	ctx  context.Context
	call callContext        // the context of a unary call
	stop context.CancelFunc // ends the context of a streaming call

	// Only the goroutine that reads the connection may use the following field.
	partial []byte // the beginning of a message that is not complete
	whole   bool   // partial gets the memory of the whole message

	// Only the goroutine that runs the handler of a call may use the following fields.
	request    []byte // not decoded yet
	compressed bool   // the request is compressed
	handedOff  bool   // another goroutine reads the connection

	// conn.mu guards the rest.
	window   int64     // bytes that may be sent
	used     int       // bytes of the window of the server that the client has used
	ended    bool      // the client has ended its side of the stream
	answered bool      // the status of the call is known
	finished bool      // nothing will be sent any more
	running  bool      // the handler runs
	headSent bool      // the headers of the response were appended
	unsent   []byte    // the rest of a message that waits for the window
	buffered int       // the size of the buffer that contains unsent
	since    time.Time // when a part of unsent was last sent; see noteBlocked
	upload   upload    // the message that is being received
	held     int       // bytes of this stream in conn.held
	// unsentHeld is the part of held that is for unsent.
	unsentHeld int
	trailers   error // the status that follows if answered is true; nil for success
	blocked    bool  // in conn.blocked

	messageMemory  budget.Reservation // of a long request; of a streaming call, of the message that is being received
	responseMemory budget.Reservation // of a long response

	// Of a streaming call:
	queue    []message     // messages that the handler has not received
	waiting  int           // the bytes of queue: the window does not grow by them yet
	failed   error         // what RecvMsg returns after the queue; nil without an error of the client
	signals  chan struct{} // has a value after a change for which RecvMsg waits
	writable chan struct{} // has a value after a change for which SendMsg waits
	deferred bool          // messages are not written before FlushWrites
}

func newStream(c *conn, id uint32, h *head) *stream {
	s := &stream{conn: c, id: id, head: h}
	s.upload.begun = c.server.clock.Load()
	if h.refused == nil && h.method.Unary != nil {
		s.call.Context, s.call.call, s.call.deadline = h.base, s, deadlineOf(h)
		s.ctx = &s.call
	}
	return s
}

// isUnary reports whether this is a unary call.
func (s *stream) isUnary() bool { return s.head.method.Unary != nil }

// shrink moves the rest of a message to a smaller buffer if most of the message was sent. Callers must hold conn.mu.
func (s *stream) shrink() {
	if len(s.unsent) < s.buffered/2 {
		s.unsent = append([]byte(nil), s.unsent...)
		s.buffered = len(s.unsent)
	}
}

// begin makes the context of a streaming call. Callers must hold conn.mu.
func (s *stream) begin() {
	s.running = true
	s.signals, s.writable = make(chan struct{}, 1), make(chan struct{}, 1)
	if deadline := deadlineOf(s.head); !deadline.IsZero() {
		s.ctx, s.stop = context.WithDeadline(s.head.base, deadline)
	} else {
		s.ctx, s.stop = context.WithCancel(s.head.base)
	}
}

// end ends the context after the client has gone, or after everything was sent. Callers must hold conn.mu.
func (s *stream) end() {
	s.finished = true
	s.conn.countUnsent(s, -len(s.unsent))
	s.releaseMemory()
	if s.conn.blockedCalls > 0 {
		s.conn.written.Broadcast() // for awaitRoom
	}
	if s.stop != nil {
		s.stop()
		return
	}
	s.call.end(context.Canceled)
}

// releaseMemory releases what a stream that has ended keeps: its messages and its response. Callers must hold conn.mu.
func (s *stream) releaseMemory() {
	s.endPart()
	for i := range s.queue {
		s.unhold(s.queue[i].held())
		s.queue[i].memory.Release()
	}
	s.unsent, s.queue = nil, nil
	s.releaseUnsent()
	if !s.running || !s.isUnary() {
		s.messageMemory.Release()
	}
}

// serve runs the handler of a streaming call.
func (s *stream) serve() {
	err := s.head.method.Stream(s)
	s.conn.finish(s, err)
	s.stop()
	s.conn.flushSoon()
}

// signal wakes RecvMsg. Callers must hold conn.mu.
func (s *stream) signal() { notify(s.signals) }

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

var errIncomplete = status.Error(codes.Internal, "the last message of the stream is not complete")

// receiveMessages queues the messages in data for RecvMsg. flags are those of the DATA frame.
func (s *stream) receiveMessages(data []byte, flags http2.Flags) error {
	ended := flags.Has(http2.FlagDataEndStream)
	c := s.conn
	var messages []message
	for {
		next, rest, err := s.nextMessage(data)
		if err != nil {
			s.partial = nil
			c.mu.Lock()
			s.failUpload(err)
			c.mu.Unlock()
			return nil
		}
		if next.body == nil {
			break
		}
		if s.whole {
			s.partial, s.whole = nil, false // the message has the buffer
		} else {
			next.body = append([]byte{}, next.body...)
		}
		messages = append(messages, next)
		data = rest
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.finished {
		err := s.enqueue(messages)
		s.ended = s.ended || ended
		switch {
		case err == nil && ended && len(data) > 0:
			err = errIncomplete
		case err == nil && len(data) > 0:
			err = s.receivePart(len(data), lengthOf(data))
		}
		if err != nil {
			s.failUpload(err)
			data = nil
		}
		s.signal()
	}
	s.giveWindow()
	s.keepPartial(data)
	return nil
}

// enqueue queues messages for RecvMsg. Callers must hold conn.mu.
func (s *stream) enqueue(messages []message) error {
	for i, m := range messages {
		if i == 0 {
			m.memory, s.messageMemory = s.messageMemory, budget.Reservation{}
			s.endPart()
		}
		if !s.hold(m.held()) {
			m.memory.Release()
			return errNoMemory
		}
		s.queue = append(s.queue, m)
		s.waiting += messageHead + len(m.body)
	}
	return nil
}

// Context returns the context of the stream.
func (s *stream) Context() context.Context { return s.ctx }

// RecvMsg waits for the next message. It returns io.EOF when the client sends no more messages.
func (s *stream) RecvMsg(m any) error {
	for {
		next, err := s.take()
		if next.body != nil {
			defer next.memory.Release()
			body, err := next.expand(s.conn.server)
			if err != nil {
				return err
			}
			if err := unmarshal(body, m); err != nil {
				return status.Errorf(codes.Internal, "grpc: failed to unmarshal the received message: %v", err)
			}
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-s.signals:
		case <-s.ctx.Done():
			return status.FromContextError(s.ctx.Err()).Err()
		}
	}
}

// take returns the next message. The body of a message is not nil, even if the message is empty. If there is no message, the body is nil.
func (s *stream) take() (next message, err error) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case s.finished:
		return next, status.FromContextError(context.Canceled).Err()
	case len(s.queue) > 0:
		next = s.queue[0]
		s.queue[0] = message{} // the array keeps no body
		s.queue = s.queue[1:]
		s.waiting -= messageHead + len(next.body)
		s.unhold(next.held())
		if s.giveWindow(); len(c.out) > 0 && !s.deferred {
			c.flushLocked()
		}
		return next, nil
	case s.failed != nil:
		return next, s.failed
	case s.ended:
		return next, io.EOF
	}
	return next, nil
}

// SendMsg sends a message. It waits while the message before it waits for the window of the client, and while the output is full.
func (s *stream) SendMsg(m any) error {
	size, err := sizeOf(m)
	if err != nil {
		return err
	}
	if err := s.lockWritable(messageHead + size); err != nil {
		return err
	}
	s.conn.sendMessage(s, m, size)
	s.unlockWritable()
	return nil
}

// SendMessages sends several messages in their wire form, each with its head: see AppendMessageHead. Up to MaxBatch bytes are sent in one
// frame. SendMessages waits as SendMsg does. It does not keep b.
func (s *stream) SendMessages(b []byte) error {
	if err := s.lockWritable(len(b)); err != nil {
		return err
	}
	c := s.conn
	c.sendHead(s)
	s.unsent, s.buffered = b, len(b)
	c.pump(s)
	if len(s.unsent) > 0 && s.buffered == len(b) { // otherwise the rest is in a smaller buffer already
		s.unsent = bytes.Clone(s.unsent)
		s.buffered = len(s.unsent)
	}
	s.unlockWritable()
	return nil
}

// lockWritable waits until the next message, of size bytes, may be appended to the output. It returns with conn.mu held, or with an error
// without it.
func (s *stream) lockWritable(size int) error {
	c := s.conn
	c.mu.Lock()
	for !s.finished && (len(s.unsent) > 0 || len(c.out) >= maxOutput) {
		c.block(s)
		c.flushLocked()
		c.mu.Unlock()
		select {
		case <-s.writable:
		case <-s.ctx.Done():
			return status.FromContextError(s.ctx.Err()).Err()
		}
		c.mu.Lock()
	}
	err := s.reserveResponse(size)
	if err == nil && s.finished {
		err = status.FromContextError(context.Canceled).Err()
	}
	if err != nil {
		c.mu.Unlock()
	}
	return err
}

// unlockWritable unlocks conn.mu and writes the output, unless writes are deferred.
func (s *stream) unlockWritable() {
	c := s.conn
	wait := s.deferred && len(c.out) < maxDeferred
	c.mu.Unlock()
	if !wait {
		c.flushSoon()
	}
}

// DeferWrites lets SendMsg append messages to the output without writing them. FlushWrites ends that. More than maxDeferred bytes are
// written before it.
func (s *stream) DeferWrites() {
	s.conn.mu.Lock()
	s.deferred = true
	s.conn.mu.Unlock()
}

// FlushWrites writes the messages since DeferWrites. SendMsg writes again afterwards.
func (s *stream) FlushWrites() {
	s.conn.mu.Lock()
	s.deferred = false
	s.conn.mu.Unlock()
	s.conn.flush()
}

// SetHeader does nothing, and so do SendHeader and SetTrailer: no method sends metadata.
func (s *stream) SetHeader(metadata.MD) error { return nil }

// SendHeader is described at SetHeader.
func (s *stream) SendHeader(metadata.MD) error { return nil }

// SetTrailer is described at SetHeader.
func (s *stream) SetTrailer(metadata.MD) {}
