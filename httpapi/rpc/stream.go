package rpc

import (
	"context"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// stream is a stream of HTTP/2: a call with one request, or a stream of gRPC. The handler of the latter gets it as its grpc.ServerStream.
type stream struct {
	conn *conn
	id   uint32
	head *head
	ctx  context.Context
	call callContext        // the context of a call with one request
	stop context.CancelFunc // ends the context of a stream

	// Only the goroutine that reads the connection may use the following field.
	partial []byte // the beginning of a message that is not complete

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
	trailers error     // the status that follows if answered is true; nil for success
	blocked  bool      // in conn.blocked

	// Of a stream:
	queue    []message     // messages that the handler has not received
	waiting  int           // the bytes of queue: the window does not grow by them yet
	failed   error         // what RecvMsg returns after the queue; nil without an error of the client
	signals  chan struct{} // has a value after a change for which RecvMsg waits
	writable chan struct{} // has a value after a change for which SendMsg waits
	deferred bool          // messages are not written before FlushWrites
}

func newStream(c *conn, id uint32, h *head) *stream {
	s := &stream{conn: c, id: id, head: h}
	if h.refused == nil && h.method.Unary != nil {
		s.call.Context, s.call.call, s.call.deadline = h.base, s, deadlineOf(h)
		s.ctx = &s.call
	}
	return s
}

// isCall reports whether this is a call with one request.
func (s *stream) isCall() bool { return s.head.method.Unary != nil }

// shrink moves the rest of a message to a smaller buffer if most of the message was sent. Callers must hold conn.mu.
func (s *stream) shrink() {
	if len(s.unsent) < s.buffered/2 {
		s.unsent = append([]byte(nil), s.unsent...)
		s.buffered = len(s.unsent)
	}
}

// begin makes the context of a stream. Callers must hold conn.mu.
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
	s.unsent, s.queue = nil, nil
	if s.conn.blockedCalls > 0 {
		s.conn.written.Broadcast() // for awaitRoom
	}
	if s.stop != nil {
		s.stop()
		return
	}
	s.call.end(context.Canceled)
}

// serve runs the handler of a stream.
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

// receiveMessages queues the messages in data for RecvMsg.
func (s *stream) receiveMessages(data []byte, ended bool) error {
	c := s.conn
	var messages []message
	bytes := 0
	for {
		next, rest, err := s.nextMessage(data)
		if err != nil {
			c.mu.Lock()
			s.failed = err
			s.signal()
			c.mu.Unlock()
			return nil
		}
		if next.body == nil {
			break
		}
		next.body = append([]byte{}, next.body...)
		messages = append(messages, next)
		bytes += messageHead + len(next.body)
		data = rest
	}
	c.mu.Lock()
	if !s.finished {
		s.queue = append(s.queue, messages...)
		s.waiting += bytes
		s.ended = s.ended || ended
		if ended && len(data) > 0 {
			s.failed = errIncomplete
		}
		s.signal()
	}
	s.giveWindow()
	c.mu.Unlock()
	s.keepPartial(data)
	return nil
}

// Context returns the context of the stream.
func (s *stream) Context() context.Context { return s.ctx }

// RecvMsg waits for the next message. It returns io.EOF when the client sends no more messages.
func (s *stream) RecvMsg(m any) error {
	for {
		next, err := s.take()
		if next.body != nil {
			body, err := next.expand(s.conn.server.cfg.MaxMessageBytes)
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
		s.queue = s.queue[1:]
		s.waiting -= messageHead + len(next.body)
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
	if s.finished {
		c.mu.Unlock()
		return status.FromContextError(context.Canceled).Err()
	}
	c.sendMessage(s, m, size)
	if s.deferred && len(c.out) < maxDeferred {
		c.mu.Unlock()
		return nil
	}
	c.mu.Unlock()
	c.flushSoon()
	return nil
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
