package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// DefaultBodyTimeout is how long a member may pause in the middle of an answer, unless Config.BodyTimeout says otherwise.
const DefaultBodyTimeout = 30 * time.Second

// idleConnections is how many connections to one member are kept for the next requests.
const idleConnections = 16

// Config says which cluster a Client talks to, and how. It is not read after New has returned.
type Config struct {
	// Endpoints are the client URLs of members, at least one. They are asked in this order; the member that answered
	// last is asked first.
	Endpoints []*url.URL
	// TLS is for https endpoints. Nil: the certificate authorities of the system, and no client certificate.
	TLS *tls.Config
	// User and Password are sent with each request, unless User is empty.
	User, Password string
	// DialTimeout limits how long connecting to a member may take; 0: no limit but that of the system.
	DialTimeout time.Duration
	// HeaderTimeout limits the time from a request to the header of its answer; 0: no limit. Watches have no such limit.
	HeaderTimeout time.Duration
	// BodyTimeout limits the time between two pieces of an answer; 0: DefaultBodyTimeout. Watches have no such limit. A
	// whole answer may take as long as it needs.
	BodyTimeout time.Duration
	// Debug gets each request as a curl command; nil: nothing is written.
	Debug io.Writer
}

// Client sends requests to the members of one cluster.
type Client struct {
	config    Config
	transport *http.Transport
	preferred *atomic.Int64 // index in config.Endpoints of the member that is asked first
}

// New makes a client. It connects to nothing yet. HTTP_PROXY and the like count.
func New(config Config) *Client {
	if config.BodyTimeout == 0 {
		config.BodyTimeout = DefaultBodyTimeout
	}
	dialer := &net.Dialer{Timeout: config.DialTimeout, KeepAlive: 30 * time.Second}
	return &Client{config: config, preferred: &atomic.Int64{}, transport: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		TLSClientConfig:     config.TLS,
		MaxIdleConnsPerHost: idleConnections,
	}}
}

// WithEndpoints returns a client like c for other members. The two share their connections.
func (c *Client) WithEndpoints(endpoints ...*url.URL) *Client {
	other := *c
	other.config.Endpoints, other.preferred = endpoints, &atomic.Int64{}
	return &other
}

// WithHeaderTimeout returns a client like c with another limit. The two share their connections.
func (c *Client) WithHeaderTimeout(limit time.Duration) *Client {
	other := c.WithEndpoints(c.config.Endpoints...)
	other.preferred.Store(c.preferred.Load())
	other.config.HeaderTimeout = limit
	return other
}

// HeaderTimeout is the limit in Config.
func (c *Client) HeaderTimeout() time.Duration { return c.config.HeaderTimeout }

// Endpoints lists the URLs of the members that c asks.
func (c *Client) Endpoints() []string {
	names := make([]string, len(c.config.Endpoints))
	for i, u := range c.config.Endpoints {
		names[i] = u.String()
	}
	return names
}

// Sync replaces the endpoints by the client URLs that the members publish, in random order, so that many clients spread
// over the members. If the members publish no URL, the error is ErrUnpublished; after any error the endpoints are the
// same as before. Sync must not run at the same time as another method of c.
func (c *Client) Sync(ctx context.Context) error {
	members, err := c.Members(ctx)
	if err != nil {
		return err
	}
	var published []string
	for _, m := range members {
		published = append(published, m.ClientURLs...)
	}
	if len(published) == 0 {
		return ErrUnpublished
	}
	if urls, err := ParseEndpoints(published...); err == nil {
		Shuffle(urls)
		c.config.Endpoints, c.preferred = urls, &atomic.Int64{}
	}
	return nil
}

// Shuffle puts endpoints into random order.
func Shuffle(endpoints []*url.URL) {
	rand.Shuffle(len(endpoints), func(i, j int) { endpoints[i], endpoints[j] = endpoints[j], endpoints[i] })
}

// Debugf writes to Config.Debug.
func (c *Client) Debugf(format string, args ...any) {
	if c.config.Debug != nil {
		fmt.Fprintf(c.config.Debug, format, args...)
	}
}

// send sends a request to the members in turn until one answers with anything but a 5xx. It stops early when ctx is done,
// or when a request that must not be repeated may have been carried out.
func (c *Client) send(ctx context.Context, r *request) (*answer, error) {
	endpoints := c.config.Endpoints
	first := int(c.preferred.Load())
	failed := &ClusterError{}
	for i := range endpoints {
		at := (first + i) % len(endpoints)
		a, sent, err := c.ask(ctx, endpoints[at], r)
		if err == nil && a.status/100 == 5 {
			err = serverError(endpoints[at], a.status)
		}
		if err == nil {
			c.preferred.Store(int64(at))
			return a, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		failed.Errs = append(failed.Errs, err)
		if sent && r.repetition == unsafe {
			c.preferred.Store(int64((at + 1) % len(endpoints)))
			break
		}
	}
	if r.bareError && len(failed.Errs) == 1 {
		return nil, failed.Errs[0]
	}
	return nil, failed
}

// serverError describes a 5xx answer.
func serverError(endpoint *url.URL, status int) error {
	if status == http.StatusInternalServerError || status == http.StatusServiceUnavailable {
		return fmt.Errorf("client: etcd member %s has no leader", endpoint)
	}
	return fmt.Errorf("client: etcd member %s returns server error [%s]", endpoint, http.StatusText(status))
}

// named adds the endpoint to an error that does not say where it happened.
func named(endpoint *url.URL, err error) error {
	if isContextError(err) {
		return err
	}
	if host := endpoint.Hostname(); host != "" && strings.Contains(err.Error(), host) {
		return err
	}
	return fmt.Errorf("client: endpoint %s: %w", endpoint, err)
}
