package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"pando/stats"
)

const (
	// maxRefusals bounds the connections over the limit that get a 503 at a time, each for at most refusalTime. Further ones are
	// closed without an answer: they would use the descriptors that the limit keeps free.
	maxRefusals = 16
	refusalTime = time.Second
	// logInterval is the shortest time between two log lines about connections that were not accepted.
	logInterval = 10 * time.Second
	// A listener waits after an error of Accept, such as a lack of descriptors: minPause after the first error, twice as long
	// after each further one, and at most maxPause.
	minPause, maxPause = 5 * time.Millisecond, time.Second
)

// RefusalDescriptors is the number of descriptors that an admission uses in addition to its limit.
const RefusalDescriptors = maxRefusals + 1

// admission limits the open connections of a group of listeners. Without a limit, clients that only connect could use up the
// descriptors that the write-ahead log needs for its next file. Its methods may be called from any goroutine.
type admission struct {
	name     string // of the group of listeners
	limit    int64
	open     atomic.Int64
	counts   *stats.Connections
	log      *zap.Logger
	refusals chan struct{} // has an element for each connection that is getting a 503

	mu       sync.Mutex
	unlogged int       // connections and errors since the last log line
	logged   time.Time // when the last line was written
}

// newAdmission makes the admission of the group with a name, which is also the label of the metrics.
func newAdmission(name string, limit int, metrics *stats.Metrics, log *zap.Logger) *admission {
	a := &admission{name: name, limit: int64(limit), log: log, refusals: make(chan struct{}, maxRefusals)}
	a.counts = metrics.Connections(name, limit, a.open.Load)
	return a
}

// Listen returns a listener that accepts the connections of l within the limit of the group. Its Accept fails only when the
// listener is closed. After any other error it waits and tries again.
func (a *admission) Listen(l net.Listener) net.Listener {
	return &admittedListener{Listener: l, admission: a, closed: make(chan struct{})}
}

// admit counts a connection. It reports false if the limit is reached.
func (a *admission) admit() bool {
	if a.open.Add(1) <= a.limit {
		return true
	}
	a.open.Add(-1)
	return false
}

// refuse answers a connection with a 503. It does not wait for the client.
func (a *admission) refuse(c net.Conn) {
	a.counts.Refused()
	a.report(
		"connections refused: the limit of open connections is reached (--max-connections, or the limit of open files)",
		zap.Int64("limit", a.limit),
	)
	select {
	case a.refusals <- struct{}{}:
	default:
		_ = c.Close() // nothing was sent on it
		return
	}
	go func() {
		defer func() { <-a.refusals }()
		defer func() { _ = c.Close() }() // all that could be sent was sent
		_ = c.SetDeadline(time.Now().Add(refusalTime))
		if _, err := c.Read(make([]byte, 1)); err != nil {
			return // clients don't expect a response before their request
		}
		const text = "too many connections\n"
		_, _ = fmt.Fprintf(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"+
			"Retry-After: 1\r\nConnection: close\r\n\r\n%s", len(text), text)
		if closeWrite(c) == nil {
			_, _ = io.Copy(io.Discard, c) // closing with unread bytes would reset the connection before the client reads the 503
		}
	}()
}

// report writes a log line, unless the last line was written less than logInterval ago. Then it counts the event for the next line.
func (a *admission) report(text string, fields ...zap.Field) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unlogged++
	if now := time.Now(); now.Sub(a.logged) >= logInterval {
		a.log.Warn(text, append(fields, zap.String("listener", a.name), zap.Int("times", a.unlogged))...)
		a.unlogged, a.logged = 0, now
	}
}

// admittedListener is a listener that accepts connections within the limit of its group.
type admittedListener struct {
	net.Listener
	admission *admission
	closed    chan struct{}
	once      sync.Once
}

// Accept returns the next connection within the limit. It refuses the others.
func (l *admittedListener) Accept() (net.Conn, error) {
	pause := minPause
	for {
		c, err := l.Listener.Accept()
		switch {
		case err == nil && l.admission.admit():
			return &admittedConn{Conn: c, admission: l.admission}, nil
		case err == nil:
			l.admission.refuse(c)
			pause = minPause
		case errors.Is(err, net.ErrClosed):
			return nil, err
		default:
			l.admission.counts.Failed()
			l.admission.report("connections can't be accepted; the listener tries again", zap.Error(err))
			select {
			case <-l.closed:
				return nil, net.ErrClosed
			case <-time.After(pause):
			}
			pause = min(2*pause, maxPause)
		}
	}
}

// Close makes Accept return.
func (l *admittedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// admittedConn is a connection that counts until it is closed.
type admittedConn struct {
	net.Conn
	admission *admission
	once      sync.Once
}

// Close closes the connection. It no longer counts for the limit.
func (c *admittedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.admission.open.Add(-1) })
	return err
}

// SyscallConn returns the connection's socket.
func (c *admittedConn) SyscallConn() (syscall.RawConn, error) {
	socket, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return socket.SyscallConn()
}

// CloseWrite closes only the sending side of the connection.
func (c *admittedConn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
