package rpc

import (
	"math"

	"golang.org/x/net/http2"
)

// maxAbandoned is the number of handlers that run for streams that have ended before the connection gets no new calls: a client may reset
// its streams faster than their handlers return.
const maxAbandoned = 4096

// handle does what a frame without headers asks for. passedOn says that another goroutine reads the connection.
func (c *conn) handle(frame http2.Frame) (passedOn bool, err error) {
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
	return false, nil // priorities, and the GOAWAY of a client, which still expects responses
}

// beginStream begins a call or a stream. end says that the client sends no message.
func (c *conn) beginStream(id uint32, h *head, end bool) error {
	s := newStream(c, id, h)
	c.mu.Lock()
	defer c.mu.Unlock()
	if open := c.streams[id]; open != nil { // trailers
		if !end {
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
		return nil // the client knows that it must repeat the call elsewhere
	case h.malformed:
		c.appendReset(id, http2.ErrCodeProtocol)
		return nil
	case uint64(len(c.streams)) >= uint64(c.server.cfg.MaxStreams), c.blockedCalls > maxBlockedCalls, c.abandoned > maxAbandoned:
		c.appendReset(id, http2.ErrCodeRefusedStream)
		return nil
	}
	c.streams[id] = s
	s.window, s.ended = c.initialWindow, end
	switch {
	case h.refused != nil:
		c.refuse(s, h.httpStatus, h.refused)
	case h.method.Stream != nil:
		s.begin()
		c.server.run(job{stream: s})
	case end:
		c.refuse(s, httpOK, errNoMessage)
	}
	return nil
}

// data passes a part of a message on to its stream.
func (c *conn) data(f *http2.DataFrame) (passedOn bool, err error) {
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
		return false, nil // the stream has ended; the client will hear of it
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

// windowUpdate lets the server send more.
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
	if f.NumSettings() > maxSettings || f.HasDuplicates() { // each may change all streams
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

// reset ends a stream that the client does not want any more.
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

// resetStream ends a stream because the client has made an error.
func (c *conn) resetStream(id uint32, code http2.ErrCode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.appendReset(id, code)
	if s := c.streams[id]; s != nil {
		c.removeStream(s)
	}
}

// removeStream ends a stream for which nothing is sent any more. Its handler may still run: then it is counted until the handler returns.
// Callers must hold mu.
func (c *conn) removeStream(s *stream) {
	again := s.finished
	if s.end(); s.running {
		if !again {
			c.abandoned++
		}
		return
	}
	delete(c.streams, s.id)
	c.closeIfDrained()
}
