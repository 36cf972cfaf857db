// Package rpc serves gRPC on connections of HTTP/2. It does what a server of grpc-go does, for a fraction of its cost: see
// docs/rejected.md for the figures. Frames are read, checked and their headers decoded by golang.org/x/net/http2.
//
// A call is a request of gRPC. A unary call has one message in each direction. A streaming call has any number of them. A stream is
// always the stream of HTTP/2 that carries a call.
//
// # Goroutines
//
// One goroutine at a time reads a connection. It also runs the handlers of unary calls: a call that does not wait needs no other
// goroutine, and the responses to all requests that were read together leave in one write. Such a handler must call [MayWait] before it
// waits for anything. Another goroutine then reads the connection. The handler of a streaming call has a goroutine of its own from the
// beginning.
//
// Any goroutine may append frames to the output of a connection, under the mutex of the connection. One goroutine at a time writes the
// output to the socket, until no frames are left.
//
// # Bounds
//
//   - A message of a client has at most Config.MaxMessageBytes, and headers have Config.MaxHeaderBytes.
//   - A stream keeps at most streamWindow bytes of messages that its handler has not received, and one incomplete message.
//   - Config.Memory bounds the bytes of all connections: open calls, messages and responses. Each message must arrive within
//     Config.MessageTimeout.
//   - The output of a connection has maxOutput bytes. While it is full, SendMsg waits, and the connection is not read. The response to a
//     unary call is kept until the windows of the client allow to send it. While more than maxUnsent bytes wait for windows, no further
//     long response is encoded. While more than maxBlockedCalls responses wait, new calls are refused.
//   - While more than maxAbandoned handlers run for streams that their client has reset, new calls are refused.
//   - A unary call is reset if its client gives no window for Config.StallTimeout.
//   - The connection is closed if its client sends pings too often, or violates HTTP/2.
//
// The files:
//
//   - server.go: Config, Server, and the goroutines that handlers and connections share
//   - conn.go: reading a connection; frames.go: what each frame does
//   - head.go: the headers of requests; context.go: the context of a call
//   - call.go: unary calls; stream.go: the state of a stream, and streaming calls
//   - memory.go: the memory of all connections; upload.go: messages that arrive in parts, and the time limit for them
//   - refusal.go: what is refused because of a limit
//   - shutdown.go: the end of a connection after a GOAWAY
//   - stalled.go: the reset of calls whose clients give no window
//   - output.go: writing, and the flow control of responses; status.go: headers and trailers of responses
//   - message.go: the wire forms of messages; compression.go: messages that clients have compressed
//   - ping.go: pings in both directions, and the end of a connection that is no longer used
package rpc

