package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pando/httpapi/h2"
	"pando/httpapi/stream"
	"pando/members/certs"
	"pando/stats"
)

// HeaderTimeout bounds how long a client or a peer may take to send the head of a request.
const HeaderTimeout = 10 * time.Second

// Config contains the parameters of a Server. All fields must be set unless their comment says otherwise.
type Config struct {
	// StartTimeout bounds how long a request waits for Open.
	StartTimeout time.Duration
	Metrics      *stats.Metrics
	// Versions is the body of /version.
	Versions Versions
	// CORS lists the origins of the web pages that may use the API. With "*" in the list, all may read. It may be empty.
	CORS []string
	// HostWhitelist lists the hosts for which requests of clients are answered. "*" or an empty list allows all.
	HostWhitelist []string
	// Limits bound the requests of clients. The zero value has no limits.
	Limits Limits
	// MaxHeaderBytes bounds the head of a request of a client; http.DefaultMaxHeaderBytes if 0.
	MaxHeaderBytes int
	// HideMetrics removes /metrics from the client URLs. The metrics URLs always have it.
	HideMetrics Switch
	// BodyTimeout bounds how long a client may take to send a body.
	BodyTimeout time.Duration
	// Pprof enables /debug/pprof.
	Pprof Switch
	// Description serves /openapi.json on the client URLs, before Open too; see package openapi. With nil the answer is 404.
	Description http.Handler
	// UI serves /ui/ on the client URLs, before Open too; see package ui. With nil they have no such path.
	UI http.Handler
	// NoUsers is true if the process can't belong to a cluster that has users. Profiles are then served before Open. Otherwise they are
	// not, because the users are not known.
	NoUsers bool
	// ReadyChecks are the names of the checks of /readyz after Open. Before Open they are known and fail.
	ReadyChecks []string
	// Connections limits the open connections.
	Connections ConnectionLimits
	// StallTimeout bounds how long a client may read nothing of a response. With 0 there is no limit, and DetectClose has no effect: closed
	// connections are detected.
	StallTimeout time.Duration
	// DetectClose makes the context of a request end when its client closes the connection. A proxy needs that. Without it requests are
	// cheaper, and a stream.Dispatcher can take over their connections.
	DetectClose Switch
	// BaseContext is the parent of the contexts of clients' requests; context.Background() if nil.
	BaseContext context.Context
	Logger      *zap.Logger
}

// ConnectionLimits are the largest numbers of open connections of each group of listeners.
type ConnectionLimits struct {
	Client, Peer, Metrics int
}

// Listener is an open socket.
type Listener struct {
	net.Listener
	// TLS has the certificates for TLS; nil for plain HTTP. All TLS listeners of a group must have the same Source.
	TLS *certs.Source
	// Plaintext accepts connections without TLS, too. It has no effect if TLS is nil.
	Plaintext bool
}

// Listeners are the open sockets of a process. A proxy has none for peers.
type Listeners struct {
	Client, Peer, Metrics []Listener
}

// Handlers serve the listeners of a Server after Open.
type Handlers struct {
	Client, Peer, Metrics http.Handler // Peer may be nil without peer listeners
	// KeepAlive is another listener of the client URLs; see stream.Dispatcher.KeepAlive. It may be nil.
	KeepAlive net.Listener
	// GRPC serves gRPC on the client URLs. It may be nil.
	GRPC GRPCServer
	// OnShutdown is called once, by Shutdown. It must end the requests that may wait for long. It may be nil.
	OnShutdown func()
}

// Server serves all listeners of a process as soon as they are open. Before Open it answers requests that need no data, and other
// requests wait: see startup.go. Callers must call NewServer, Serve, Open, Shutdown and Close in this order. They must not call Open
// if the start of the member fails.
type Server struct {
	cfg      Config
	process  process
	handlers atomic.Pointer[Handlers]
	opened   chan struct{} // closed by Open
	stopping chan struct{} // closed by Shutdown
	stopOnce sync.Once
	failed   chan error      // has the first error of a listener
	running  context.Context // until Close
	stop     context.CancelFunc

	clients, clientsHTTP2, peers, metrics *http.Server

	front *h2.Front // of the connections of HTTP/2 on the client URLs
}

