package stream

import "pando/tree"

// sendLarge writes a large event as one object of the body, and the end of the body after it if it is the last one. All streams that send
// the event share its JSON if EventCache has room for it. Otherwise the event is encoded for this stream alone and written in pieces.
func (s *Stream) sendLarge(e *tree.Event, write func([]byte) error) error {
	if json, ok := s.dispatcher.EventCache.Acquire(e); ok {
		defer s.dispatcher.EventCache.Release(e)
		return s.writeObject(e, len(json), write, func() error { return write(json) })
	}
	reserved, err := s.dispatcher.Budget.Reserve(2*tree.PieceSize, s.dispatcher.StallTimeout)
	if err != nil {
		return err
	}
	defer reserved.Release()
	p := buffers.Get().(*[]byte)
	b := (*p)[:0]
	defer func() { putBuffer(p, b) }()
	return s.writeObject(e, e.Encode().Size(b), write, func() (err error) {
		if b, err = e.Encode().Pieces(b, write); err != nil {
			return err
		}
		return write(b)
	})
}

// writeObject writes the JSON of an event of size bytes with the text around it, and the end of the body if the event is the last one.
// writeJSON must write the object itself.
func (s *Stream) writeObject(e *tree.Event, size int, write func([]byte) error, writeJSON func() error) error {
	header, trailer := s.Layout.appendHeader(nil, idOf(e), ""), s.Layout.trailer()
	if begin := append(s.framing.Begin(nil, len(header)+size+len(trailer)), header...); len(begin) > 0 {
		if err := write(begin); err != nil {
			return err
		}
	}
	if err := writeJSON(); err != nil {
		return err
	}
	end := s.framing.End([]byte(trailer))
	if s.isLast(e) {
		end = s.framing.Close(end)
	}
	if len(end) == 0 {
		return nil
	}
	return write(end)
}
