package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"
)

// socketMark begins the address of a unix socket.
const socketMark = "unix:"

// security says how the connections to an address are made.
type security int

// The values of security.
const (
	plainText security = iota
	overTLS
)

// securityKey is the key of the attribute of an address with its security.
type securityKey struct{}

// ErrNoEndpoint is the error of New for a Config without endpoints.
var ErrNoEndpoint = errors.New("no endpoint is given: write --endpoints HOST:2379")

// parseEndpoints returns the addresses of endpoints, each as an endpoint of its own. byDefault is the security of those without a scheme.
func parseEndpoints(endpoints []string, byDefault security) ([]resolver.Endpoint, error) {
	var all []resolver.Endpoint
	for _, endpoint := range endpoints {
		address, err := parseEndpoint(endpoint, byDefault)
		if err != nil {
			return nil, err
		}
		all = append(all, resolver.Endpoint{Addresses: []resolver.Address{address}})
	}
	if len(all) == 0 {
		return nil, ErrNoEndpoint
	}
	return all, nil
}

// parseEndpoint returns the address of one endpoint.
func parseEndpoint(endpoint string, byDefault security) (resolver.Address, error) {
	if !strings.Contains(endpoint, "://") {
		if path, ok := strings.CutPrefix(endpoint, socketMark); ok {
			return address(socketMark+path, "localhost", byDefault), nil
		}
		return address(endpoint, hostOf(endpoint), byDefault), nil
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return resolver.Address{}, fmt.Errorf("endpoint %q: %w", endpoint, err)
	}
	if u.User != nil {
		return resolver.Address{}, fmt.Errorf("endpoint %s names a user; leave that out, and give the user with --user", u.Redacted())
	}
	as := plainText
	if u.Scheme == "https" || u.Scheme == "unixs" {
		as = overTLS
	}
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" {
			return resolver.Address{}, fmt.Errorf("endpoint %q names no host; write it as %s://HOST:2379", endpoint, u.Scheme)
		}
		return address(u.Host, u.Hostname(), as), nil
	case "unix", "unixs":
		return address(socketMark+u.Host+u.Path, "localhost", as), nil
	}
	return resolver.Address{}, fmt.Errorf("endpoint %q has an unknown scheme; write HOST:PORT, or a URL with http, https, unix or unixs",
		endpoint)
}

func address(target, host string, as security) resolver.Address {
	return resolver.Address{Addr: target, ServerName: host, Attributes: attributes.New(securityKey{}, as)}
}

// hostOf returns the host of HOST:PORT.
func hostOf(target string) string {
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		return target
	}
	return host
}

// dial connects to an address of parseEndpoint. A socket that does not exist may be one by the name HOST:PORT, as etcd makes it.
func dial(ctx context.Context, target string) (net.Conn, error) {
	var d net.Dialer
	if path, ok := strings.CutPrefix(target, socketMark); ok {
		return d.DialContext(ctx, "unix", path)
	}
	return d.DialContext(ctx, "tcp", target)
}
