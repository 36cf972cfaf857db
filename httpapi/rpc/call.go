package rpc

import (
	"context"
	"encoding/binary"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var errNoMessage = status.Error(codes.Internal, "the request has no message")

// streamError is an error of the client that ends a stream.
type streamError struct{ code http2.ErrCode }

// MayWait must be called by the handler of a call with one request before it waits for anything, with its context or one made from it.
// From then on another goroutine reads the connection. Further calls do nothing, and so do those with other contexts.
func MayWait(ctx context.Context) {
	if s, ok := ctx.Value(callKey{}).(*stream); ok {
		s.passOn()
	}
}

// passOn makes another goroutine read the connection. The goroutine that runs the handler must call it.
func (s *stream) passOn() {
	if s.passedOn {
		return
	}
	s.passedOn = true
	if s.request != nil {
		s.request = append([]byte(nil), s.request...) // it lies in the buffer of the Framer
	}
	s.conn.flush()
	s.conn.server.run(job{conn: s.conn})
}

// serveCall runs the handler of a call and sends its response. request is valid until the connection is read again. It returns true if
// another goroutine reads the connection.
func (s *stream) serveCall(request message) (passedOn bool) {
	s.request, s.compressed = request.body, request.compressed
	reply, err := s.head.method.Unary(s.ctx, s.decode)
	if err != nil {
		s.conn.finish(s, err)
	} else {
		s.conn.respond(s, reply)
	}
	s.call.end(context.Canceled)
	if s.passedOn {
		s.conn.flushSoon()
	}
	return s.passedOn
}

// decode decodes the request.
func (s *stream) decode(v any) error {
	request, err := message{s.request, s.compressed}.expand(s.conn.server.cfg.MaxMessageBytes)
	if s.request = nil; err != nil {
		return err
	}
	if err := unmarshal(request, v); err != nil {
		return status.Errorf(codes.Internal, "grpc: error unmarshalling request: %v", err)
	}
	return nil
}

// receive takes a frame with a part of a message, or several messages. passedOn says that another goroutine reads the connection.
func (s *stream) receive(f *http2.DataFrame) (passedOn bool, err error) {
	c := s.conn
	switch ignored, err := s.count(f); {
	case err != nil:
		c.resetStream(s.id, err.code)
		return false, nil
	case ignored:
		return false, nil
	}
	data := f.Data()
	if len(s.partial) > 0 {
		s.partial = append(s.partial, data...)
		data = s.partial
	}
	if s.head.method.Stream != nil {
		return false, s.receiveMessages(data, f.StreamEnded())
	}
	m, _, err := s.nextMessage(data)
	switch {
	case err != nil:
		c.mu.Lock()
		c.refuse(s, httpOK, err)
		c.mu.Unlock()
		return false, nil
	case m.body != nil:
		c.mu.Lock()
		s.running = true
		c.mu.Unlock()
		s.partial = nil
		return s.serveCall(m), nil
	case f.StreamEnded():
		c.mu.Lock()
		c.refuse(s, httpOK, errNoMessage)
		c.mu.Unlock()
		return false, nil
	}
	s.keepPartial(data)
	c.mu.Lock()
	s.giveWindow()
	c.mu.Unlock()
	return false, nil
}

// count counts the bytes of a frame, and notes whether more will follow. ignored says that the handler does not need the frame: it runs
// already, or has returned.
func (s *stream) count(f *http2.DataFrame) (ignored bool, err *streamError) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.ended && !s.finished {
		return false, &streamError{http2.ErrCodeStreamClosed}
	}
	if s.used += int(f.Length); s.used > streamWindow {
		return false, &streamError{http2.ErrCodeFlowControl}
	}
	if s.finished || s.answered || s.running && s.head.method.Unary != nil {
		s.ended = s.ended || f.StreamEnded()
		return true, nil
	}
	if s.head.method.Unary != nil {
		s.ended = f.StreamEnded()
	}
	return false, nil
}

// keepPartial keeps the beginning of a message.
func (s *stream) keepPartial(data []byte) {
	switch {
	case len(data) == 0:
		s.partial = nil
	case len(s.partial) == 0 || &data[0] != &s.partial[0]:
		s.partial = append([]byte(nil), data...)
	}
}

// giveWindow lets the client send again as many bytes as it has sent, except for those in the queue. A message that is not complete does
// not count: it may be longer than the window. Callers must hold conn.mu.
func (s *stream) giveWindow() {
	if free := s.used - s.waiting; !s.ended && free >= streamWindow/4 {
		s.used -= free
		s.conn.appendWindowUpdate(s.id, uint32(free))
	}
}

// nextMessage returns the first message in data and what follows it; without a body if the message is not complete. An empty body is not
// nil.
func (s *stream) nextMessage(data []byte) (first message, rest []byte, err error) {
	if len(data) < messageHead {
		return first, data, nil
	}
	size, compressed := int(binary.BigEndian.Uint32(data[1:])), false
	if data[0] != 0 {
		if err := s.head.checkCompression(data[0]); err != nil {
			return first, data, err
		}
		compressed = true
	}
	if limit := s.conn.server.cfg.MaxMessageBytes; size > limit {
		return first, data, status.Errorf(codes.ResourceExhausted, "grpc: received message larger than max (%d vs. %d)", size, limit)
	}
	if len(data) < messageHead+size {
		return first, data, nil
	}
	return message{data[messageHead : messageHead+size : messageHead+size], compressed}, data[messageHead+size:], nil
}
