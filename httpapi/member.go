package httpapi

import (
	"net/http"
	"runtime"
	"time"

	"github.com/go-chi/chi/v5"

	"pando/httpapi/auth"
	"pando/httpapi/budget"
	"pando/httpapi/service"
	"pando/httpapi/stream"
	v2 "pando/httpapi/v2"
	v3 "pando/httpapi/v3"
	"pando/stats"
	"pando/tree"
)

// MemberConfig contains the parameters of a Member. All fields must be set unless their comment says otherwise.
type MemberConfig struct {
	// Config is that of the Server to which the Member belongs.
	Config
	// Service is the configuration of the operations. NewMember sets its Auth and CountForward.
	Service service.Config
	// ClientCertificates is true if verified client certificates identify the senders of requests (--client-cert-auth).
	ClientCertificates bool
	// MaxFailedLogins is the number of logins per minute that may fail for each user name and for each address. 0 means no limit.
	MaxFailedLogins int
	// AuthTokenTTL is the time after which a token of the v3 API ends that is not used.
	AuthTokenTTL time.Duration
	// BcryptPasswords is set if new passwords are hashed with bcrypt, which etcd can verify, in place of argon2id.
	BcryptPasswords bool
	// MaxRequestBytes bounds the body of a request. An escaped byte of a form counts as one byte. With 0 the limit is that of
	// the reference.
	MaxRequestBytes int64
	// MaxInflightBytes bounds the bytes of large requests, large responses and the encodings of events in memory.
	MaxInflightBytes int64
	// Processors is the number of processors of this process; runtime.GOMAXPROCS if 0.
	Processors int
	// Source gets the requests that must be forwarded to the etcd that the cluster follows. SourceTimeout bounds how long it may take
	// until the header of its response has arrived.
	Source        v2.Source
	SourceTimeout time.Duration
	// GRPC bounds requests of gRPC, and what one connection of gRPC may do.
	GRPC GRPCLimits
	// ElectionTimeout is the least time without a leader after which streams of gRPC end whose clients ask for a leader.
	ElectionTimeout time.Duration
	// WatchProgressInterval is that of v3.Config.ProgressInterval.
	WatchProgressInterval time.Duration
	// Now is the wall clock; time.Now if nil.
	Now func() time.Time
}

// GRPCLimits bound requests of gRPC, and what one connection of gRPC may do.
type GRPCLimits = v3.Limits

// Member assembles the handlers of a member of a cluster.
type Member struct {
	MemberConfig
	process process
	service *service.Service
	streams *stream.Dispatcher
	budget  *budget.Bytes
	api     *v2.API
	grpc    *v3.Server
}

// eventShare is the divisor of MaxInflightBytes that gives the size of the event cache.
const eventShare = 8

// NewMember makes a Member.
func NewMember(cfg MemberConfig) *Member {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Processors == 0 {
		cfg.Processors = runtime.GOMAXPROCS(0)
	}
	cfg.Service.Auth = auth.New(auth.Config{
		Certificates: cfg.ClientCertificates, FailedLogins: cfg.MaxFailedLogins, TokenTTL: cfg.AuthTokenTTL,
		Bcrypt: cfg.BcryptPasswords, Processors: cfg.Processors,
		Metrics: cfg.Metrics.Logins(), Logger: cfg.Logger.Named("auth"),
	})
	m := &Member{
		MemberConfig: cfg,
		budget:       budget.New(cfg.MaxInflightBytes-cfg.MaxInflightBytes/eventShare, cfg.Metrics),
	}
	mirror := cfg.Metrics.Mirror(m.mirrorPhase, func() uint64 { return m.service.Forwarding() })
	cfg.Service.CountForward = mirror.Forwarded
	m.service = service.New(cfg.Service)
	cfg.Metrics.PinnedViews(cfg.Service.Pins.Views, m.service.PinnedViews)
	m.process = newProcess(cfg.Config, m.service.Health, m.service.ReadyChecks(), m.authorizeProfile)
	m.streams = stream.New(stream.Config{
		Processors: cfg.Processors, StallTimeout: cfg.StallTimeout, Budget: m.budget,
		EventCache: tree.NewEventCache(int(cfg.MaxInflightBytes / eventShare)), Announced: cfg.Service.Tree.Announced,
		Metrics: cfg.Metrics, Logger: cfg.Logger,
		Ended: func(took time.Duration, err error) {
			cfg.Limits.watches.End()
			cfg.Metrics.Observe(stats.OpWatch, v2.Outcome(err), took)
		},
	})
	m.api = v2.New(v2.Config{
		Service: m.service, Source: cfg.Source, SourceTimeout: cfg.SourceTimeout,
		Streams: m.streams, Budget: m.budget, MaxRequestBytes: cfg.MaxRequestBytes,
		Requests: cfg.Limits.requests, Watches: cfg.Limits.watches,
		BodyTimeout: cfg.BodyTimeout, StallTimeout: cfg.StallTimeout, Logger: cfg.Logger, Now: cfg.Now,
	})
	m.grpc = v3.NewServer(v3.Config{
		Service: m.service, Metrics: cfg.Metrics, Requests: cfg.Limits.requests, Watches: cfg.Limits.watches, Limits: cfg.GRPC,
		Messages:        m.budget,
		ElectionTimeout: cfg.ElectionTimeout, ProgressInterval: cfg.WatchProgressInterval, Logger: cfg.Logger,
	})
	return m
}

