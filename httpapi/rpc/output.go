package rpc

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// maxOutput is the number of bytes of frames that wait for the socket. When the output has as many, only short frames are added.
	maxOutput = 256 << 10
	// maxUnsent is the number of bytes of responses to calls that wait for the windows of the client. While more wait, no long response is
	// encoded.
	maxUnsent = 64 << 20
	// maxBlockedCalls is the number of calls whose responses wait for the client. While more wait, new calls are refused.
	maxBlockedCalls = 4096
	// keptBuffer is the size of the largest buffer that is reused, in bytes.
	keptBuffer = 64 << 10
	// maxDeferred is the number of bytes of output at which a stream writes in spite of DeferWrites.
	maxDeferred = 32 << 10
)

// output is what a connection sends. conn.mu guards it.
type output struct {
	out     []byte     // frames to be written; nil if there are none
	writing bool       // a goroutine writes to the socket
	written *sync.Cond // is signaled after frames were written
	blocked []*stream  // streams with a message or a SendMsg that waits for a window or for the output
	unsent  int        // bytes of all responses to calls that wait, or are being encoded
	// blockedCalls is the number of calls in blocked, and of those whose responses are not encoded yet because of maxUnsent.
	blockedCalls int

	window, initialWindow int64 // bytes that the client accepts: on the connection, and on a new stream

	stallTimer *time.Timer // runs resetStalled; nil if no response waits
	lastSent   time.Time   // when a part of a response that did not fit into the windows was sent

	encoder       *hpack.Encoder
	encoded       bytes.Buffer
	indexing      bool // the table of the client has room for the headers of every response
	okHead, okEnd commonFields
}

func (c *conn) initOutput() {
	c.written = sync.NewCond(&c.mu)
	c.window, c.initialWindow, c.indexing = initialWindow, initialWindow, true
	c.encoder = hpack.NewEncoder(&c.encoded)
}

// buffers are the outputs of connections that have nothing to write.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// buffer makes sure that out is not nil. Callers must hold mu.
func (c *conn) buffer() {
	if c.out == nil {
		c.out = (*buffers.Get().(*[]byte))[:0]
		if c.out == nil {
			c.out = make([]byte, 0, 1024)
		}
	}
}

// flush writes the output, unless another goroutine does.
func (c *conn) flush() {
	c.mu.Lock()
	c.flushLocked()
	c.mu.Unlock()
}

// flushSoon is flush after a yield of the processor: responses that other goroutines append meanwhile leave in the same write.
func (c *conn) flushSoon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writing || len(c.out) == 0 {
		return
	}
	if len(c.streams) > 0 && len(c.out) < keptBuffer/2 {
		c.writing = true
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
		c.writing = false
	}
	c.flushLocked()
}

// flushLocked is flush for callers that hold mu. It releases mu while it writes.
func (c *conn) flushLocked() {
	if c.writing {
		return
	}
	c.writing = true
	for len(c.out) > 0 && c.err == nil {
		b := c.out
		c.out = nil
		c.mu.Unlock()
		_, err := c.net.Write(b)
		if cap(b) <= keptBuffer {
			buffers.Put(&b)
		}
		c.mu.Lock()
		if err != nil {
			c.close(err)
		}
		c.pumpBlocked()
		c.written.Broadcast()
	}
	c.writing = false
	c.closeIfDrained()
}

// respond sends the response of a call and the status of success.
func (c *conn) respond(s *stream, m any) {
	size, err := sizeOf(m)
	if err != nil {
		c.finish(s, err)
		return
	}
	if messageHead+size > maxFrame {
		c.respondLong(s, m, size)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.finished {
		c.sendMessage(s, m, size)
	}
	c.finishLocked(s, nil)
}

// respondLong is respond for a response that does not fit into a frame. While too many bytes wait for the client, the response is not
// encoded: it then consists mostly of references to the tree.
func (c *conn) respondLong(s *stream, m any, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.awaitRoom(s, messageHead+size); err != nil || s.finished {
		c.finishLocked(s, err)
		return
	}
	c.unsent += size
	c.mu.Unlock() // other calls are served while this response is encoded
	b, err := appendMessage(make([]byte, messageHead, messageHead+size), m)
	c.mu.Lock()
	c.unsent -= size
	if err == nil && !s.finished {
		c.sendHead(s)
		c.sendEncoded(s, b)
	}
	c.finishLocked(s, err)
}

// sendHead appends the headers of a response, unless that was done before. Callers must hold mu.
func (c *conn) sendHead(s *stream) {
	c.buffer()
	if !s.headSent {
		s.headSent = true
		c.appendHead(s.id)
	}
}

// sendMessage appends a message to the output, or as much of it as the windows of the client allow. Callers must hold mu.
func (c *conn) sendMessage(s *stream, m any, size int) {
	c.sendHead(s)
	total := int64(messageHead + size)
	if total <= maxFrame && total <= s.window && total <= c.window {
		start := len(c.out)
		c.out = append(c.out, make([]byte, frameHead+messageHead)...)
		c.out = c.appendBody(s, c.out, m)
		if s.answered {
			c.out = c.out[:start]
			c.pump(s)
			return
		}
		length := len(c.out) - start - frameHead
		putFrameHead(c.out[start:], length, http2.FrameData, 0, s.id)
		binary.BigEndian.PutUint32(c.out[start+frameHead+1:], uint32(length-messageHead))
		s.window -= int64(length)
		c.window -= int64(length)
		c.ping.sent()
		return
	}
	c.sendEncoded(s, c.appendBody(s, make([]byte, messageHead, messageHead+size), m))
}

// sendEncoded appends as much of a message as the windows of the client allow. b has messageHead unused bytes and then the wire form of the
// message. Callers must hold mu.
func (c *conn) sendEncoded(s *stream, b []byte) {
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-messageHead))
	s.unsent, s.buffered = b, len(b)
	c.countUnsent(s, len(b))
	c.pump(s)
}

