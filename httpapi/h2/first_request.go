package h2

import (
	"errors"
	"io"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// requestKind is the kind of the first request of a connection.
type requestKind int

const (
	httpRequest requestKind = iota
	grpcRequest
)

const (
	// maxFrame is the largest frame that a client may send before it has seen another limit in SETTINGS.
	maxFrame = 16 << 10
	// maxWaiting bounds the frames before the first request that are kept. Clients send a SETTINGS and a WINDOW_UPDATE frame.
	maxWaiting = 64 << 10
	// initialWindow is the number of bytes that a server may send until the client allows more.
	initialWindow = 65535
	// headerTable is the size of the table of HPACK before another size is agreed.
	headerTable = 4096
)

// awaitRequest sends SETTINGS and reads the frames of the client up to its first request. After that the connection returns them again,
// without what belongs to this conversation: the acknowledgement of the SETTINGS, pings, and all SETTINGS but one. An invalid frame
// counts as a request of HTTP, whose server sends the right error. An error means that there is no connection any more, or that the
// client was too slow.
func (f *Front) awaitRequest(c *Conn) (requestKind, error) {
	r := &recorder{conn: c, timeout: f.cfg.FrameTimeout, limit: maxWaiting + maxFrame + 2*f.cfg.MaxHeaderBytes}
	if err := r.begin(); err != nil {
		return 0, err
	}
	framer := http2.NewFramer(c.Conn, r)
	framer.SetMaxReadFrameSize(maxFrame)
	framer.ReadMetaHeaders = hpack.NewDecoder(headerTable, nil)
	framer.MaxHeaderListSize = uint32(f.cfg.MaxHeaderBytes)
	if err := framer.WriteSettings(); err != nil {
		return 0, err
	}
	preface := make([]byte, len(Preface))
	if _, err := io.ReadFull(r, preface); err != nil {
		return 0, err
	}
	if string(preface) != Preface {
		return 0, errNoPreface
	}
	e := &exchange{recorder: r, framer: framer, window: initialWindow}
	kind, err := e.readFrames()
	if err != nil {
		return 0, err
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return 0, err
	}
	c.unread, c.awaitingAck = e.serverBytes(), !e.acknowledged
	if e.settings.frames > 0 {
		c.written = new(ackFilter)
	}
	return kind, nil
}

// kindOf returns the kind of a request. The content type of gRPC may have a suffix: the encoding of the messages, or parameters.
func kindOf(h *http2.MetaHeadersFrame) requestKind {
	for _, field := range h.RegularFields() {
		if field.Name != "content-type" {
			continue
		}
		rest, ok := strings.CutPrefix(strings.ToLower(field.Value), "application/grpc")
		if ok && (rest == "" || rest[0] == '+' || rest[0] == ';') {
			return grpcRequest
		}
	}
	return httpRequest
}

// errLongHead is the error of a connection whose first request has too long a head. The frames count with their headers: a client can send
// CONTINUATION frames without a payload for ever.
var errLongHead = errors.New("h2: the head of the first request is too long")

// recorder reads from a connection and keeps what it has read.
type recorder struct {
	conn    *Conn
	timeout time.Duration
	limit   int // of bytes, after which Read returns errLongHead
	bytes   []byte
	waiting bool // the next Read waits for the first byte of a frame
}

// begin sets the time limit for the preface and the SETTINGS of the client.
func (r *recorder) begin() error { return r.conn.SetDeadline(time.Now().Add(r.timeout)) }

// awaitFrame makes the next Read wait for a frame without a time limit.
func (r *recorder) awaitFrame() { r.waiting = true }

// Read reads from the connection. The first byte of a frame begins the time limit of the frame.
func (r *recorder) Read(p []byte) (int, error) {
	if len(r.bytes) > r.limit {
		return 0, errLongHead
	}
	if r.waiting {
		if err := r.conn.SetDeadline(time.Time{}); err != nil {
			return 0, err
		}
	}
	n, err := r.conn.readFirst(p)
	r.bytes = append(r.bytes, p[:n]...)
	if r.waiting && n > 0 {
		r.waiting = false
		if deadlineErr := r.begin(); err == nil {
			err = deadlineErr
		}
	}
	return n, err
}
