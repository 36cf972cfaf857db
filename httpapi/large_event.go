package httpapi

import (
	"net/http"
	"strconv"

	"pando/tree"
)

// writeLarge hands over the JSON of a large event: at once if it is encoded for all
// who read it, and in pieces if there is no room for that. begin is told its length
// before.
func (s *Server) writeLarge(e *tree.Event, begin func(size int) error, write func([]byte) error) error {
	if json, ok := s.events.Acquire(e); ok {
		defer s.events.Release(e)
		if err := begin(len(json)); err != nil {
			return err
		}
		return write(json)
	}
	room, err := s.budget.reserve(2*tree.PieceSize, s.StallTimeout)
	if err != nil {
		return err
	}
	defer room.free()
	p := buffers.Get().(*[]byte)
	b := (*p)[:0]
	defer func() { putBuffer(p, b) }()
	if err := begin(e.Encode().Size(b)); err != nil {
		return err
	}
	if b, err = e.Encode().Pieces(b, write); err != nil {
		return err
	}
	return write(b)
}

// writeEvent writes an event as a part of an answer's body.
func (s *Server) writeEvent(w http.ResponseWriter, e *tree.Event) error {
	write := func(b []byte) error {
		_, err := w.Write(b)
		return err
	}
	if !e.Large() {
		return write(s.events.JSON(e))
	}
	return s.writeLarge(e, func(int) error { return nil }, write)
}

// sendSlowly sends what the connection has not taken at once, whose bytes are reserved
// until then, and a large event behind it. Then the follower proceeds.
func (f *follower) sendSlowly(rest []byte, room reservation, large *tree.Event, p progress) {
	err := f.write(rest)
	room.free()
	if err == nil && large != nil {
		err = f.sendLarge(large)
	}
	f.conn.endWrites()
	f.proceed(p, err)
}

func (f *follower) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_, err := f.conn.Write(b)
	return err
}

// sendLarge sends a large event as one object of the answer's body.
func (f *follower) sendLarge(e *tree.Event) error {
	begin := func(size int) error {
		if !f.chunked {
			return nil
		}
		return f.write(append(strconv.AppendInt(nil, int64(size), 16), "\r\n"...))
	}
	if err := f.server.writeLarge(e, begin, f.write); err != nil {
		return err
	}
	var end []byte
	if f.chunked {
		end = append(end, "\r\n"...)
	}
	if !f.stream {
		end = f.finish(end)
	}
	return f.write(end)
}
