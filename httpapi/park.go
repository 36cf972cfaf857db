package httpapi

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"pando/stats"
	"pando/tree"
)

// follower is the connection of a client that waits for events. It has left
// net/http, whose goroutines and buffers would cost 26 kB for as long as the
// client waits; what stays here is a third of that. At the end of a long poll
// the connection goes back to net/http.
type follower struct {
	server  *Server
	conn    net.Conn
	watcher *tree.Watcher
	chunked bool   // a client of HTTP/1.1; an older one reads up to the end
	keep    bool   // the connection may serve another request
	ahead   []byte // what the client has sent ahead for the next request
	out     []byte // encoded and not yet sent

	listening sync.WaitGroup
	gone      atomic.Bool // the client has closed the connection
}

// park takes the connection of a request whose head has been answered.
func (s *Server) park(w http.ResponseWriter, r *http.Request, watcher *tree.Watcher) (*follower, error) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	f := &follower{
		server: s, conn: conn, watcher: watcher,
		chunked: r.ProtoAtLeast(1, 1), keep: r.ProtoAtLeast(1, 1) && !r.Close,
	}
	if n := buffered.Reader.Buffered(); n > 0 {
		f.ahead = make([]byte, n)
		_, _ = io.ReadFull(buffered.Reader, f.ahead) // it is there
	}
	s.open.add(f)
	f.listening.Go(f.listen)
	return f, nil
}

// listen ends the watch when the client goes away. What the client sends ahead
// for the next request is kept, within bounds.
func (f *follower) listen() {
	var b [64]byte
	for len(f.ahead) < maxAhead {
		n, err := f.conn.Read(b[:])
		f.ahead = append(f.ahead, b[:n]...)
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) { // release stops it so
			f.gone.Store(true)
			f.watcher.Close()
		}
		return
	}
}

// maxAhead is how much a client may send ahead. Whether one that sends more is
// still there shows when it is answered.
const maxAhead = 64 << 10

// add appends one event to what is to be sent.
func (f *follower) add(json []byte) {
	if !f.chunked {
		f.out = append(f.out, json...)
		return
	}
	f.out = strconv.AppendInt(f.out, int64(len(json)), 16)
	f.out = append(f.out, "\r\n"...)
	f.out = append(f.out, json...)
	f.out = append(f.out, "\r\n"...)
}

// finish marks the end of the answer.
func (f *follower) finish() {
	if f.chunked {
		f.out = append(f.out, "0\r\n\r\n"...)
	}
}

func (f *follower) send() error {
	if len(f.out) == 0 {
		return nil
	}
	_, err := f.conn.Write(f.out)
	if f.out = f.out[:0]; cap(f.out) > maxPooled {
		f.out = nil
	}
	return err
}

// end closes the connection. At a shutdown the answer thereby breaks off, which
// makes clients try again elsewhere instead of taking the end for an answer.
func (f *follower) end() {
	f.watcher.Close()
	f.server.open.remove(f)
	_ = f.conn.Close() // nobody is left to tell
}

// release gives the connection back to net/http for the next request.
func (f *follower) release() {
	f.watcher.Close()
	f.server.open.remove(f)
	_ = f.conn.SetReadDeadline(time.Unix(1, 0))
	f.listening.Wait()
	if !f.keep || f.gone.Load() || f.conn.SetReadDeadline(time.Time{}) != nil ||
		!f.server.returned.offer(&returnedConn{Conn: f.conn, ahead: f.ahead}) {
		_ = f.conn.Close()
	}
}

func (f *follower) outcome(err error) stats.Outcome {
	var e *tree.Error
	switch {
	case errors.As(err, &e):
		return keyOutcome(e)
	case f.gone.Load():
		return stats.Canceled
	case errors.Is(err, tree.ErrWatcherClosed):
		return stats.Unavailable
	}
	return stats.OK
}

// returnedConn is a connection that comes back, with what was read from it
// already.
type returnedConn struct {
	net.Conn
	ahead []byte
}

func (c *returnedConn) Read(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// openWatches knows the watches under way, to end them at shutdown.
type openWatches struct {
	mu        sync.Mutex
	followers map[*follower]struct{}
	closed    bool
}

func (o *openWatches) add(f *follower) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		f.watcher.Close()
		return
	}
	o.followers[f] = struct{}{}
}

func (o *openWatches) remove(f *follower) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.followers, f)
}

// close ends the watches under way and all that are still to come.
func (o *openWatches) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for f := range o.followers {
		f.watcher.Close()
	}
}
