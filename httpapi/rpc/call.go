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

// MayWait lets another goroutine read the connection, so that the caller may wait. The handler of a unary call must call it before it
// waits for anything. ctx is the context of the handler or derived from it; with any other context, MayWait does nothing. Further calls
// do nothing.
func MayWait(ctx context.Context) {
	if s, ok := ctx.Value(callKey{}).(*stream); ok {
		s.handOff()
	}
}

// handOff makes another goroutine read the connection. The goroutine that runs the handler must call it.
func (s *stream) handOff() {
	if s.handedOff {
		return
	}
	s.handedOff = true
	if s.request != nil {
		s.request = append([]byte(nil), s.request...) // the next frame overwrites the buffer of the Framer
	}
	s.conn.flush()
	s.conn.server.run(job{conn: s.conn})
}

// serveCall runs the handler of a call and sends its response. request is valid until the connection is read again. It returns true if
// another goroutine reads the connection.
func (s *stream) serveCall(request message) (handedOff bool) {
	s.request, s.compressed = request.body, request.compressed
	reply, err := s.head.method.Unary(s.ctx, s.decode)
	s.messageMemory.Release()
	if err != nil {
		s.conn.finish(s, err)
	} else {
		s.conn.respond(s, reply)
	}
	s.call.end(context.Canceled)
	if s.handedOff {
		s.conn.flushSoon()
	}
	return s.handedOff
}

// decode decodes the request.
func (s *stream) decode(v any) error {
	m := message{s.request, s.compressed, s.messageMemory}
	request, err := m.expand(s.conn.server)
	s.request, s.messageMemory = nil, m.memory
	if err != nil {
		return err
	}
	if err := unmarshal(request, v); err != nil {
		return status.Errorf(codes.Internal, "grpc: error unmarshalling request: %v", err)
	}
	return nil
}

// receive handles a DATA frame: a part of a message, or several messages. It returns true for handedOff if another goroutine reads the
// connection from now on.
func (s *stream) receive(f *http2.DataFrame) (handedOff bool, err error) {
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
		s.growPartial(len(data))
		s.partial = append(s.partial, data...)
		data = s.partial
	}
	if s.head.method.Stream != nil {
		return false, s.receiveMessages(data, f.Flags)
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
		s.endPart()
		c.mu.Unlock()
		s.partial = nil
		return s.serveCall(m), nil
	case f.StreamEnded():
		c.mu.Lock()
		c.refuse(s, httpOK, errNoMessage)
		c.mu.Unlock()
		return false, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := s.receivePart(len(data), lengthOf(data)); err != nil {
		s.failUpload(err)
		return false, nil
	}
	s.giveWindow()
	s.keepPartial(data)
	return false, nil
}

// count counts the bytes of a frame, and records whether the client sends more. It returns true for ignored if the handler does not need
// the frame: it runs already, or has returned.
func (s *stream) count(f *http2.DataFrame) (ignored bool, err *streamError) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.ended && !s.finished {
		return false, &streamError{http2.ErrCodeStreamClosed}
	}
	if s.used += int(f.Length); s.used > streamWindow {
		return false, &streamError{http2.ErrCodeFlowControl}
	}
	if s.finished || s.answered || s.failed != nil || s.running && s.head.method.Unary != nil {
		s.ended = s.ended || f.StreamEnded()
		return true, nil
	}
	s.whole = s.upload.granted
	if s.head.method.Unary != nil {
		s.ended = f.StreamEnded()
	}
	return false, nil
}

// growPartial makes room in partial for n more bytes. It makes room for the whole message if there is memory for it.
func (s *stream) growPartial(n int) {
	if total := lengthOf(s.partial); s.whole && cap(s.partial) < total {
		s.partial = append(make([]byte, 0, max(total, len(s.partial)+n)), s.partial...)
	}
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

// giveWindow gives the client window for the bytes that it has sent, except for those in the queue. The bytes of an incomplete message are
// given back, too, unless there is no memory for the whole message yet. Callers must hold conn.mu.
func (s *stream) giveWindow() {
	if free := s.used - s.waiting - s.upload.withheld; !s.ended && free >= streamWindow/4 {
		s.used -= free
		s.conn.appendWindowUpdate(s.id, uint32(free))
	}
}

// nextMessage returns the first message in data, and the bytes after it. If the message is not complete, its body is nil. The body of an
// empty message is not nil.
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
		s.conn.server.count(MessageTooLarge)
		return first, data, status.Errorf(codes.ResourceExhausted, "grpc: received message larger than max (%d vs. %d)", size, limit)
	}
	if len(data) < messageHead+size {
		return first, data, nil
	}
	return message{body: data[messageHead : messageHead+size : messageHead+size], compressed: compressed}, data[messageHead+size:], nil
}

// lengthOf returns the length of a message with its head, or 0 if the head is not complete.
func lengthOf(beginning []byte) int {
	if len(beginning) < messageHead {
		return 0
	}
	return messageHead + int(binary.BigEndian.Uint32(beginning[1:]))
}
