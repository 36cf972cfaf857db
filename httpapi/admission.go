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
	// refusingAtOnce is how many connections over the limit are told so at a time, each for at most
	// refusingTime. Further ones are closed without a word: they would take the descriptors that the
	// limit keeps free.
	refusingAtOnce = 16
	refusingTime   = time.Second
	// logPause is the least time between two lines of the log about connections that were not taken.
	logPause = 10 * time.Second
	// leastPause and longestPause are how long a listener waits after an error of Accept, such as
	// a lack of descriptors. The first error waits for the least, each further one twice as long.
	leastPause, longestPause = 5 * time.Millisecond, time.Second
)

// RefusingDescriptors is how many descriptors an Admission needs beyond its limit.
const RefusingDescriptors = refusingAtOnce + 1

// Admission bounds the connections of a group of listeners. Without a bound, clients that do
// nothing but connect would take the descriptors that the log needs for its next file.
type Admission struct {
	group    string
	limit    int64
	open     atomic.Int64
	counts   *stats.Connections
	log      *zap.Logger
	refusing chan struct{} // has an element for each connection that is being told

	mu     sync.Mutex
	silent int       // connections and errors that no line of the log tells of yet
	logged time.Time // when the last line was written
}

// NewAdmission makes the Admission of a group, which its metrics are named by.
func NewAdmission(group string, limit int, metrics *stats.Metrics, log *zap.Logger) *Admission {
	a := &Admission{group: group, limit: int64(limit), log: log, refusing: make(chan struct{}, refusingAtOnce)}
	a.counts = metrics.Connections(group, limit, a.open.Load)
	return a
}

// Listen gives the connections of a listener that the group has room for. Its Accept fails only
// when the listener is closed; it waits out any other error.
func (a *Admission) Listen(l net.Listener) net.Listener {
	return &admittedListener{Listener: l, group: a, closed: make(chan struct{})}
}

// admit counts a connection, and says whether there is room for it.
func (a *Admission) admit() bool {
	if a.open.Add(1) <= a.limit {
		return true
	}
	a.open.Add(-1)
	return false
}

// refuse tells a client that there is no room, without waiting for it.
func (a *Admission) refuse(c net.Conn) {
	a.counts.Refused()
	a.report("connections refused: all that may be open are (--max-connections, or the limit of open files)", zap.Int64("limit", a.limit))
	select {
	case a.refusing <- struct{}{}:
	default:
		_ = c.Close() // nothing was said on it
		return
	}
	go func() {
		defer func() { <-a.refusing }()
		defer func() { _ = c.Close() }() // what could be said was said
		_ = c.SetDeadline(time.Now().Add(refusingTime))
		if _, err := c.Read(make([]byte, 1)); err != nil {
			return // clients don't expect an answer before they ask
		}
		const text = "too many connections\n"
		_, _ = fmt.Fprintf(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"+
			"Retry-After: 1\r\nConnection: close\r\n\r\n%s", len(text), text)
		if closeWrite(c) == nil {
			_, _ = io.Copy(io.Discard, c) // closing with bytes unread would take the answer back
		}
	}()
}

// report writes a line of the log, or counts for the next one if the last was a moment ago.
func (a *Admission) report(text string, fields ...zap.Field) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.silent++
	if now := time.Now(); now.Sub(a.logged) >= logPause {
		a.log.Warn(text, append(fields, zap.String("listener", a.group), zap.Int("times", a.silent))...)
		a.silent, a.logged = 0, now
	}
}

// admittedListener is a listener of a group.
type admittedListener struct {
	net.Listener
	group  *Admission
	closed chan struct{}
	once   sync.Once
}

// Accept gives the next connection that there is room for.
func (l *admittedListener) Accept() (net.Conn, error) {
	pause := leastPause
	for {
		c, err := l.Listener.Accept()
		switch {
		case err == nil && l.group.admit():
			return &admittedConn{Conn: c, group: l.group}, nil
		case err == nil:
			l.group.refuse(c)
			pause = leastPause
		case errors.Is(err, net.ErrClosed):
			return nil, err
		default:
			l.group.counts.Failed()
			l.group.report("connections can't be accepted, it will be tried again", zap.Error(err))
			select {
			case <-l.closed:
				return nil, net.ErrClosed
			case <-time.After(pause):
			}
			pause = min(2*pause, longestPause)
		}
	}
}

// Close ends Accept.
func (l *admittedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// admittedConn is a connection that is counted until it is closed.
type admittedConn struct {
	net.Conn
	group *Admission
	once  sync.Once
}

// Close makes room for another one.
func (c *admittedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.group.open.Add(-1) })
	return err
}

// SyscallConn gives the connection as the system knows it.
func (c *admittedConn) SyscallConn() (syscall.RawConn, error) {
	socket, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return socket.SyscallConn()
}

// CloseWrite ends what is sent, and leaves open what is received.
func (c *admittedConn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
