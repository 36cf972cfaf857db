package proxy

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"os"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Mode selects the requests that are passed on.
type Mode int

// The modes of a proxy.
const (
	ReadWrite Mode = iota // all
	ReadOnly              // GET only
)

// Config contains the parameters of a Proxy. All fields must be set, except those whose comment gives zero or nil a meaning.
type Config struct {
	Mode Mode
	// PeerURLs are the peer URLs from which the list of members is read. Those in ClusterFile are tried first.
	PeerURLs []string
	// ClusterFile is the path of the file in which the peer URLs of the cluster are saved. Its directory is created if it
	// does not exist.
	ClusterFile string
	// PeerClient reads the list of members.
	PeerClient *http.Client
	// NewTLSConfig returns the TLS configuration of a new connection to an https client URL of a member: the newest client
	// certificate and CAs. The proxy may change the result. If it is nil, the proxy trusts the CAs of the system and has no
	// certificate.
	NewTLSConfig func() *tls.Config
	// FailureWait is the time for which a member gets no requests after a failure.
	FailureWait time.Duration
	// RefreshInterval is the time between two reads of the list of members.
	RefreshInterval time.Duration
	// DialTimeout bounds how long it takes to connect to a member. WriteTimeout and ReadTimeout bound a single write and a
	// single read on such a connection. Zero means no bound. ReadTimeout also ends long polls.
	DialTimeout, WriteTimeout, ReadTimeout time.Duration
	// MaxIdle is the largest number of idle connections to members.
	MaxIdle int
	// BodyTimeout bounds how long a client may take to send the body of a request.
	BodyTimeout time.Duration
	// CORS returns a handler that treats requests of web pages as a member does, and passes the others to next; see httpapi.WithCORS.
	CORS func(next http.Handler) http.Handler
	// Metrics serves /metrics of this process. With HideMetrics the client URLs do not serve it; the metrics URLs do.
	Metrics     http.Handler
	HideMetrics bool
	// UI serves /ui/ of this process; see package ui. With nil the answer is 404.
	UI     http.Handler
	Logger *zap.Logger
}

// Proxy passes requests on.
type Proxy struct {
	cfg       Config
	endpoints *endpoints
	refresher *refresher
	members   *http.Transport // the connections to members
	log       *zap.Logger
}

// New makes a proxy. It fails if ClusterFile exists and can't be read.
func New(cfg Config) (*Proxy, error) {
	p := &Proxy{cfg: cfg, endpoints: newEndpoints(cfg.FailureWait, time.Now), members: newTransport(cfg), log: cfg.Logger}
	r, err := newRefresher(cfg, p.endpoints)
	p.refresher = r
	return p, err
}

// Run keeps the list of members up to date until ctx is done.
func (p *Proxy) Run(ctx context.Context) { p.refresher.run(ctx) }

// CloseIdleConnections closes the idle connections to members. It must be called after certificates, CAs or CRLs have been read
// again, so that the next requests use the newest ones. Requests in progress keep their connections.
func (p *Proxy) CloseIdleConnections() { p.members.CloseIdleConnections() }

// Handler serves the client URLs.
func (p *Proxy) Handler() http.Handler {
	endpoints := p.cfg.CORS(http.HandlerFunc(p.serveEndpoints))
	forward := p.cfg.CORS(p.discardBodies(p.reverseProxy()))
	metrics := p.cfg.Metrics
	if p.cfg.HideMetrics {
		metrics = http.NotFoundHandler()
	}
	ui := p.cfg.UI
	if ui == nil {
		ui = http.NotFoundHandler()
	}
	ui = p.cfg.CORS(ui)
	var handler http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// No router: it would clean the paths, and the member must see them as the client sent them.
		switch path := r.URL.Path; {
		case path == "/metrics":
			metrics.ServeHTTP(w, r)
		case path == "/ui", strings.HasPrefix(path, "/ui/"):
			ui.ServeHTTP(w, r)
		case path == "/v2/config/local/proxy":
			endpoints.ServeHTTP(w, r)
		default:
			r.Header.Del("Upgrade") // members speak HTTP only
			forward.ServeHTTP(w, r)
		}
	})
	if p.cfg.Mode == ReadOnly {
		handler = readOnly(handler)
	}
	return p.limitBodyTime(p.withProbes(handler))
}

