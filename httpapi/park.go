package httpapi

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// park takes the connection of a request whose head has been answered. net/http's
// goroutines and buffers would cost 26 kB for as long as the client waits; what
// stays here is less than a third of that. At the end of a long poll the
// connection goes back to net/http.
func (s *Server) park(w http.ResponseWriter, r *http.Request) (*follower, error) {
	taken, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	c, ok := taken.(*conn)
	if !ok {
		c = &conn{Conn: taken}
	}
	if socket, ok := c.Conn.(syscall.Conn); ok && c.raw == nil {
		c.raw, _ = socket.SyscallConn() // without it, there are no attempts
	}
	f := &follower{server: s, conn: c, chunked: r.ProtoAtLeast(1, 1), keep: r.ProtoAtLeast(1, 1) && !r.Close}
	if n := buffered.Reader.Buffered(); n > 0 {
		f.ahead = make([]byte, n)
		_, _ = io.ReadFull(buffered.Reader, f.ahead) // it is there
	}
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

// end closes the connection. At a shutdown the answer thereby breaks off, which
// makes clients try again elsewhere instead of taking the end for an answer.
func (f *follower) end() {
	f.watcher.Close()
	f.server.open.remove(f)
	_ = f.conn.Close() // nobody is left to tell
	f.observe()
}

// release gives the connection back to net/http for the next request.
func (f *follower) release() {
	f.watcher.Close()
	f.server.open.remove(f)
	_ = f.conn.SetReadDeadline(time.Unix(1, 0))
	f.listening.Wait()
	f.conn.ahead = append(f.ahead, f.conn.ahead...) // what listen has not read comes behind
	if !f.keep || f.gone.Load() || f.conn.SetReadDeadline(time.Time{}) != nil || !f.server.returned.offer(f.conn) {
		_ = f.conn.Close()
	}
	f.observe()
}

// openWatches knows the watches under way, to end them at shutdown.
type openWatches struct {
	mu        sync.Mutex
	followers map[*follower]struct{}
	ended     chan struct{} // closed by close; others may wait for it too
}

func (o *openWatches) add(f *follower) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if isClosed(o.ended) {
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
	if isClosed(o.ended) {
		return
	}
	close(o.ended)
	for f := range o.followers {
		f.watcher.Close()
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
