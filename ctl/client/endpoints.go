package client

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// The schemes of unix sockets: with HTTP, and with HTTP over TLS.
const (
	schemeUnix    = "unix"
	schemeUnixTLS = "unixs"
)

// ParseEndpoint parses an endpoint. Without a scheme, HOST and HOST:PORT stand for http. The URL may have a path: the API
// of the server is below this path. unix:///PATH and unixs:///PATH are unix sockets.
func ParseEndpoint(text string) (*url.URL, error) {
	full := strings.TrimSpace(text)
	if !strings.Contains(full, "://") {
		full = "http://" + full
	}
	u, err := url.Parse(full)
	if err != nil {
		return nil, err
	}
	if u.User != nil {
		return nil, fmt.Errorf("endpoint %s names a user; leave that out, and give the user with --username", u.Redacted())
	}
	if SocketPath(u) != "" {
		return u, nil
	}
	if u.Host == "" {
		return nil, fmt.Errorf("endpoint %q names no host; write it as http://HOST:2379", text)
	}
	return u, nil
}

// ParseEndpoints parses texts. Each holds endpoints, separated by commas. Blank endpoints are skipped. Without any endpoint,
// ParseEndpoints returns an error.
func ParseEndpoints(texts ...string) ([]*url.URL, error) {
	var urls []*url.URL
	all := strings.Join(texts, ",")
	for text := range strings.SplitSeq(all, ",") {
		if strings.TrimSpace(text) == "" {
			continue
		}
		u, err := ParseEndpoint(text)
		if err != nil {
			return nil, err
		}
		urls = append(urls, u)
	}
	if len(urls) == 0 {
		return nil, fmt.Errorf("%q names no endpoint; write it as http://HOST:2379", all)
	}
	return urls, nil
}

// Discover looks up the endpoints of a domain in the DNS: the SRV records of the services etcd-client-ssl (secure) and
// etcd-client (plain), or, with a suffix, etcd-client-ssl-SUFFIX and etcd-client-SUFFIX. It returns an error only if both lookups fail.
func Discover(ctx context.Context, domain, suffix string) (secure, plain []string, err error) {
	if suffix != "" {
		suffix = "-" + suffix
	}
	secure, errSecure := lookupService(ctx, "etcd-client-ssl"+suffix, "https", domain)
	plain, errPlain := lookupService(ctx, "etcd-client"+suffix, "http", domain)
	if errSecure != nil && errPlain != nil {
		return nil, nil, fmt.Errorf("dns lookup errors: %w and %w", errSecure, errPlain)
	}
	return secure, plain, nil
}

func lookupService(ctx context.Context, service, scheme, domain string) ([]string, error) {
	_, records, err := net.DefaultResolver.LookupSRV(ctx, service, "tcp", domain)
	if err != nil {
		return nil, err
	}
	var endpoints []string
	for _, r := range records {
		endpoints = append(endpoints, scheme+"://"+net.JoinHostPort(r.Target, strconv.Itoa(int(r.Port))))
	}
	return endpoints, nil
}
