package v3

import (
	"context"
	"math"
	"net"
	"time"

	"go.uber.org/zap"

	"pando/httpapi/budget"
	"pando/httpapi/rpc"
	"pando/httpapi/service"
	"pando/stats"
)

// Config contains the parameters of a Server. All fields must be set unless their comment says otherwise.
type Config struct {
	Service *service.Service
	Metrics *stats.Metrics
	// Requests bounds the calls in flight, which it shares with HTTP. Streams are not counted. It may be nil.
	Requests *budget.Count
	// Watches bounds the open watches, which it shares with HTTP. It may be nil.
	Watches *budget.Count
	// ProgressInterval is the time after which a watch without events sends a response that shows its progress, if the client asks for it.
	ProgressInterval time.Duration
	// Messages bounds the long messages of clients in memory. Large requests of HTTP share it. It may be nil.
	Messages *budget.Bytes
	// Limits bound requests, and what one connection may do.
	Limits Limits
	// ElectionTimeout is the least time without a leader after which streams end whose clients ask for a leader.
	ElectionTimeout time.Duration
	Logger          *zap.Logger
}

// Limits bound requests, and what one connection may do.
type Limits struct {
	// Bytes is the number of bytes that open requests and streams, and their responses, may keep in memory.
	Bytes int64
	// RequestBytes is the length of the longest request.
	RequestBytes int64
	// HeaderBytes is the largest size of the headers of a request, as HTTP/2 defines it; 0 for 1 MiB.
	HeaderBytes uint32
	// TxnOps is the largest number of operations of a transaction; see tree.KVTxn.Check.
	TxnOps int
	// Streams is the largest number of requests and streams of one connection at a time; 0 for no limit.
	Streams uint32
	// PingMinTime is the shortest time between two pings of a client that the server accepts. A client that sends them faster loses its
	// connection. 0 means five minutes.
	PingMinTime time.Duration
	// PingInterval is the time without a byte from the client after which the server sends a ping, and PingTimeout the time after which the
	// connection is closed if there is no answer. 0 means two hours and twenty seconds.
	PingInterval, PingTimeout time.Duration
	// StallTimeout is the time after which a request is reset if its client takes nothing of the response. 0 means no limit.
	StallTimeout time.Duration
	// MessageTimeout is how long a client may take to send a message. 0 means no limit.
	MessageTimeout time.Duration
}

// requestOverhead is what a request may be longer than Limits.RequestBytes, so that a request that is slightly too long gets the error of
// the method that it calls, and not that of gRPC.
const requestOverhead = 512 << 10

// Server serves gRPC. Callers must call NewServer, Serve and Shutdown in this order.
type Server struct {
	cfg   Config
	rpc   *rpc.Server
	calls map[string]*call // by the name of the service, a slash, and the name of the method

	gateway gateway

	stopping context.Context // done when Shutdown has begun
	stop     context.CancelFunc
	leader   leaderWatch
}

// NewServer makes a Server. It registers the metrics of all methods, so it must be called at most once for a Metrics.
func NewServer(cfg Config) *Server {
	s := &Server{cfg: cfg, calls: map[string]*call{}}
	s.stopping, s.stop = context.WithCancel(context.Background())
	methods := map[string]rpc.Method{}
	counts := cfg.Metrics.NewGRPC()
	for i := range services {
		services[i].addTo(s, methods, counts)
	}
	s.rpc = rpc.New(rpc.Config{
		Methods: methods, NewContext: newContext,
		MaxMessageBytes: int(min(cfg.Limits.RequestBytes+requestOverhead, math.MaxInt32)),
		MaxStreams:      cfg.Limits.Streams,
		PingMinTime:     cfg.Limits.PingMinTime, PingInterval: cfg.Limits.PingInterval, PingTimeout: cfg.Limits.PingTimeout,
		StallTimeout: cfg.Limits.StallTimeout, Stalled: s.stalled,
		MessageTimeout: cfg.Limits.MessageTimeout, Memory: memory(cfg),
		MaxHeaderBytes: cfg.Limits.HeaderBytes, Refused: func(r rpc.Refusal) { cfg.Metrics.RequestRefused(refusals[r]) },
	})
	s.gateway = newGateway(s)
	return s
}

// memory returns the bounds of the memory. Half of Limits.Bytes is for responses, so that idle streams leave room for them.
func memory(cfg Config) rpc.Memory {
	counts := cfg.Metrics.GRPCMemory(cfg.Limits.Bytes)
	half := cfg.Limits.Bytes / 2
	return rpc.Memory{Messages: cfg.Messages, Streams: budget.New(half, counts), Responses: budget.New(half, counts)}
}

// refusals are the labels of the metric of refused requests.
var refusals = [rpc.RefusalCount]stats.Refusal{
	rpc.TooManyStreams:   stats.RefusedGRPCStreams,
	rpc.TooManyUnread:    stats.RefusedGRPCUnread,
	rpc.TooManyAbandoned: stats.RefusedGRPCAbandoned,
	rpc.HeadersTooLarge:  stats.RefusedGRPCHeaders,
	rpc.MessageTooLarge:  stats.RefusedGRPCMessage,
	rpc.TooManyPings:     stats.RefusedGRPCPings,

	rpc.NoMemory:           stats.RefusedGRPCMemory,
	rpc.NoMemoryForMessage: stats.RefusedGRPCInflight,
	rpc.SlowMessage:        stats.RefusedGRPCSlow,
}

// stalled counts and logs a client that was cut off.
func (s *Server) stalled(c net.Conn) {
	s.cfg.Metrics.Stalled()
	s.cfg.Logger.Warn("a client that read nothing was cut off (--client-stall-timeout)",
		zap.String("client", c.RemoteAddr().String()), zap.Duration("after", s.cfg.Limits.StallTimeout))
}

// services are the services of the server.
var services = []serviceTable{
	{"etcdserverpb.Auth", authMethods},
	{"etcdserverpb.KV", kvMethods},
	{"etcdserverpb.Lease", leaseMethods},
	{"etcdserverpb.Cluster", clusterMethods},
	{"etcdserverpb.Maintenance", maintenanceMethods},
	{"etcdserverpb.Watch", watchMethods},
	{"v3lockpb.Lock", lockMethods},
	{"v3electionpb.Election", electionMethods},
	{"grpc.health.v1.Health", healthMethods},
}

// Serve serves the connections of a listener until the listener is closed.
func (s *Server) Serve(l net.Listener) error {
	go s.leader.run(s)
	return s.rpc.Serve(l)
}

// Shutdown refuses new requests, ends all streams, and waits for the other requests until ctx is done. Then it closes all connections and
// returns the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	return s.rpc.Shutdown(ctx)
}