// countUnsent adds n to unsent. Messages of streaming calls do not count: a client may need long responses to calls before it takes the
// next message of a streaming call. Callers must hold mu.
func (c *conn) countUnsent(s *stream, n int) {
	if s.isUnary() {
		c.unsent += n
	}
}

// appendBody appends a message. A message that can't be encoded ends the stream.
func (c *conn) appendBody(s *stream, b []byte, m any) []byte {
	extended, err := appendMessage(b, m)
	if err != nil {
		s.trailers, s.answered = err, true
		return b
	}
	return extended
}

// pumpProgress says whether pump has appended a part of the unsent message.
type pumpProgress int

const (
	nothingSent pumpProgress = iota
	partSent
)

// pump appends as much of the unsent message as the windows of the client allow. When the whole message is appended and the status of the
// call is known, it appends the trailers. Callers must hold mu.
func (c *conn) pump(s *stream) {
	for progress := nothingSent; len(s.unsent) > 0 && !s.finished; progress = partSent {
		n := min(int64(len(s.unsent)), maxFrame, s.window, c.window)
		if n <= 0 || len(c.out) >= maxOutput {
			s.shrink()
			c.block(s)
			c.noteBlocked(s, progress)
			return
		}
		c.buffer()
		c.out = appendFrameHead(c.out, int(n), http2.FrameData, 0, s.id)
		c.out = append(c.out, s.unsent[:n]...)
		s.unsent = s.unsent[n:]
		c.countUnsent(s, -int(n))
		s.window -= n
		c.window -= n
		c.ping.sent()
	}
	s.unsent = nil
	s.releaseUnsent()
	if s.answered && !s.finished {
		c.appendEnd(s)
	}
	notify(s.writable)
}

// block adds a stream to the blocked ones. Callers must hold mu.
func (c *conn) block(s *stream) {
	if !s.blocked {
		s.blocked = true
		c.blocked = append(c.blocked, s)
		if s.isUnary() {
			c.blockedCalls++
		}
	}
}

// pumpBlocked calls pump for the blocked streams, the longest blocked first. Callers must hold mu.
func (c *conn) pumpBlocked() {
	list := c.blocked
	c.blocked = nil
	for _, s := range list {
		s.blocked = false
		if s.isUnary() {
			c.blockedCalls--
		}
		c.pump(s)
	}
}

// finish sends the status of a call whose handler has returned; err is nil for success.
func (c *conn) finish(s *stream, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finishLocked(s, err)
}

func (c *conn) finishLocked(s *stream, err error) {
	s.running = false
	if s.finished {
		if c.streams[s.id] == s {
			c.forget(s)
			c.abandoned--
		}
		c.closeIfDrained()
		return
	}
	if !s.answered {
		s.answered, s.trailers = true, err
	}
	c.pump(s)
}

// refuse ends a request whose handler does not run. Callers must hold mu.
func (c *conn) refuse(s *stream, httpStatus string, err error) {
	s.answered, s.trailers = true, err
	if httpStatus != httpOK {
		c.buffer()
		s.headSent = true
		c.appendPlainHead(s.id, httpStatus)
	}
	c.appendEnd(s)
}

// putFrameHead writes the head of a frame.
func putFrameHead(b []byte, length int, kind http2.FrameType, flags http2.Flags, id uint32) {
	b[0], b[1], b[2], b[3], b[4] = byte(length>>16), byte(length>>8), byte(length), byte(kind), byte(flags)
	binary.BigEndian.PutUint32(b[5:], id)
}

func appendFrameHead(b []byte, length int, kind http2.FrameType, flags http2.Flags, id uint32) []byte {
	b = append(b, make([]byte, frameHead)...)
	putFrameHead(b[len(b)-frameHead:], length, kind, flags, id)
	return b
}
