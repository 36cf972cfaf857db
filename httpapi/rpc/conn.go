package rpc

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	frameHead   = 9        // bytes of the head of a frame
	messageHead = 5        // bytes that precede a message: whether it is compressed, and its length
	maxFrame    = 16 << 10 // bytes of the longest frame in both directions

	initialWindow = 65535   // bytes that a peer may send until a frame gives it another window
	streamWindow  = 65535   // bytes that a client may send on a stream before the server gives it more
	connWindow    = 2 << 20 // bytes that a client may send on a connection before the server gives it more
	headerTable   = 4096    // size of the tables of HPACK
)

var (
	errStopped   = errors.New("rpc: the server has stopped")
	errDrained   = errors.New("rpc: the server is stopping, and all calls of the connection have ended")
	errReadInput = errors.New("rpc: the connection does not begin with the preface of HTTP/2")
)

// conn is a connection.
type conn struct {
	server *Server
	net    net.Conn
	ping   pingState

	// Only the goroutine that reads the connection may use the following fields.
	in       *bufio.Reader
	framer   *http2.Framer
	heads    headCache
	received int  // bytes of the window of the connection that the client has used
	started  bool // the preface of HTTP/2 was read, or its reading has begun

	readEnded chan struct{} // closed when no goroutine reads the connection any more

	active     atomic.Bool   // a frame has arrived since pingState.check ran last
	frameBegun atomic.Uint32 // the value of Server.clock since which the rest of a frame is awaited; 0 if none is

	mu         sync.Mutex // guards the rest
	err        error      // why the connection is closed; nil while it is open
	streams    map[uint32]*stream
	lastStream uint32 // the largest ID of a stream of the client
	abandoned  int    // handlers that run for streams that have ended
	draining   bool   // no new stream may begin
	held       held
	output
}

func newConn(s *Server, n net.Conn) *conn {
	c := &conn{server: s, net: n, in: bufio.NewReaderSize(n, 4<<10), streams: map[uint32]*stream{}, readEnded: make(chan struct{})}
	c.framer = http2.NewFramer(nil, c.in)
	c.framer.SetReuseFrames()
	c.framer.SetMaxReadFrameSize(maxFrame)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(headerTable, nil)
	c.framer.MaxHeaderListSize = s.cfg.MaxHeaderBytes
	c.initOutput()
	return c
}

// begin sends the SETTINGS of the server.
func (c *conn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.appendSettings()
	c.appendWindowUpdate(0, connWindow-initialWindow)
	c.ping.begin(c)
}

// read reads frames until the connection ends, or until another goroutine takes over reading.
func (c *conn) read() {
	if !c.started {
		c.started = true
		preface := make([]byte, len(http2.ClientPreface))
		c.flush()
		c.frameBegun.Store(c.server.clock.Load())
		_, err := io.ReadFull(c.in, preface)
		c.frameBegun.Store(0)
		if err != nil || string(preface) != http2.ClientPreface {
			c.endRead(errReadInput)
			return
		}
	}
	for {
		err := c.flushBeforeRead()
		handedOff := false
		if err == nil {
			handedOff, err = c.readFrame()
		}
		if handedOff {
			return
		}
		if err != nil {
			c.endRead(err)
			return
		}
	}
}

// flushBeforeRead writes the responses of the handlers that this goroutine has run, unless the next frame is already buffered. It waits
// while the output is full, until the client has read some of it. It returns an error if the connection is closed.
func (c *conn) flushBeforeRead() error {
	if c.frameBuffered() {
		c.mu.Lock()
		full, err := len(c.out) >= maxOutput, c.err
		c.mu.Unlock()
		if !full || err != nil {
			return err
		}
	}
	c.flush()
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.out) >= maxOutput && c.err == nil {
		c.written.Wait()
	}
	return c.err
}

// frameBuffered reports whether the whole next frame is in the buffer of the reader.
func (c *conn) frameBuffered() bool {
	n := c.in.Buffered()
	if n < frameHead {
		return false
	}
	head, _ := c.in.Peek(frameHead) // no error: the bytes are buffered
	return n >= frameHead+frameLength(head)
}

func frameLength(head []byte) int { return int(head[0])<<16 | int(head[1])<<8 | int(head[2]) }

