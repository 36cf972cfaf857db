package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"os"
	"time"

	"go.uber.org/zap"

	"pando/httpapi"
)

// Mode is which requests are passed on.
type Mode int

// The modes of a proxy.
const (
	ReadWrite Mode = iota // all
	ReadOnly              // GET alone
)

// Config is what a proxy is made of.
type Config struct {
	Mode Mode
	// PeerURLs are where the list of members is read first. A list that an
	// earlier run has kept in ClusterFile comes before them.
	PeerURLs []string
	// ClusterFile is the path of the file in which the peer URLs of the
	// cluster are kept. Its directory is made when it is missing.
	ClusterFile string
	// PeerClient reads the list of members.
	PeerClient *http.Client
	// FailureWait is how long a member that failed gets no requests, and
	// RefreshInterval how often the list of members is read.
	FailureWait, RefreshInterval time.Duration
	// DialTimeout, WriteTimeout and ReadTimeout bound a connection to a member:
	// to open it, and between two writes or reads. Zero is no bound; a read
	// timeout would also end long polls.
	DialTimeout, WriteTimeout, ReadTimeout time.Duration
	// MaxIdle is how many connections to members are kept for later requests.
	MaxIdle int
	// BodyTimeout bounds how long a client may take to send a body.
	BodyTimeout time.Duration
	// CORS lists the origins that browsers may call from, as for a member.
	CORS []string
	// Metrics answers /metrics with what this process counts.
	Metrics http.Handler
	Logger  *zap.Logger
}

// Proxy passes requests on.
type Proxy struct {
	cfg       Config
	endpoints *endpoints
	refresher *refresher
	log       *zap.Logger
}

// New makes a proxy. An error says that ClusterFile is there and can't be read.
func New(cfg Config) (*Proxy, error) {
	p := &Proxy{cfg: cfg, endpoints: newEndpoints(cfg.FailureWait, time.Now), log: cfg.Logger}
	r, err := newRefresher(cfg, p.endpoints)
	p.refresher = r
	return p, err
}

// Run follows the membership of the cluster until ctx is done.
func (p *Proxy) Run(ctx context.Context) { p.refresher.run(ctx) }

// Handler answers clients.
func (p *Proxy) Handler() http.Handler {
	own := httpapi.WithCORS(p.cfg.CORS, http.HandlerFunc(p.showEndpoints))
	passed := httpapi.WithCORS(p.cfg.CORS, p.skipBodies(p.forward()))
	var handler http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A router would clean the paths, which is for the member to do.
		switch r.URL.Path {
		case "/metrics":
			p.cfg.Metrics.ServeHTTP(w, r)
		case "/v2/config/local/proxy":
			own.ServeHTTP(w, r)
		default:
			r.Header.Del("Upgrade") // no member speaks anything else
			passed.ServeHTTP(w, r)
		}
	})
	if p.cfg.Mode == ReadOnly {
		handler = readOnly(handler)
	}
	return p.timeBodies(handler)
}

// Observation is the handler of the extra metrics URLs: the metrics of this
// process, and the health of a member.
func (p *Proxy) Observation() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", p.timeBodies(p.cfg.Metrics))
	mux.Handle("/health", p.Handler())
	return mux
}

// readOnly refuses all but GET, as the reference does.
func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.WriteHeader(http.StatusNotImplemented)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// showEndpoints says where requests go.
func (p *Proxy) showEndpoints(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	writeJSON(w, struct {
		Endpoints []string `json:"endpoints"`
	}{p.endpoints.available()}, "\n")
}

// forward is the handler that passes requests on.
func (p *Proxy) forward() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			// The member shall see the query as the client wrote it, be it malformed.
			r.Out.URL.RawQuery = r.In.URL.RawQuery
			r.Out.URL.Scheme = "http" // and a host: the transport puts those of a member
			r.Out.Host = ""
			r.SetXForwarded()
		},
		Transport:      newFailover(p.cfg, p.endpoints, p.refresher.hurry),
		FlushInterval:  -1, // watches: each event is passed on when it comes
		ModifyResponse: adapt,
		ErrorHandler:   p.refuse,
		ErrorLog:       zap.NewStdLog(p.log.WithOptions(zap.IncreaseLevel(zap.ErrorLevel))),
	}
}

// adapt makes a member's answer the proxy's. The member's CORS headers go, for the proxy has
// set its own.
func adapt(resp *http.Response) error {
	for _, name := range []string{"Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Allow-Origin"} {
		resp.Header.Del(name)
	}
	if isWatch(resp) {
		resp.Body = &watchBody{ReadCloser: resp.Body, ctx: resp.Request.Context()}
	}
	return nil
}

// refuse answers for a member when none did.
func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusBadGateway, ""
	switch failed := (*allFailedError)(nil); {
	case errors.Is(err, os.ErrDeadlineExceeded) && errors.Is(err, errClientBody):
		status, text = http.StatusBadRequest, fmt.Sprintf("%v: it took longer than %v", errClientBody, p.cfg.BodyTimeout)
	case errors.Is(err, errClientBody), errors.Is(err, errUnsendable):
		status, text = http.StatusBadRequest, err.Error()
	case r.Context().Err() != nil:
		// The client has gone, or the proxy stops. One that has closed its side alone reads the answer: no answer
		// at all would become a 200.
		text = "httpproxy: the request was given up before a member answered"
	case errors.Is(err, errNoEndpoints), errors.Is(err, errShortage):
		status, text = http.StatusServiceUnavailable, err.Error()
	case errors.As(err, &failed):
		text = failed.Error()
	default:
		text = fmt.Sprintf("httpproxy: %v", err)
	}
	if r.Context().Err() == nil {
		p.log.Warn("request not passed on", zap.String("method", r.Method), zap.String("path", r.URL.Path), zap.Error(err))
	}
	if errors.Is(err, errClientBody) {
		w.Header().Set("Connection", "close") // or net/http would wait for the rest of the body
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	writeJSON(w, struct {
		Message string `json:"message"`
	}{text}, "")
}

// writeJSON writes a body that can't fail to encode. A client that has gone does
// not get it.
func writeJSON(w http.ResponseWriter, body any, end string) {
	text, _ := json.Marshal(body)
	_, _ = w.Write(append(text, end...))
}