// MetricsHandler serves the metrics URLs: the metrics and the probes of this process, and the health of a member.
func (p *Proxy) MetricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", p.limitBodyTime(p.cfg.Metrics))
	mux.Handle("/health", p.Handler())
	return p.withProbes(mux)
}

// readOnly refuses all methods except GET, as the reference does.
func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.WriteHeader(http.StatusNotImplemented)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serveEndpoints responds with the client URLs that are not excluded.
func (p *Proxy) serveEndpoints(w http.ResponseWriter, r *http.Request) {
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

// reverseProxy returns the handler that passes requests on.
func (p *Proxy) reverseProxy() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			// The member must see the query as the client sent it, even if it is malformed.
			r.Out.URL.RawQuery = r.In.URL.RawQuery
			r.Out.URL.Scheme = "http" // attempt.send replaces it, and sets the host
			r.Out.Host = ""
			r.SetXForwarded()
			// A member takes no certificate for that of the client if the request has Via or X-Forwarded-For. The latter is missing
			// for a client of a unix socket, so the proxy always sends Via.
			r.Out.Header.Add("Via", strings.TrimPrefix(r.In.Proto, "HTTP/")+" pando")
		},
		Transport:      &failover{next: p.members, endpoints: p.endpoints, onFailure: p.refresher.trigger, log: p.log},
		FlushInterval:  -1, // each event of a watch is passed on at once
		ModifyResponse: adaptResponse,
		ErrorHandler:   p.writeError,
		ErrorLog:       zap.NewStdLog(p.log.WithOptions(zap.IncreaseLevel(zap.ErrorLevel))),
	}
}

// adaptResponse prepares a member's response for the client. It removes the CORS headers of the member, because Config.CORS has
// set those of the proxy. Access-Control-Expose-Headers stays: it counts only where the proxy allows the page to read the response.
func adaptResponse(resp *http.Response) error {
	for _, name := range []string{"Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Allow-Origin"} {
		resp.Header.Del(name)
	}
	if vary := resp.Header["Vary"]; vary != nil {
		resp.Header["Vary"] = slices.DeleteFunc(vary, func(header string) bool { return header == "Origin" })
	}
	if isWatch(resp) {
		resp.Body = &watchBody{ReadCloser: resp.Body, ctx: resp.Request.Context()}
	}
	return nil
}

// writeError responds to a request that no member answered.
func (p *Proxy) writeError(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusBadGateway, ""
	switch failed := (*failedError)(nil); {
	case errors.Is(err, os.ErrDeadlineExceeded) && errors.Is(err, errClientBody):
		status, text = http.StatusBadRequest, fmt.Sprintf("%v: it took longer than %v", errClientBody, p.cfg.BodyTimeout)
	case errors.Is(err, errClientBody), errors.Is(err, errUnsendable):
		status, text = http.StatusBadRequest, err.Error()
	case r.Context().Err() != nil:
		// The client is gone, or the proxy stops. A client that closed only its sending side still reads this response.
		// Without it net/http would send an empty 200.
		text = "httpproxy: the request was given up before a member answered"
	case errors.Is(err, errNoEndpoints), errors.Is(err, errNoResources):
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
		w.Header().Set("Connection", "close") // otherwise net/http would wait for the rest of the body
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	writeJSON(w, struct {
		Message string `json:"message"`
	}{text}, "")
}

// writeJSON writes a body as JSON, and then end. The encoding of the body must not be able to fail.
func writeJSON(w http.ResponseWriter, body any, end string) {
	text, _ := json.Marshal(body)
	_, _ = w.Write(append(text, end...)) // an error means that the client is gone
}