// readFrame reads and handles one frame. It returns true for handedOff if another goroutine reads the connection from now on.
func (c *conn) readFrame() (handedOff bool, err error) {
	head, err := c.in.Peek(frameHead)
	if err != nil {
		return false, err
	}
	c.active.Store(true)
	kind := http2.FrameType(head[3])
	awaited := !c.frameBuffered() || kind == http2.FrameHeaders && !http2.Flags(head[4]).Has(http2.FlagHeadersEndHeaders)
	if awaited {
		c.frameBegun.Store(c.server.clock.Load())
	}
	var block []byte
	if kind == http2.FrameHeaders {
		if block, err = c.headerBlock(); err != nil {
			return false, err
		}
		if h := c.heads.find(block); h != nil {
			id := binary.BigEndian.Uint32(head[5:]) & (1<<31 - 1)
			_, _ = c.in.Discard(frameHead + len(block)) // no error: the bytes are buffered
			if awaited {
				c.frameBegun.Store(0)
			}
			return false, c.beginStream(id, h, http2.Flags(head[4]))
		}
	}
	frame, err := c.framer.ReadFrame()
	if awaited {
		c.frameBegun.Store(0)
	}
	if err != nil {
		return false, c.frameError(err)
	}
	if headers, ok := frame.(*http2.MetaHeadersFrame); ok {
		return false, c.headers(headers, block)
	}
	return c.handle(frame)
}

// headerBlock returns the encoded headers in the next frame without consuming the frame. It returns nil if the frame does not have all
// headers of a request, or has something else.
func (c *conn) headerBlock() ([]byte, error) {
	head, err := c.in.Peek(frameHead)
	if err != nil {
		return nil, err
	}
	const others = http2.FlagHeadersPadded | http2.FlagHeadersPriority
	length, flags := frameLength(head), http2.Flags(head[4])
	if length > maxCachedHead || !flags.Has(http2.FlagHeadersEndHeaders) || flags&others != 0 {
		return nil, nil
	}
	b, err := c.in.Peek(frameHead + length)
	if err != nil {
		return nil, err
	}
	return b[frameHead:], nil
}

// headers begins a stream with headers that are not in the cache. block is their encoded form, or nil.
func (c *conn) headers(f *http2.MetaHeadersFrame, block []byte) error {
	if f.Truncated {
		c.server.count(HeadersTooLarge)
		c.resetStream(f.StreamID, http2.ErrCodeFrameSize)
		c.heads.clear()
		return c.noteStream(f.StreamID)
	}
	h := c.heads.newHead(c, f)
	c.heads.add(bytes.Clone(block), h)
	return c.beginStream(f.StreamID, h, f.Flags)
}

// frameError handles an error of the Framer. It returns nil if the error ends only a stream, and the connection stays usable.
func (c *conn) frameError(err error) error {
	if e, ok := errors.AsType[http2.StreamError](err); ok {
		c.heads.clear()
		c.resetStream(e.StreamID, e.Code)
		return c.noteStream(e.StreamID)
	}
	if errors.Is(err, http2.ErrFrameTooLarge) {
		return http2.ConnectionError(http2.ErrCodeFrameSize)
	}
	return err
}

// noteStream records the ID of a stream that was reset before it began.
func (c *conn) noteStream(id uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id%2 == 1 {
		c.lastStream = max(c.lastStream, id)
	}
	return nil
}

// fail closes the connection. If err is a violation of HTTP/2 by the client, fail sends a GOAWAY with the code of the error first.
func (c *conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	if code, ok := errors.AsType[http2.ConnectionError](err); ok {
		c.writeGoAway(http2.ErrCode(code), "")
	}
	c.close(err)
}

// close closes the connection and ends all its streams. Callers must hold mu.
func (c *conn) close(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	for _, s := range c.streams {
		s.end()
	}
	clear(c.streams)
	c.held.reserved.Release()
	c.out, c.blocked = nil, nil
	c.written.Broadcast()
	c.ping.stop()
	if c.stallTimer != nil {
		c.stallTimer.Stop()
	}
	if lingersAfter(err) {
		go c.linger()
	} else {
		go c.shut()
	}
}
