// Package h2 passes each connection of HTTP/2 to one of two servers: that of gRPC or that of HTTP. The first request of the connection
// decides by its content type. Both servers get the connection as if nothing had been read from it.
//
// A client may wait for the SETTINGS of the server, and for the acknowledgement of its own, before it sends its first request. So a
// [Front] sends an empty SETTINGS frame at once, and acknowledges each SETTINGS frame of the client. It also answers pings. The server of
// the connection reads the SETTINGS again, several frames as one. The connection removes two frames: the acknowledgement of the empty
// SETTINGS from what the server reads, and the server's first acknowledgement from what it writes.
//
// A connection without a request costs one goroutine and counts as open. It has no time limit, like an idle connection of gRPC: clients
// open connections in advance. But each frame that has begun must be complete in time, answers included, and a GOAWAY of the client begins
// the last time limit.
//
//   - front.go: Front, and its listeners
//   - first_request.go: the preface, the kind of the first request, and the bytes that the server reads again
//   - exchange.go: the frames until the first request; settings.go: the SETTINGS of the client
//   - conn.go: a connection that returns bytes again that were read before
//   - ack_filter.go: what the server writes, without its first acknowledgement
package h2

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// Preface begins every connection of HTTP/2.
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Config contains the parameters of a Front. All fields must be set.
type Config struct {
	// FrameTimeout bounds how long a client may take to send the preface with its SETTINGS, and each later frame.
	FrameTimeout time.Duration
	// MaxHeaderBytes bounds the head of the first request.
	MaxHeaderBytes int
	// AcceptTimeout bounds how long a connection with a request waits until a server accepts it. It is then closed.
	AcceptTimeout time.Duration
}

// Front passes connections to the servers that accept from its listeners. Its methods may be called from any goroutine.
type Front struct {
	cfg        Config
	grpc, http *listener

	mu      sync.Mutex
	closed  bool
	waiting map[net.Conn]struct{} // connections without a request
}

// New makes a Front.
func New(cfg Config) *Front {
	return &Front{
		cfg: cfg, grpc: newListener(cfg.AcceptTimeout), http: newListener(cfg.AcceptTimeout), waiting: map[net.Conn]struct{}{},
	}
}

// GRPC returns the listener of the connections of gRPC. They wait until a server accepts them. Their type is *Conn.
func (f *Front) GRPC() net.Listener { return f.grpc }

// HTTP returns the listener of all other connections. Their type is *Conn.
func (f *Front) HTTP() net.Listener { return f.http }

// Serve passes a connection to one of the listeners when its first request has arrived. It returns at once. The Front then owns c. read
// is what was already read from c; Serve keeps it. state is the state of TLS on the connection; nil without TLS.
func (f *Front) Serve(c net.Conn, read []byte, state *tls.ConnectionState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		_ = c.Close() // no request has begun
		return
	}
	f.waiting[c] = struct{}{}
	go f.serve(&Conn{Conn: c, early: read, tls: state})
}

// serve waits for the first request of a connection and passes the connection on.
func (f *Front) serve(c *Conn) {
	kind, err := f.awaitRequest(c)
	f.mu.Lock()
	delete(f.waiting, c.Conn)
	closed := f.closed
	f.mu.Unlock()
	if err != nil || closed {
		_ = c.Close() // the client is gone, has sent no valid frame in time, or gets no answer because the Front is closed
		return
	}
	if kind == grpcRequest {
		f.grpc.offer(c)
		return
	}
	f.http.offer(c)
}

// Close closes the listeners, the connections that have no request yet, and those that no server has accepted.
func (f *Front) Close() {
	f.mu.Lock()
	f.closed = true
	for c := range f.waiting {
		_ = c.Close() // it has no request that could get lost
	}
	f.mu.Unlock()
	_ = f.grpc.Close() // its error is always nil
	_ = f.http.Close() // its error is always nil
}

// listener is a net.Listener of connections that are offered to it.
type listener struct {
	timeout time.Duration // of offer
	conns   chan *Conn
	closed  chan struct{}
	once    sync.Once
}

func newListener(timeout time.Duration) *listener {
	return &listener{timeout: timeout, conns: make(chan *Conn), closed: make(chan struct{})}
}

// offer waits until the connection is accepted. It closes the connection if that takes too long or if the listener is closed.
func (l *listener) offer(c *Conn) {
	timer := time.NewTimer(l.timeout)
	defer timer.Stop()
	select {
	case l.conns <- c:
		return
	case <-timer.C:
	case <-l.closed:
	}
	_ = c.Close() // no request was answered on it
}

// Accept returns the next connection.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close makes Accept return net.ErrClosed.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr returns an address without a meaning: the listener has the connections of several sockets.
func (l *listener) Addr() net.Addr { return noAddr{} }

type noAddr struct{}

func (noAddr) Network() string { return "tcp" }
func (noAddr) String() string  { return "HTTP/2" }

var errNoPreface = errors.New("h2: the connection does not begin with the preface of HTTP/2")
