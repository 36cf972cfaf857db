package httpapi

import (
	"net"
	"net/http"
	"runtime"
	"time"

	"go.uber.org/zap"

	"pando/httpapi/budget"
	"pando/httpapi/service"
	"pando/httpapi/stream"
	"pando/stats"
	"pando/tree"
)

// Config is what the API is made of. All fields must be set, but for those
// whose comment names a default.
type Config struct {
	service.Config
	Metrics *stats.Metrics
	// CORS lists the origins that browsers may call from; "*", or none at all,
	// is any.
	CORS []string
	// MaxRequestBytes bounds the body of a request, each escaped byte of a form counted
	// once; 0 lets forms be as long as the reference does.
	MaxRequestBytes int64
	// MaxInflightBytes bounds the bytes that large requests and answers hold together.
	MaxInflightBytes int64
	// StallTimeout is how long a client may take nothing of what is sent to it.
	StallTimeout time.Duration
	// BodyTimeout bounds how long a client may take to send a body.
	BodyTimeout time.Duration
	// Versions is what /version says.
	Versions Versions
	// Pprof serves /debug/pprof.
	Pprof Switch
	// Processors is how many there are for this process; as many goroutines as run
	// at a time if 0.
	Processors int
	Logger     *zap.Logger
	// Now is the wall clock; time.Now if nil.
	Now func() time.Time
}

// Switch turns a part of the API on or off.
type Switch bool

// The positions of a Switch.
const (
	Off Switch = false
	On  Switch = true
)

// Versions is the answer of /version: the level of the v2 API that is spoken,
// and Pando's own version.
type Versions struct {
	Server  string `json:"etcdserver"`
	Cluster string `json:"etcdcluster"`
	Pando   string `json:"pando"`
}

// Server gives the handlers for the listeners of one member.
type Server struct {
	Config
	process   process
	service   *service.Service
	clusterID []string // a header's value, shared by all answers
	streams   *stream.Dispatcher
	budget    *budget.Bytes

	crossOrigin *http.CrossOriginProtection // of what no web page may do unasked
}

// eventShare is the share of the bytes in flight that the encodings of events may take.
const eventShare = 8

// New makes a Server.
func New(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Processors == 0 {
		cfg.Processors = runtime.GOMAXPROCS(0)
	}
	s := &Server{
		Config:    cfg,
		service:   service.New(cfg.Config),
		clusterID: []string{cfg.Members.ClusterID().String()},
		budget:    budget.New(cfg.MaxInflightBytes-cfg.MaxInflightBytes/eventShare, cfg.Metrics),

		crossOrigin: newCORS(cfg.CORS).protection(),
	}
	s.streams = stream.New(stream.Config{
		Processors: cfg.Processors, StallTimeout: cfg.StallTimeout, Budget: s.budget,
		EventCache: tree.NewEventCache(int(cfg.MaxInflightBytes / eventShare)),
		Metrics:    cfg.Metrics, Logger: cfg.Logger, Ended: s.watchEnded,
	})
	s.process = process{versions: cfg.Versions, metrics: cfg.Metrics.Handler(), health: s.service.Health, pprof: cfg.Pprof, stallTimeout: cfg.BodyTimeout}
	return s
}

// Client is the handler of the client URLs.
func (s *Server) Client() http.Handler {
	r := newRouter()
	s.process.mount(r, monitorRoutes, versionRoutes, profileRoutes)
	mount(r, clientRoutes, s.binding())
	return timeBodies(s.BodyTimeout, newCORS(s.CORS).wrap(cleanPath(r)))
}

// Observation is the handler of the metrics URLs: /metrics and /health alone.
func (s *Server) Observation() http.Handler {
	r := newRouter()
	s.process.mount(r, monitorRoutes)
	return timeBodies(s.BodyTimeout, r)
}

// Peer is the handler of the peer URLs: what register mounts, and what members that look for a cluster read: its members
// and its version.
func (s *Server) Peer(register func(handle func(pattern string, h http.HandlerFunc))) http.Handler {
	r := newRouter()
	register(r.HandleFunc)
	mount(r, peerRoutes, s.binding())
	s.process.mount(r, versionRoutes)
	return timeBodies(s.BodyTimeout, cleanPath(r))
}

func (s *Server) binding() binding[*Server] {
	return binding[*Server]{to: s, metrics: s.Metrics, crossOrigin: s.crossOrigin, refusePage: s.refusePage}
}

// Handlers are what a Gate opens to when the member is ready to be asked: all of its handlers, of which the peers'
// serves what register mounts, too.
func (s *Server) Handlers(register func(handle func(pattern string, h http.HandlerFunc))) Handlers {
	return Handlers{
		Client: s.Client(), Peer: s.Peer(register), Observation: s.Observation(),
		KeepAlive: s.KeepAlive(), CloseWaits: s.CloseWaits,
	}
}

// KeepAlive is one more listener for the server of the client URLs; see stream.Dispatcher.KeepAlive.
func (s *Server) KeepAlive() net.Listener { return s.streams.KeepAlive() }

// CloseWaits ends what could take long when the server shuts down: the watches, and
// the requests that wait for the member to serve. It ends those that still come, too.
func (s *Server) CloseWaits() {
	s.streams.Close()
	s.service.Stop()
}
