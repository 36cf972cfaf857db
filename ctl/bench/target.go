package bench

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"pando/ctl/client"
)

// errTarget is wrapped by every error about a server that cannot be put under load.
var errTarget = errors.New("cannot use the server")

const dialTimeout = 5 * time.Second

// A target is the server or cluster that gets the load. It does not change after newTarget.
type target struct {
	endpoints []*endpoint
}

// An endpoint is one base URL of a target.
type endpoint struct {
	base   *url.URL
	url    string // scheme and host, without a slash at the end
	addr   string // host:port
	tls    *tls.Config
	header string // the header lines of every request, each with its line break
}

// A credential identifies the load generator to a server. The zero value is no credential.
type credential struct {
	tls  *tls.Config // nil if no certificate, key or CA bundle was given
	user string      // name:password, or empty
}

// standardPorts are the ports of URLs without a port.
var standardPorts = map[string]string{"http": "80", "https": "443"}

// newTarget returns the target with these base URLs.
func newTarget(texts []string, cred credential) (*target, error) {
	urls, err := client.ParseEndpoints(texts...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTarget, err)
	}
	t := &target{}
	for _, u := range urls {
		ep, err := newEndpoint(u, cred)
		if err != nil {
			return nil, err
		}
		t.endpoints = append(t.endpoints, ep)
	}
	return t, nil
}

func newEndpoint(u *url.URL, cred credential) (*endpoint, error) {
	port := standardPorts[u.Scheme]
	if port == "" {
		return nil, fmt.Errorf("%w: endpoint %s: the scheme must be http or https", errTarget, u)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("%w: endpoint %s: it names no host", errTarget, u)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("%w: endpoint %s: leave out everything after the port", errTarget, u)
	}
	ep := &endpoint{base: u, url: u.Scheme + "://" + u.Host, addr: net.JoinHostPort(u.Hostname(), port), header: "Host: " + u.Host + "\r\n"}
	if u.Scheme == "https" {
		ep.tls = &tls.Config{}
		if cred.tls != nil {
			ep.tls = cred.tls.Clone()
		}
		ep.tls.ServerName = u.Hostname()
	}
	if cred.user != "" {
		ep.header += "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(cred.user)) + "\r\n"
	}
	return ep, nil
}

// String lists the base URLs, separated by commas.
func (t *target) String() string {
	urls := make([]string, len(t.endpoints))
	for i, ep := range t.endpoints {
		urls[i] = ep.url
	}
	return strings.Join(urls, ",")
}

// endpoint returns the endpoint of connection n. Connections are spread evenly over the endpoints.
func (t *target) endpoint(n int) *endpoint { return t.endpoints[n%len(t.endpoints)] }

func (ep *endpoint) dial(ctx context.Context) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: dialTimeout}
	if ep.tls == nil {
		return dialer.DialContext(ctx, "tcp", ep.addr)
	}
	return (&tls.Dialer{NetDialer: dialer, Config: ep.tls}).DialContext(ctx, "tcp", ep.addr)
}

// leader returns a target with only the leader: the endpoint of t whose member leads or, if there is none, the first client URL
// of the leader.
func (t *target) leader(ctx context.Context, cred credential) (*target, error) {
	var lastErr error
	for _, ep := range t.endpoints {
		self, err := ep.client(cred).Self(ctx)
		if err != nil {
			lastErr = err
		} else if self.Leads() {
			return &target{endpoints: []*endpoint{ep}}, nil
		}
	}
	for _, ep := range t.endpoints {
		leader, err := ep.client(cred).Leader(ctx)
		if err != nil {
			lastErr = err
		} else if len(leader.ClientURLs) > 0 {
			return newTarget(leader.ClientURLs[:1], cred)
		}
	}
	if lastErr == nil {
		lastErr = errors.New("no member says that it leads")
	}
	return nil, fmt.Errorf("%w: --target-leader finds no leader by asking %s: %w", errTarget, t, lastErr)
}

// client returns a client for requests that are not part of the load.
func (ep *endpoint) client(cred credential) *client.Client {
	user, password, _ := strings.Cut(cred.user, ":")
	return client.New(client.Config{
		Endpoints: []*url.URL{ep.base}, TLS: cred.tls, User: user, Password: password,
		DialTimeout: dialTimeout, HeaderTimeout: dialTimeout,
	})
}
