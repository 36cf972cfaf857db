package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// schemeRule says what a list of URLs is for.
type schemeRule int

const (
	urlsToListen    schemeRule = iota // this process listens on them: an IP or localhost
	urlsToAdvertise                   // others connect to them: any host
)

// parseURLs parses a comma-separated list of URLs. It drops repeated URLs and keeps the order.
func parseURLs(text string, rule schemeRule) ([]url.URL, error) {
	var urls []url.URL
	for _, item := range splitList(text) {
		u, err := parseURL(item, rule)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(urls, u) {
			urls = append(urls, u)
		}
	}
	return urls, nil
}

func parseURL(text string, rule schemeRule) (url.URL, error) {
	wrong := func(problem, fix string) (url.URL, error) {
		return url.URL{}, &valueError{fmt.Sprintf("%q %s", text, problem), fix}
	}
	const form = "write it as http://HOST:PORT"
	if !strings.Contains(text, "://") {
		return wrong("has no scheme", form+", for example http://"+hostPortOf(text))
	}
	u, err := url.Parse(text)
	if err != nil {
		return wrong("is not a URL", form)
	}
	if err := checkScheme(u.Scheme, rule); err != nil {
		return wrong(err.problem, err.fix)
	}
	if u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery || u.User != nil {
		return wrong("has more than a host and a port", form+" and nothing behind or before")
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil || port == "" {
		return wrong("has no port", form+", for example "+u.Scheme+"://"+u.Host+":2379")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || (n == 0 && rule == urlsToAdvertise) {
		return wrong("has a port that cannot be dialled", "use a port from 1 to 65535")
	}
	if host == "" && rule == urlsToAdvertise {
		return wrong("has no host", "name the host that others reach this member by")
	}
	if host == "" {
		return wrong("has no host", "use 127.0.0.1 for this machine alone or 0.0.0.0 for all networks")
	}
	if rule == urlsToListen && host != "localhost" && net.ParseIP(host) == nil {
		return wrong("listens on a name", "use the IP address to bind, 0.0.0.0 for all; names belong in the --advertise URLs")
	}
	return url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func checkScheme(scheme string, rule schemeRule) *valueError {
	switch {
	case scheme == "http", scheme == "https" && rule == urlsToAdvertise:
		return nil
	case scheme == "https":
		return &valueError{"asks for TLS, which this version does not serve", "use http:// on a trusted network, or put a TLS proxy in front"}
	case scheme == "unix", scheme == "unixs":
		return &valueError{"is a unix socket, which this version does not support", "use http://127.0.0.1:PORT"}
	}
	return &valueError{"has an unknown scheme", "write it as http://HOST:PORT"}
}

// hostPortOf returns the host and port of a URL without a scheme, for the example in an error.
func hostPortOf(text string) string {
	host, _, _ := strings.Cut(text, "/")
	if _, _, err := net.SplitHostPort(host); err != nil {
		return "127.0.0.1:2379"
	}
	return host
}

// URLStrings returns URLs as text, in the same order.
func URLStrings(urls []url.URL) []string {
	texts := make([]string, len(urls))
	for i := range urls {
		texts[i] = urls[i].String()
	}
	return texts
}

// parseServiceURL checks the URL of an external service, which may have a path and a password. It may be empty.
func parseServiceURL(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", &valueError{"is not a URL", "write it as http://HOST:PORT/PATH"} // err may contain a password
	case (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return "", &valueError{fmt.Sprintf("%q has no scheme http or https, or no host", u.Redacted()), "write it as http://HOST:PORT/PATH"}
	}
	return text, nil
}

// Dialable returns the URLs by which this machine can reach the addresses that a server listens on.
func Dialable(urls []url.URL) []url.URL {
	out := make([]url.URL, len(urls))
	for i, u := range urls {
		host, port, err := net.SplitHostPort(u.Host)
		ip := net.ParseIP(host)
		if err == nil && (host == "localhost" || (ip != nil && ip.IsUnspecified())) {
			u.Host = net.JoinHostPort("127.0.0.1", port)
		}
		out[i] = u
	}
	return out
}

// mustURL parses a constant URL.
func mustURL(text string) url.URL {
	scheme, host, _ := strings.Cut(text, "://")
	return url.URL{Scheme: scheme, Host: host}
}