// mirrorPhase returns the number of the phase of the mirror that this member has applied.
func (m *Member) mirrorPhase() uint64 {
	if mirror := m.Service.Tree.View().Mirror(); mirror != nil {
		return uint64(mirror.Phase)
	}
	return 0
}

// Handlers returns the handlers for Server.Open. registerPeer must register the routes of package raft for the peer URLs, by handle.
func (m *Member) Handlers(registerPeer func(handle func(pattern string, h http.HandlerFunc))) Handlers {
	return Handlers{
		Client: m.clientHandler(), Peer: m.peerHandler(registerPeer), Metrics: m.metricsHandler(),
		GRPC: m.grpc, KeepAlive: m.streams.KeepAlive(), OnShutdown: m.endWaitingRequests,
	}
}

// clientHandler returns the handler of the client URLs.
func (m *Member) clientHandler() http.Handler {
	return limitBodyTime(m.BodyTimeout, newCORS(m.CORS, m.Metrics).wrap(cleanPath(m.clientRouter())))
}

func (m *Member) clientRouter() chi.Router {
	r := newRouter()
	m.process.mountClient(r)
	mount(r, clientRoutes, m.binding())
	mount(r, gatewayRoutes, binding[*v3.Server]{target: m.grpc})
	return r
}

// metricsHandler returns the handler of the metrics URLs.
func (m *Member) metricsHandler() http.Handler {
	return limitBodyTime(m.BodyTimeout, m.metricsRouter())
}

func (m *Member) metricsRouter() chi.Router {
	r := newRouter()
	m.process.mount(r, healthRoutes, metricsRoutes)
	return r
}

// peerHandler returns the handler of the peer URLs.
func (m *Member) peerHandler(register func(handle func(pattern string, h http.HandlerFunc))) http.Handler {
	return limitBodyTime(m.BodyTimeout, cleanPath(m.peerRouter(register)))
}

func (m *Member) peerRouter(register func(handle func(pattern string, h http.HandlerFunc))) chi.Router {
	r := newRouter()
	register(func(pattern string, h http.HandlerFunc) {
		if _, ok := raftAccess[pattern]; !ok {
			panic("httpapi: " + pattern + " has no entry in raftAccess")
		}
		r.HandleFunc(pattern, h)
	})
	mount(r, peerRoutes, m.binding())
	m.process.mount(r, versionRoutes)
	return r
}

func (m *Member) binding() binding[*v2.API] {
	return binding[*v2.API]{target: m.api, metrics: m.Metrics}
}

// authorizeProfile returns nil if the sender of a request may read profiles. After an error it has written the response.
func (m *Member) authorizeProfile(w http.ResponseWriter, r *http.Request) error {
	return m.api.AuthorizeProfile(w, r)
}

// endWaitingRequests ends all watches and all requests that wait until the member is ready, including later ones.
func (m *Member) endWaitingRequests() {
	m.streams.Close()
	m.service.Stop()
}
