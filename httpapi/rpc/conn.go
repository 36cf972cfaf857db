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

	usualWindow  = 65535     // bytes that a peer may send before it hears of another window
	streamWindow = 512 << 10 // bytes that a client may send on a stream
	connWindow   = 2 << 20   // and on a connection
	headerTable  = 4096      // size of the tables of HPACK
)

var (
	errStopped   = errors.New("rpc: the server has stopped")
	errDrained   = errors.New("rpc: the connection has no calls any more")
	errReadInput = errors.New("rpc: the connection does not begin with the preface of HTTP/2")
)

// conn is a connection.
type conn struct {
	server *Server
	net    net.Conn
	ping   pingState

	// The following fields are for the goroutine that reads.
	in       *bufio.Reader
	framer   *http2.Framer
	heads    headCache
	received int  // bytes of the window of the connection that the client has used
	started  bool // the preface was read

	active atomic.Bool // frames have arrived since the last look; see ping.go

	mu         sync.Mutex // guards the rest
	err        error      // why the connection is closed; nil while it is open
	streams    map[uint32]*stream
	lastStream uint32 // the largest ID of a stream of the client
	abandoned  int    // handlers that run for streams that have ended
	draining   bool   // no new stream may begin
	output
}

func newConn(s *Server, n net.Conn) *conn {
	c := &conn{server: s, net: n, in: bufio.NewReaderSize(n, 4<<10), streams: map[uint32]*stream{}}
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
	c.appendWindowUpdate(0, connWindow-usualWindow)
	c.ping.begin(c)
}

// read reads frames until the connection ends, or until another goroutine reads it.
func (c *conn) read() {
	if !c.started {
		c.started = true
		preface := make([]byte, len(http2.ClientPreface))
		c.flush()
		if _, err := io.ReadFull(c.in, preface); err != nil || string(preface) != http2.ClientPreface {
			c.fail(errReadInput)
			return
		}
	}
	for {
		c.flushBeforeRead()
		passedOn, err := c.readFrame()
		if passedOn {
			return
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
}

// flushBeforeRead writes the responses of the handlers that this goroutine has run, unless the next frame is there already. It waits while
// the output is full: the client must read first.
func (c *conn) flushBeforeRead() {
	if c.frameBuffered() {
		c.mu.Lock()
		full := len(c.out) >= maxOutput
		c.mu.Unlock()
		if !full {
			return
		}
	}
	c.flush()
	c.mu.Lock()
	for len(c.out) >= maxOutput && c.err == nil {
		c.written.Wait()
	}
	c.mu.Unlock()
}

// frameBuffered reports whether the whole next frame was read.
func (c *conn) frameBuffered() bool {
	n := c.in.Buffered()
	if n < frameHead {
		return false
	}
	head, _ := c.in.Peek(frameHead) // is buffered
	return n >= frameHead+frameLength(head)
}

func frameLength(head []byte) int { return int(head[0])<<16 | int(head[1])<<8 | int(head[2]) }

// readFrame reads a frame and does what it asks for. passedOn says that another goroutine reads the connection.
func (c *conn) readFrame() (passedOn bool, err error) {
	head, err := c.in.Peek(frameHead)
	if err != nil {
		return false, err
	}
	c.active.Store(true)
	var block []byte
	if http2.FrameType(head[3]) == http2.FrameHeaders {
		if block, err = c.headerBlock(); err != nil {
			return false, err
		}
		if h := c.heads.find(block); h != nil {
			id, end := binary.BigEndian.Uint32(head[5:])&(1<<31-1), http2.Flags(head[4]).Has(http2.FlagHeadersEndStream)
			_, _ = c.in.Discard(frameHead + len(block)) // is buffered
			return false, c.beginStream(id, h, end)
		}
	}
	frame, err := c.framer.ReadFrame()
	if err != nil {
		return false, c.frameError(err)
	}
	if headers, ok := frame.(*http2.MetaHeadersFrame); ok {
		return false, c.headers(headers, block)
	}
	return c.handle(frame)
}

// headerBlock returns the headers of the next frame without reading it, if the frame has all headers of a request and nothing else. It
// returns nil otherwise.
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

// headers begins a stream with headers that are not in the cache. block are their encoded form, or nil.
func (c *conn) headers(f *http2.MetaHeadersFrame, block []byte) error {
	if f.Truncated {
		c.resetStream(f.StreamID, http2.ErrCodeFrameSize)
		c.heads.clear()
		return c.noteStream(f.StreamID)
	}
	h := c.heads.newHead(c, f)
	c.heads.add(bytes.Clone(block), h)
	return c.beginStream(f.StreamID, h, f.StreamEnded())
}

// frameError handles an error of a Framer. It returns nil if the connection can go on.
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

// noteStream notes the ID of a stream that the client has begun in vain.
func (c *conn) noteStream(id uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id%2 == 1 {
		c.lastStream = max(c.lastStream, id)
	}
	return nil
}

// fail ends the connection. A client that has made an error is told which.
func (c *conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	if code, ok := errors.AsType[http2.ConnectionError](err); ok {
		c.sayGoodbye(http2.ErrCode(code), "")
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
	c.out, c.blocked = nil, nil
	c.written.Broadcast()
	c.ping.stop()
	if c.stallTimer != nil {
		c.stallTimer.Stop()
	}
	_ = c.net.Close() // the connection is not used any more
	go c.server.remove(c)
}

// drain lets the client begin no more calls, and closes the connection when all have ended. Calls that are on their way are still served.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.appendGoAway(1<<31-1, http2.ErrCodeNo, "")
	c.ping.drain(c)
	go c.flush() // may wait for the client
}

// drained ends the first step of drain: the client knows that it must begin no more calls. Callers must hold mu.
func (c *conn) drained() {
	if c.err != nil || c.draining {
		return
	}
	c.draining = true
	c.appendGoAway(c.lastStream, http2.ErrCodeNo, "")
	c.flushLocked()
	c.closeIfDrained()
}

// closeIfDrained closes a connection that is no longer needed once everything is written. Callers must hold mu.
func (c *conn) closeIfDrained() {
	if c.draining && len(c.streams) == 0 && len(c.out) == 0 && !c.writing {
		c.close(errDrained)
	}
}