// NewServer makes a Server.
func NewServer(cfg Config) *Server {
	s := &Server{cfg: cfg, opened: make(chan struct{}), stopping: make(chan struct{}), failed: make(chan error, 1)}
	s.running, s.stop = context.WithCancel(context.Background())
	s.process = newProcess(cfg, notStarted, notReady(cfg.ReadyChecks), s.authorizeProfile)
	clients := newHosts(cfg.HostWhitelist).wrap(cfg.Limits.wrap(s.cutOffStalled(s.clientHandler())), cfg.Metrics)
	s.clients = newHTTPServer(clients, cfg.Logger.Named("client"))
	s.clients.ConnContext = stream.WithConn
	s.clientsHTTP2, s.front = newHTTP2Server(clients, cfg.Logger.Named("client")), newFront(cfg)
	s.clients.MaxHeaderBytes, s.clientsHTTP2.MaxHeaderBytes = cfg.MaxHeaderBytes, cfg.MaxHeaderBytes
	s.peers = newHTTPServer(s.peerHandler(), cfg.Logger.Named("peer"))
	s.metrics = newHTTPServer(s.metricsHandler(), cfg.Logger.Named("metrics"))
	if cfg.BaseContext != nil {
		base := func(net.Listener) context.Context { return cfg.BaseContext }
		s.clients.BaseContext, s.clientsHTTP2.BaseContext = base, base
	}
	return s
}

func newHTTPServer(h http.Handler, log *zap.Logger) *http.Server {
	s := &http.Server{Handler: h, ReadHeaderTimeout: HeaderTimeout, ErrorLog: zap.NewStdLog(log)}
	closeUnusedConns(s)
	return s
}

// Serve begins to accept connections on all listeners and returns at once. The Server then owns the listeners. Serve must be called
// at most once. The channel receives the first error of a listener, but none after Shutdown or Close.
func (s *Server) Serve(l Listeners) <-chan error {
	go s.accept(s.clientsHTTP2, s.front.HTTP())
	clientConns := s.clientConns()
	metricsConns := clientConns
	clientConns.plainHTTP2, clientConns.secureHTTP2 = s.servePlainHTTP2, s.serveSecureHTTP2
	for _, g := range []listenerGroup{
		{"client", s.clients, l.Client, s.cfg.Connections.Client, clientProtocols, clientConns},
		{"peer", s.peers, l.Peer, s.cfg.Connections.Peer, peerProtocols, connWrappers{}},
		{"metrics", s.metrics, l.Metrics, s.cfg.Connections.Metrics, clientProtocols, metricsConns},
	} {
		if len(g.listeners) > 0 { // newAdmission would register metrics that stay 0
			s.serveGroup(g)
		}
	}
	return s.failed
}

// listenerGroup is a group of listeners that one http.Server serves.
type listenerGroup struct {
	name      string
	server    *http.Server
	listeners []Listener
	limit     int // of open connections
	protocols []string
	conns     connWrappers
}

// connWrappers wrap the connections of a group, or take them over. All may be nil.
type connWrappers struct {
	listen      func(net.Listener) net.Listener // for all connections, below TLS
	secure      func(*tls.Conn) net.Conn        // for HTTP/1 over TLS, after the handshake
	plainHTTP2  func(c net.Conn, read []byte)   // takes over connections of HTTP/2 without TLS; see admittedConn
	secureHTTP2 func(*tls.Conn)                 // takes over connections of HTTP/2 over TLS, after the handshake
}

// clientConns returns what bounds the time in which a client reads nothing. Without DetectClose it also makes requests cheaper.
func (s *Server) clientConns() connWrappers {
	stalls := s.stallPolicy()
	switch {
	case stalls.Timeout == 0:
		return connWrappers{}
	case bool(s.cfg.DetectClose):
		return connWrappers{listen: func(l net.Listener) net.Listener { return stream.LimitStalls(l, stalls) }}
	}
	return connWrappers{listen: func(l net.Listener) net.Listener { return stream.Listen(l, stalls) }, secure: stream.Secure}
}

