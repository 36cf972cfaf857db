package rpc

import (
	"math"

	"golang.org/x/net/http2"
)

// maxAbandoned is the number of handlers that run for streams that have ended. While more run, new calls are refused: a client may reset
// its streams faster than their handlers return.
const maxAbandoned = 4096

// handle handles a frame that is no HEADERS frame. It returns true for handedOff if another goroutine reads the connection from now on.
func (c *conn) handle(frame http2.Frame) (handedOff bool, err error) {
	switch f := frame.(type) {
	case *http2.DataFrame:
		return c.data(f)
	case *http2.WindowUpdateFrame:
		return false, c.windowUpdate(f)
	case *http2.SettingsFrame:
		return false, c.settings(f)
	case *http2.PingFrame:
		return false, c.pinged(f)
	case *http2.RSTStreamFrame:
		return false, c.reset(f)
	case *http2.PushPromiseFrame:
		return false, http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return false, nil // PRIORITY has no effect. A client that has sent a GOAWAY still expects responses
}

// beginStream begins a call, or handles the trailers of an open one. flags are those of the HEADERS frame.
func (c *conn) beginStream(id uint32, h *head, flags http2.Flags) error {
	ended := flags.Has(http2.FlagHeadersEndStream) // the client sends nothing more
	s := newStream(c, id, h)
	c.mu.Lock()
	defer c.mu.Unlock()
	if open := c.streams[id]; open != nil { // trailers
		if !ended {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
		open.ended = true
		if open.head.method.Unary != nil && !open.running && !open.answered {
			c.refuse(open, httpOK, errNoMessage)
			return nil
		}
		open.signal()
		return nil
	}
	if id%2 == 0 || id <= c.lastStream {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	c.lastStream = id
	switch {
	case c.err != nil:
		return c.err
	case c.draining:
		return nil // the last GOAWAY has told the client to repeat the call on another connection
	case h.malformed:
		c.appendReset(id, http2.ErrCodeProtocol)
		return nil
	case uint64(len(c.streams)) >= uint64(c.server.cfg.MaxStreams):
		c.server.count(TooManyStreams)
		c.appendReset(id, http2.ErrCodeRefusedStream)
		return nil
	}
	c.streams[id] = s
	s.window, s.ended = c.initialWindow, ended
	switch {
	case c.blockedCalls > maxBlockedCalls:
		c.refuseForLimit(s, TooManyUnread, errTooManyUnread)
	case c.abandoned > maxAbandoned:
		c.refuseForLimit(s, TooManyAbandoned, errTooManyAbandoned)
	case !s.hold(h.bytes):
		c.refuse(s, httpOK, errNoMemory)
	case h.refused != nil:
		c.refuse(s, h.httpStatus, h.refused)
	case h.method.Stream != nil:
		s.begin()
		c.server.run(job{stream: s})
	case ended:
		c.refuse(s, httpOK, errNoMessage)
	}
	return nil
}

// data handles a DATA frame: a part of the messages of a stream.
func (c *conn) data(f *http2.DataFrame) (handedOff bool, err error) {
	if err := c.countReceived(int(f.Length)); err != nil {
		return false, err
	}
	c.mu.Lock()
	s := c.streams[f.StreamID]
	idle := s == nil && (f.StreamID > c.lastStream || f.StreamID%2 == 0)
	c.mu.Unlock()
	switch {
	case idle:
		return false, http2.ConnectionError(http2.ErrCodeProtocol)
	case s == nil:
		return false, nil // the stream has ended; the frame was sent before the client read that
	}
	return s.receive(f)
}

// countReceived counts bytes of the window of the connection, and gives them back to the client.
func (c *conn) countReceived(n int) error {
	if c.received += n; c.received > connWindow {
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	if c.received >= connWindow/2 {
		c.mu.Lock()
		c.appendWindowUpdate(0, uint32(c.received))
		c.mu.Unlock()
		c.received = 0
	}
	return nil
}

// windowUpdate handles a WINDOW_UPDATE frame: the server may send more.
func (c *conn) windowUpdate(f *http2.WindowUpdateFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.StreamID == 0 {
		if c.window += int64(f.Increment); c.window > math.MaxInt32 {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
		c.pumpBlocked()
		return nil
	}
	s := c.streams[f.StreamID]
	if s == nil {
		if f.StreamID > c.lastStream {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
		return nil
	}
	if s.window += int64(f.Increment); s.window > math.MaxInt32 {
		c.appendReset(s.id, http2.ErrCodeFlowControl)
		c.removeStream(s)
		return nil
	}
	c.pump(s)
	return nil
}

// maxSettings is the largest number of settings in a frame, as in net/http.
const maxSettings = 100

// settings applies the SETTINGS of the client.
func (c *conn) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	if f.NumSettings() > maxSettings || f.HasDuplicates() { // each setting may change all streams
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := f.ForeachSetting(func(one http2.Setting) error {
		if err := one.Valid(); err != nil {
			return err
		}
		switch one.ID {
		case http2.SettingInitialWindowSize:
			return c.setInitialWindow(int64(one.Val))
		case http2.SettingHeaderTableSize:
			c.setHeaderTable(one.Val)
		}
		return nil
	})
	c.appendSettingsAck()
	return err
}

// setInitialWindow changes the windows of all streams. Callers must hold mu.
func (c *conn) setInitialWindow(size int64) error {
	change := size - c.initialWindow
	c.initialWindow = size
	for _, s := range c.streams {
		if s.window += change; s.window > math.MaxInt32 {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
	}
	if change > 0 {
		c.pumpBlocked()
	}
	return nil
}

// reset handles an RST_STREAM frame: the client has canceled the stream.
func (c *conn) reset(f *http2.RSTStreamFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.streams[f.StreamID]
	if s == nil {
		if f.StreamID > c.lastStream || f.StreamID%2 == 0 {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
		return nil
	}
	c.removeStream(s)
	return nil
}

// resetStream resets a stream on which the client has made an error.
func (c *conn) resetStream(id uint32, code http2.ErrCode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.appendReset(id, code)
	if s := c.streams[id]; s != nil {
		c.removeStream(s)
	}
}

// removeStream ends a stream for which nothing is sent any more. If its handler still runs, the stream counts as abandoned until the
// handler returns. Callers must hold mu.
func (c *conn) removeStream(s *stream) {
	again := s.finished
	if s.end(); s.running {
		if !again {
			c.abandoned++
		}
		return
	}
	c.forget(s)
	c.closeIfDrained()
}
