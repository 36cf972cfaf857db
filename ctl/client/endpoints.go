package client

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// ParseEndpoint returns the URL that a user means. HOST:PORT and HOST without a scheme are taken for http. A URL may have
// a path, below which the API of the server lies.
func ParseEndpoint(text string) (*url.URL, error) {
	full := strings.TrimSpace(text)
	if !strings.Contains(full, "://") {
		full = "http://" + full
	}
	u, err := url.Parse(full)
	if err != nil {
		return nil, err
	}
	if u.Host == "" {
		return nil, fmt.Errorf("endpoint %q names no host; write it as http://HOST:2379", text)
	}
	return u, nil
}

// ParseEndpoints parses texts, each of one endpoint or of several that are separated by commas, and leaves out blank ones.
// At least one endpoint must be there.
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

// Discover asks DNS for the endpoints of a domain: the SRV records of etcd-client-ssl and etcd-client. The error is nil if
// at least one of the two services could be looked up.
func Discover(ctx context.Context, domain string) (secure, plain []string, err error) {
	secure, errSecure := lookupService(ctx, "etcd-client-ssl", "https", domain)
	plain, errPlain := lookupService(ctx, "etcd-client", "http", domain)
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
