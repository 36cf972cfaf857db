package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"pando/members/certs"
	"pando/stats"
)

// handshakeTimeout bounds a TLS handshake.
const handshakeTimeout = 10 * time.Second

// recheckInterval is the time between two searches for connections whose certificate has expired.
const recheckInterval = 10 * time.Second

// The protocols that a client may choose by ALPN.
var (
	clientProtocols = []string{"h2", "http/1.1"}
	peerProtocols   = []string{"http/1.1"} // connections of peers are taken over, which HTTP/2 does not allow
)

// secureGroup is the state that the TLS listeners of a group share. Its methods may be called from any goroutine.
type secureGroup struct {
	source *certs.Source
	config *tls.Config
	counts *stats.Handshakes
	// wrap returns the connection that net/http serves in place of a TLS connection with HTTP/1.
	wrap func(*tls.Conn) net.Conn
	// http2 gets the connections with HTTP/2. If it is nil, net/http gets them.
	http2 func(*tls.Conn)
	log   limitedLog

	mu   sync.Mutex
	open map[*certifiedConn]struct{}
}

// newSecureGroup makes the secureGroup of a group of listeners. name is the label of its metrics. The caller must call run.
func newSecureGroup(name string, source *certs.Source, protocols []string, metrics *stats.Metrics, log *zap.Logger) *secureGroup {
	return &secureGroup{
		source: source, config: source.ServerConfig(protocols...), counts: metrics.Handshakes(name),
		wrap: func(c *tls.Conn) net.Conn { return c }, log: limitedLog{log: log, name: name}, open: map[*certifiedConn]struct{}{},
	}
}

// run closes connections whose certificate is revoked or has expired, until ctx ends.
func (g *secureGroup) run(ctx context.Context) {
	changed := make(chan struct{}, 1)
	g.source.OnChange(func() {
		select {
		case changed <- struct{}{}:
		default: // a check is due already
		}
	})
	ticker := time.NewTicker(recheckInterval)
	defer ticker.Stop()
	for {
		select {
		case <-changed:
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		g.recheck()
	}
}

// recheck closes connections whose certificate is revoked or has expired.
func (g *secureGroup) recheck() {
	g.mu.Lock()
	refused := map[*certifiedConn]error{}
	for c := range g.open {
		if err := g.source.CheckConnection(&c.state); err != nil {
			refused[c] = err
		}
	}
	g.mu.Unlock()
	for c, err := range refused {
		g.log.report("a connection was closed: its certificate is no longer accepted", zap.String("client", c.RemoteAddr().String()),
			zap.String("certificate", certs.NameOf(c.state.PeerCertificates[0])), zap.Error(err))
		_ = c.Close() // the other end sees the end of the connection in any case
	}
}

// Listen returns a listener that accepts TLS connections after their handshakes, and with plaintext also connections without TLS. l must
// limit the number of open connections. Handshakes run beside Accept, so a slow client does not delay others.
func (g *secureGroup) Listen(l net.Listener, plaintext bool) net.Listener {
	ctx, cancel := context.WithCancel(context.Background())
	s := &secureListener{Listener: l, group: g, plaintext: plaintext, ctx: ctx, cancel: cancel, accepted: make(chan net.Conn)}
	go s.run()
	return s
}

// secureListener is a listener of TLS connections.
type secureListener struct {
	net.Listener
	group     *secureGroup
	plaintext bool            // accept connections without TLS, too
	ctx       context.Context // ends with the listener
	cancel    context.CancelFunc
	accepted  chan net.Conn
	err       error // of the inner listener; set before ctx ends
}

// run accepts connections and starts their handshakes until the inner listener fails.
func (l *secureListener) run() {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			l.err = err
			l.cancel()
			return
		}
		if l.plaintext {
			go l.detectTLS(c)
		} else {
			go l.handshake(c)
		}
	}
}

// Accept returns the next connection whose handshake is complete.
func (l *secureListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.ctx.Done():
		return nil, l.err
	}
}

// handshake performs the handshake of a connection and passes the connection to Accept.
func (l *secureListener) handshake(raw net.Conn) {
	var certified *certifiedConn
	if l.group.source.RequiresClientCerts() {
		certified = &certifiedConn{Conn: raw, group: l.group}
		raw = certified
	}
	c := tls.Server(raw, l.group.config)
	ctx, cancel := context.WithTimeout(l.ctx, handshakeTimeout)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		l.group.refuse(raw, err)
		return
	}
	state := c.ConnectionState()
	if certified != nil {
		certified.register(state)
	}
	switch {
	case state.NegotiatedProtocol != "h2":
		l.deliver(l.group.wrap(c))
	case l.group.http2 != nil:
		l.group.http2(c)
	default:
		l.deliver(c)
	}
}

// deliver passes a connection to Accept. It closes the connection if the listener has ended.
func (l *secureListener) deliver(c net.Conn) {
	select {
	case l.accepted <- c:
	case <-l.ctx.Done():
		_ = c.Close() // no request has begun
	}
}

// refuse counts a failed handshake and closes the connection. A client that sent an HTTP request without TLS gets a 400.
func (g *secureGroup) refuse(raw net.Conn, err error) {
	defer func() { _ = raw.Close() }() // nothing was served on it
	g.counts.Failed()
	g.log.report("a TLS handshake failed", zap.String("client", raw.RemoteAddr().String()), zap.Error(err))
	record, ok := errors.AsType[tls.RecordHeaderError](err)
	if ok && record.Conn != nil && looksLikeHTTP(record.RecordHeader) {
		_ = raw.SetDeadline(time.Now().Add(refusalTime)) // an error means that the connection is closed
		writeAndDrain(raw, "400 Bad Request", "Content-Type: text/plain; charset=utf-8\r\n",
			[]byte("This port serves HTTPS, and the request is plain HTTP: use https:// in the URL.\n"))
	}
}

// looksLikeHTTP reports whether the first bytes of a connection are those of an HTTP request.
func looksLikeHTTP(b [5]byte) bool {
	switch string(b[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "DELET", "OPTIO", "PATCH", "PRI *":
		return true
	}
	return false
}

// certifiedConn is the connection below a TLS connection whose client has a certificate.
type certifiedConn struct {
	net.Conn
	group *secureGroup
	state tls.ConnectionState // set by register
	once  sync.Once
}

// register adds the connection to those whose certificates recheck checks. It must be called at most once, after the handshake.
func (c *certifiedConn) register(state tls.ConnectionState) {
	c.state = state
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	c.group.open[c] = struct{}{}
}

// Close closes the connection. Its certificate is no longer checked.
func (c *certifiedConn) Close() error {
	c.once.Do(func() {
		c.group.mu.Lock()
		defer c.group.mu.Unlock()
		delete(c.group.open, c)
	})
	return c.Conn.Close()
}

// SyscallConn returns the connection's socket.
func (c *certifiedConn) SyscallConn() (syscall.RawConn, error) { return syscallConn(c.Conn) }

// CloseWrite closes only the sending side of the connection.
func (c *certifiedConn) CloseWrite() error { return closeWrite(c.Conn) }
