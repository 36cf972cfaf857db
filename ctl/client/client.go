package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// DefaultBodyTimeout is used if Config.BodyTimeout is zero.
const DefaultBodyTimeout = 30 * time.Second

// idleConnections is the number of idle connections to each member that are kept.
const idleConnections = 16

// Config is the configuration of a Client.
type Config struct {
	// Endpoints are the client URLs of at least one member. A request goes to the endpoint that responded last, then to
	// the others in this order.
	Endpoints []*url.URL
	// TLS is used for https endpoints. Nil stands for the system's certificate authorities and no client certificate.
	TLS *tls.Config
	// User and Password are sent with each request, unless User is empty.
	User, Password string
	// DialTimeout limits the time for connecting to a member. Zero is the limit of the system.
	DialTimeout time.Duration
	// HeaderTimeout limits the time from a request to the header of its response. Zero is no limit. It does not apply to
	// watches.
	HeaderTimeout time.Duration
	// BodyTimeout limits the time between two pieces of a response's body. Zero is DefaultBodyTimeout. It does not apply to
	// watches. The time for the whole body is not limited.
	BodyTimeout time.Duration
	// Debug receives each request as a curl command. It may be nil.
	Debug io.Writer
}

// Client sends requests to the members of one cluster.
type Client struct {
	config    Config
	transport *http.Transport
	preferred *atomic.Int64 // index in config.Endpoints of the endpoint to which requests go first
}

// New makes a client. It opens no connection. The client uses the proxies of the environment, such as HTTP_PROXY.
func New(config Config) *Client {
	if config.BodyTimeout == 0 {
		config.BodyTimeout = DefaultBodyTimeout
	}
	return &Client{config: config, preferred: &atomic.Int64{}, transport: newTransport(&config)}
}

// WithEndpoints returns a copy of c with other endpoints. The two clients share their connections.
func (c *Client) WithEndpoints(endpoints ...*url.URL) *Client {
	other := *c
	other.config.Endpoints, other.preferred = endpoints, &atomic.Int64{}
	return &other
}

// WithHeaderTimeout returns a copy of c with another HeaderTimeout, which sends its first request to the same member. The two
// clients share their connections.
func (c *Client) WithHeaderTimeout(limit time.Duration) *Client {
	other := c.WithEndpoints(c.config.Endpoints...)
	other.preferred.Store(c.preferred.Load())
	other.config.HeaderTimeout = limit
	return other
}

// HeaderTimeout returns Config.HeaderTimeout.
func (c *Client) HeaderTimeout() time.Duration { return c.config.HeaderTimeout }

// Endpoints returns the URLs to which c sends requests.
func (c *Client) Endpoints() []string {
	names := make([]string, len(c.config.Endpoints))
	for i, u := range c.config.Endpoints {
		names[i] = u.String()
	}
	return names
}

// Sync replaces the endpoints by the client URLs that the members publish, in random order, so that many clients spread
// over the members. It returns ErrUnpublished if the members publish no URL. After an error the endpoints are the same as
// before. If all endpoints have TLS, Sync leaves out URLs without TLS, so that a member can't make c send a password in plain text. It
// keeps the endpoints if no URL remains. Sync must not run at the same time as another method of c.
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
	urls, err := ParseEndpoints(published...)
	if err == nil && !slices.ContainsFunc(c.config.Endpoints, isPlain) {
		urls = slices.DeleteFunc(urls, isPlain)
	}
	if err == nil && len(urls) > 0 {
		Shuffle(urls)
		c.config.Endpoints, c.preferred = urls, &atomic.Int64{}
	}
	return nil
}

// UsableURL returns the first of a member's URLs to which c may send requests, or an empty text if there is none. If all endpoints of c
// have TLS, the URL must have TLS, too.
func (c *Client) UsableURL(urls []string) string {
	for _, text := range urls {
		u, err := ParseEndpoint(text)
		if err != nil || !isPlain(u) || slices.ContainsFunc(c.config.Endpoints, isPlain) {
			return text
		}
	}
	return ""
}

// isPlain reports whether others can read the requests to an endpoint in the network.
func isPlain(endpoint *url.URL) bool { return endpoint.Scheme == "http" }

// Shuffle puts endpoints into random order.
func Shuffle(endpoints []*url.URL) {
	rand.Shuffle(len(endpoints), func(i, j int) { endpoints[i], endpoints[j] = endpoints[j], endpoints[i] })
}

// Debugf formats a message and writes it to Config.Debug.
func (c *Client) Debugf(format string, args ...any) {
	if c.config.Debug != nil {
		fmt.Fprintf(c.config.Debug, format, args...)
	}
}

// send sends a request to the members in turn until one responds with a status below 500. It stops early if ctx is done, or
// if a member may have executed a request that is not repeatable.
func (c *Client) send(ctx context.Context, r *request) (*answer, error) {
	endpoints := c.config.Endpoints
	first := int(c.preferred.Load())
	failed := &ClusterError{}
	for i := range endpoints {
		at := (first + i) % len(endpoints)
		a, sent, err := c.sendTo(ctx, endpoints[at], r)
		switch {
		case err != nil:
		case a.status/100 == 5:
			err = serverError(endpoints[at], a.status)
			if r.detailed {
				err = fmt.Errorf("%w: %w", err, a.mirrorRefusal())
			}
		case refusesPlainHTTP(a.status, a.body):
			err, sent = withEndpoint(endpoints[at], errPlainHTTP), false
		}
		if err == nil {
			c.preferred.Store(int64(at))
			return a, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		failed.Errs = append(failed.Errs, err)
		if sent && r.repetition == unrepeatable {
			c.preferred.Store(int64((at + 1) % len(endpoints)))
			break
		}
	}
	if r.bareError && len(failed.Errs) == 1 {
		return nil, failed.Errs[0]
	}
	return nil, failed
}

// serverError is the error for a response with status 5xx.
func serverError(endpoint *url.URL, status int) error {
	if status == http.StatusInternalServerError || status == http.StatusServiceUnavailable {
		// This is the text of the legacy client. Overload and a stop of the member have the same status.
		return fmt.Errorf("client: etcd member %s has no leader", endpoint)
	}
	return fmt.Errorf("client: etcd member %s returns server error [%s]", endpoint, http.StatusText(status))
}

// withEndpoint adds the endpoint to an error that does not name its host.
func withEndpoint(endpoint *url.URL, err error) error {
	if isContextError(err) {
		return err
	}
	host := endpoint.Hostname()
	if socket := SocketPath(endpoint); socket != "" {
		host = socket
	}
	if host != "" && strings.Contains(err.Error(), host) {
		return err
	}
	return fmt.Errorf("client: endpoint %s: %w", endpoint, err)
}
