package bench

import (
	"cmp"
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
	url    string      // scheme and host, without a slash at the end
	net    string      // tcp or unix
	addr   string      // host:port, or the path of a unix socket
	host   string      // of the header Host
	tls    *tls.Config // nil for plain HTTP
	header string      // the header lines of every request, each with its line break
}

// A credential identifies the load generator to a server. The zero value is no credential.
type credential struct {
	tls  *tls.Config // nil if no certificate, key or CA bundle was given
	user string      // name:password, or empty
}

// socketHost is the host in requests to a unix socket.
const socketHost = "localhost"

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
	ep := &endpoint{base: u, url: u.Scheme + "://" + u.Host, net: "tcp", host: u.Host}
	secure, name := u.Scheme == "https", u.Hostname()
	if socket := client.SocketPath(u); socket != "" {
		ep.url, ep.net, ep.addr, ep.host = u.String(), "unix", socket, socketHost
		secure, name = u.Scheme == "unixs", socketHost
	} else if err := ep.setAddress(u); err != nil {
		return nil, err
	}
	if secure {
		ep.tls = &tls.Config{}
		if cred.tls != nil {
			ep.tls = cred.tls.Clone()
		}
		ep.tls.ServerName = cmp.Or(ep.tls.ServerName, name)
	}
	ep.header = "Host: " + ep.host + "\r\n"
	if cred.user != "" {
		ep.header += "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(cred.user)) + "\r\n"
	}
	return ep, nil
}

// setAddress sets the address of a URL with the scheme http or https.
func (ep *endpoint) setAddress(u *url.URL) error {
	port := standardPorts[u.Scheme]
	if port == "" {
		return fmt.Errorf("%w: endpoint %s: the scheme must be http, https, unix or unixs", errTarget, u)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if u.Hostname() == "" {
		return fmt.Errorf("%w: endpoint %s: it names no host", errTarget, u)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return fmt.Errorf("%w: endpoint %s: leave out everything after the port", errTarget, u)
	}
	ep.addr = net.JoinHostPort(u.Hostname(), port)
	return nil
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
	raw, err := dialer.DialContext(ctx, ep.net, ep.addr)
	if err != nil || ep.tls == nil {
		return raw, err
	}
	nc, err := client.HandshakeTLS(ctx, raw, ep.tls, ep.addr)
	return nc, ep.explain(err)
}

// explain adds advice to an error of TLS. Servers with TLS 1.3 refuse the certificate of a client only when it sends its first request.
func (ep *endpoint) explain(err error) error {
	if err == nil || ep.tls == nil {
		return err
	}
	return client.ExplainTLS(err, ep.tls)
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