import (
	"context"
	"math"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// Method serves a method. Exactly one of the fields must be set.
type Method struct {
	// Unary serves a call with one request and one response. It may call decode once, with a pointer to the request, and must call MayWait
	// before it waits for anything. The response is a Message or a proto.Message. The error should have a status.
	Unary func(ctx context.Context, decode func(any) error) (any, error)
	// Stream serves a streaming call. It must return when the context of the call is done.
	Stream func(grpc.ServerStream) error
}

// Config contains the parameters of a Server. A number that is 0 stands for the default of grpc-go.
type Config struct {
	// Methods are the methods by their paths, such as "/etcdserverpb.KV/Put". The map must not change after New.
	Methods map[string]Method
	// NewContext returns the context for requests with these metadata. Further requests of the connection with the same metadata have the
	// same context as their parent.
	NewContext func(c net.Conn, md metadata.MD) context.Context
	// MaxMessageBytes is the length of the longest message that a client may send. It must be set.
	MaxMessageBytes int
	// MaxHeaderBytes is the largest size of the headers of a request, as HTTP/2 defines it. 0 means 1 MiB.
	MaxHeaderBytes uint32
	// MaxStreams is the largest number of calls of one connection at a time. 0 means no limit.
	MaxStreams uint32
	// PingMinTime is the shortest time between two pings of a client. The connection of a client that sends them faster is closed. 0 means
	// five minutes.
	PingMinTime time.Duration
	// PingInterval is the time without a frame from the client after which the server sends a ping, and PingTimeout the time after which
	// the connection is closed if no frame has come. 0 means two hours and twenty seconds.
	PingInterval, PingTimeout time.Duration
	// StallTimeout is the time after which a call is reset if its client gives no window for the rest of the response. 0 means no limit.
	StallTimeout time.Duration
	// MessageTimeout is how long a client may take to send a message, and each frame. A stream may be idle between two messages. 0 means no
	// limit.
	MessageTimeout time.Duration
	// Memory bounds the memory of all connections.
	Memory Memory
	// Stalled is called for each such call, with the mutex of the connection held. It must not wait. It may be nil.
	Stalled func(net.Conn)
	// Refused counts a call that was refused because of a limit. It may be called with the mutex of a connection held, and must
	// not wait. It may be nil.
	Refused func(Refusal)

	lingerTimeout time.Duration // lingerTimeout, or longer in tests
}

// Server serves gRPC. Its methods may be called from any goroutine.
type Server struct {
	cfg      Config
	services map[string]bool
	jobs     chan job
	idle     atomic.Int64 // goroutines that wait for work
	waiting  atomic.Int64 // responses that wait for memory

	clock      atomic.Uint32 // counts parts of Config.MessageTimeout, from 1 on; see endSlow
	clockTimer *time.Timer

	mu       sync.Mutex
	listener map[net.Listener]struct{}
	conns    map[*conn]struct{}
	stopping bool
	empty    chan struct{} // closed when the server stops and has no connections
}

// New makes a Server.
func New(cfg Config) *Server {
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&cfg.PingMinTime, 5 * time.Minute}, {&cfg.PingInterval, 2 * time.Hour}, {&cfg.PingTimeout, 20 * time.Second}} {
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	if cfg.lingerTimeout == 0 {
		cfg.lingerTimeout = lingerTimeout
	}
	if cfg.MaxHeaderBytes == 0 {
		cfg.MaxHeaderBytes = 1 << 20
	}
	if cfg.MaxStreams == 0 {
		cfg.MaxStreams = math.MaxUint32
	}
	s := &Server{
		cfg: cfg, services: map[string]bool{}, jobs: make(chan job), listener: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{},
		empty: make(chan struct{}),
	}
	s.clock.Store(1)
	for path := range cfg.Methods {
		service, _, _ := strings.Cut(path[1:], "/")
		s.services[service] = true
	}
	return s
}

// Serve serves the connections of a listener until the listener is closed. After Shutdown or Close it returns nil.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		return l.Close()
	}
	s.listener[l] = struct{}{}
	if s.clockTimer == nil {
		s.startClock()
	}
	s.mu.Unlock()
	for {
		n, err := l.Accept()
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.stopping {
				return nil
			}
			return err
		}
		s.serveConn(n)
	}
}

func (s *Server) serveConn(n net.Conn) {
	c := newConn(s, n)
	s.mu.Lock()
	stopping := s.stopping
	if !stopping {
		s.conns[c] = struct{}{}
	}
	s.mu.Unlock()
	if stopping {
		_ = n.Close() // an error has no consequence: no call has begun
		return
	}
	c.begin()
	s.run(job{conn: c})
}

// remove removes a closed connection.
func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.checkEmpty()
}

// checkEmpty closes s.empty if the server is stopping and has no connections. Callers must hold mu.
func (s *Server) checkEmpty() {
	if s.stopping && len(s.conns) == 0 {
		select {
		case <-s.empty:
		default:
			close(s.empty)
		}
	}
}

// Shutdown closes the listeners, refuses new calls, and waits until all calls have ended. When ctx is done, it closes all
// connections and returns the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, c := range s.stop() {
		c.drain()
	}
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
		s.Close()
		return ctx.Err()
	}
}

// Close closes the listeners and all connections.
func (s *Server) Close() {
	for _, c := range s.stop() {
		c.mu.Lock()
		c.close(errStopped)
		c.mu.Unlock()
	}
}

// stop closes the listeners and returns the connections.
func (s *Server) stop() (conns []*conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for l := range s.listener {
		_ = l.Close() // Serve returns
	}
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.checkEmpty()
	return conns
}

// job is work for a goroutine: to read a connection, or to run the handler of a streaming call.
type job struct {
	conn   *conn
	stream *stream
}

// maxIdle is the largest number of goroutines that wait for work.
const maxIdle = 256

// run gives a job to an idle goroutine, or to a new one if there is none. The stack of an idle goroutine has grown before.
func (s *Server) run(j job) {
	select {
	case s.jobs <- j:
	default:
		go s.work(j)
	}
}

func (s *Server) work(j job) {
	for {
		if j.stream != nil {
			j.stream.serve()
		} else {
			j.conn.read()
		}
		if s.idle.Add(1) > maxIdle {
			s.idle.Add(-1)
			return
		}
		select {
		case j = <-s.jobs:
			s.idle.Add(-1)
		case <-s.empty:
			return
		}
	}
}
