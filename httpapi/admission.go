package httpapi

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"pando/httpapi/h2"
	"pando/stats"
	"pando/tree"
)

const (
	// maxRefusals bounds the connections over the limit that get a 503 at a time, each for at most refusalTime. Further ones are
	// closed without an answer: they would use the descriptors that the limit keeps free.
	maxRefusals = 16
	refusalTime = time.Second
	// A listener waits after an error of Accept, such as a lack of descriptors: minPause after the first error, twice as long
	// after each further one, and at most maxPause.
	minPause, maxPause = 5 * time.Millisecond, time.Second
)

// RefusalDescriptors is the number of descriptors that an admission uses in addition to its limit.
const RefusalDescriptors = maxRefusals + 1

// admission limits the open connections of a group of listeners. Without a limit, clients that only connect could use up the
// descriptors that the write-ahead log needs for its next file. Its methods may be called from any goroutine.
type admission struct {
	limitedLog
	limit    int64
	open     atomic.Int64
	counts   *stats.Connections
	refusals chan struct{} // has an element for each connection that is getting a 503
}

// newAdmission makes the admission of the group with a name, which is also the label of the metrics.
func newAdmission(name string, limit int, metrics *stats.Metrics, log *zap.Logger) *admission {
	a := &admission{limitedLog: limitedLog{log: log, name: name}, limit: int64(limit), refusals: make(chan struct{}, maxRefusals)}
	a.counts = metrics.Connections(name, limit, a.open.Load)
	return a
}

// Listen returns a listener that accepts the connections of l within the limit of the group. Its Accept fails only when the
// listener is closed. After any other error it waits and tries again. secure is the configuration with which the caller serves TLS on
// the connections; nil for plain HTTP. A plain connection is closed when the client begins a TLS handshake. If http2 is not nil, it gets
// the plain connections that begin as HTTP/2; see admittedConn.
func (a *admission) Listen(l net.Listener, secure *tls.Config, http2 func(c net.Conn, read []byte)) net.Listener {
	return &admittedListener{Listener: l, admission: a, secure: secure, http2: http2, closed: make(chan struct{})}
}

// admit counts a connection. It reports false if the limit is reached.
func (a *admission) admit() bool {
	if a.open.Add(1) <= a.limit {
		return true
	}
	a.open.Add(-1)
	return false
}

// refuse answers a connection with a 503. It does not wait for the client. secure is nil without TLS.
func (a *admission) refuse(c net.Conn, secure *tls.Config) {
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
		if secure != nil {
			c = tls.Server(c, withoutProtocols(secure))
		}
		if _, err := c.Read(make([]byte, 1)); err != nil {
			return // clients don't expect a response before their request
		}
		writeAndDrain(c, "503 Service Unavailable", "Content-Type: application/json\r\nRetry-After: 1\r\n", errTooManyConnections.AppendJSON(nil))
	}()
}

// errTooManyConnections is the body of the 503 for a connection over the limit. Its form suits clients of all paths.
var errTooManyConnections = tree.NewError(tree.CodeRaftInternal, "too many connections are open (--max-connections)")

// withoutProtocols returns a configuration without ALPN for the 503, which is in HTTP/1.1. Like secure it uses the newest certificate.
func withoutProtocols(secure *tls.Config) *tls.Config {
	c := secure.Clone()
	c.NextProtos = nil
	if newest := secure.GetConfigForClient; newest != nil {
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			found, err := newest(hello)
			if err != nil || found == nil {
				return nil, err
			}
			found = found.Clone()
			found.NextProtos = nil
			return found, nil
		}
	}
	return c
}

// writeAndDrain writes a response, the last one of a connection, and discards what the client sends. Closing a connection with unread
// bytes would reset it before the client reads the response. The caller must set a deadline, and close the connection.
func writeAndDrain(c net.Conn, status, header string, body []byte) {
	_, _ = fmt.Fprintf(c, "HTTP/1.1 %s\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, header, len(body), body)
	if closeWrite(c) == nil {
		_, _ = io.Copy(io.Discard, c)
	}
}

// admittedListener is a listener that accepts connections within the limit of its group.
type admittedListener struct {
	net.Listener
	admission *admission
	secure    *tls.Config
	http2     func(c net.Conn, read []byte) // may be nil
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
			return &admittedConn{Conn: c, admission: l.admission, http2: l.http2, checked: l.secure != nil}, nil
		case err == nil:
			l.admission.refuse(c, l.secure)
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

// admittedConn is a connection that counts until it is closed. Its first Read finds out which protocol the client speaks. If it is HTTP/2,
// the Read passes the connection to http2 and returns an error; net/http then closes the admittedConn, which has no effect on the
// connection. So connections of HTTP/1 need no further goroutine and no further read.
type admittedConn struct {
	net.Conn
	admission *admission
	once      sync.Once                     // the connection was closed, or passed to http2
	http2     func(c net.Conn, read []byte) // nil if Read must not look for HTTP/2. read has what was read; it is valid during the call
	checked   bool                          // Read need not look at the first bytes
}

// handshakeRecord is the first byte of a TLS connection. No HTTP request begins with it.
const handshakeRecord = 0x16

var errTLSClient = errors.New("httpapi: the client begins a TLS handshake on a port for plain HTTP")

// errPassedOn is the error of a Read that has passed the connection to another server.
var errPassedOn = errors.New("httpapi: another server has taken over the connection")

// Read reads from the connection. It returns an error if the client begins a TLS handshake: net/http would search the handshake for a
// request until HeaderTimeout. After this error, and after errPassedOn, net/http closes the connection without a response.
func (c *admittedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.checked && n > 0 {
		return c.checkFirst(p, n, err)
	}
	return n, err
}

// checkFirst checks the first bytes of a connection. n and err are the results of its first read, and n is positive.
func (c *admittedConn) checkFirst(p []byte, n int, err error) (int, error) {
	c.checked = true
	if p[0] == handshakeRecord {
		c.admission.report("a client has begun a TLS handshake on a port for plain HTTP; "+
			"use http:// in its URL, or https:// in the URL of the listener", zap.String("client", c.RemoteAddr().String()))
		return 0, c.readError(errTLSClient)
	}
	if c.http2 == nil {
		return n, err
	}
	begin := h2.Preface[:3] // no method of HTTP/1 begins with it
	for err == nil && n < len(begin) && n < len(p) && string(p[:n]) == begin[:n] {
		var more int
		more, err = c.Conn.Read(p[n:])
		n += more
	}
	if n < len(begin) || string(p[:len(begin)]) != begin {
		return n, err
	}
	c.once.Do(func() {
		c.http2(&admittedConn{Conn: c.Conn, admission: c.admission, checked: true}, p[:n])
	})
	return 0, c.readError(errPassedOn)
}

// readError returns an error of Read after which net/http sends no response.
func (c *admittedConn) readError(err error) error {
	return &net.OpError{Op: "read", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// Close closes the connection. It no longer counts for the limit. Close has no effect after the connection was passed to http2.
func (c *admittedConn) Close() (err error) {
	c.once.Do(func() {
		err = c.Conn.Close()
		c.admission.open.Add(-1)
	})
	return err
}

// SyscallConn returns the connection's socket.
func (c *admittedConn) SyscallConn() (syscall.RawConn, error) { return syscallConn(c.Conn) }

// CloseWrite closes only the sending side of the connection.
func (c *admittedConn) CloseWrite() error { return closeWrite(c.Conn) }

func syscallConn(c net.Conn) (syscall.RawConn, error) {
	socket, ok := c.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return socket.SyscallConn()
}

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