func (s *Server) stallPolicy() stream.StallPolicy {
	return stream.StallPolicy{Timeout: s.cfg.StallTimeout, Metrics: s.cfg.Metrics, Logger: s.cfg.Logger}
}

// serveGroup begins to accept connections on the listeners of a group.
func (s *Server) serveGroup(g listenerGroup) {
	limits := newAdmission(g.name, g.limit, s.cfg.Metrics, s.cfg.Logger)
	var secure *secureGroup
	for _, l := range g.listeners {
		if l.TLS != nil && secure == nil {
			secure = newSecureGroup(g.name, l.TLS, g.protocols, s.cfg.Metrics, s.cfg.Logger)
			if g.conns.secure != nil {
				secure.wrap = g.conns.secure
			}
			secure.http2 = g.conns.secureHTTP2
			go secure.run(s.running)
		}
		socket := l.Listener
		if l.TLS == nil {
			socket = limits.Listen(socket, nil, g.conns.plainHTTP2)
		} else {
			socket = limits.Listen(socket, secure.config, nil)
		}
		if g.conns.listen != nil {
			socket = g.conns.listen(socket)
		}
		if l.TLS != nil {
			socket = secure.Listen(socket, l.Plaintext)
		}
		go s.accept(g.server, socket)
	}
}

// accept serves one listener until the server is shut down or the listener fails.
func (s *Server) accept(server *http.Server, l net.Listener) {
	s.report(l, server.Serve(l))
}

// report passes the error with which a server has ended to the channel of Serve, unless the Server stops.
func (s *Server) report(l net.Listener, err error) {
	if err == nil || errors.Is(err, http.ErrServerClosed) || s.running.Err() != nil {
		return
	}
	select {
	case <-s.stopping:
		return
	default:
	}
	select {
	case s.failed <- fmt.Errorf("listening on %s: %w", l.Addr(), err):
	default: // an earlier error was reported
	}
}

// Open makes the handlers serve all requests from now on. It must be called at most once.
func (s *Server) Open(h Handlers) {
	s.handlers.Store(&h)
	close(s.opened)
	s.serveGRPC(h.GRPC)
	if h.KeepAlive != nil {
		go s.accept(s.clients, h.KeepAlive)
	}
}

// Shutdown stops accepting clients, calls OnShutdown, and waits for the remaining requests until ctx is done. Then it closes their
// connections and returns the error of ctx. Peers are served until Close: the member may have to transfer the leadership.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopOnce.Do(func() {
		close(s.stopping)
		if h := s.handlers.Load(); h != nil && h.OnShutdown != nil {
			h.OnShutdown()
		}
	})
	s.front.Close()
	shutdowns := []func() error{}
	for _, server := range []*http.Server{s.clients, s.clientsHTTP2, s.metrics} {
		shutdowns = append(shutdowns, func() error {
			err := server.Shutdown(ctx)
			if err != nil {
				_ = server.Close() // its error would repeat that of Shutdown
			}
			return err
		})
	}
	if h := s.handlers.Load(); h != nil && h.GRPC != nil {
		shutdowns = append(shutdowns, func() error { return h.GRPC.Shutdown(ctx) })
	}
	return callAll(shutdowns)
}

// callAll calls all functions at once and returns their errors, joined.
func callAll(functions []func() error) error {
	errs := make([]error, len(functions))
	var done sync.WaitGroup
	for i, f := range functions {
		done.Go(func() { errs[i] = f() })
	}
	done.Wait()
	return errors.Join(errs...)
}

// Close closes all listeners and connections, including those of peers.
func (s *Server) Close() {
	s.stop()
	s.front.Close()
	for _, server := range []*http.Server{s.clients, s.clientsHTTP2, s.peers, s.metrics} {
		_ = server.Close() // nothing is lost with a listener or a connection
	}
	if h := s.handlers.Load(); h != nil && h.GRPC != nil {
		_ = h.GRPC.Shutdown(s.running) // it closes all connections at once, and its error says so
	}
}
