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
	urlsToListen    schemeRule = iota // this process listens on them: an IP or localhost, or a unix socket
	peersToListen                     // like urlsToListen, but without unix sockets
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
	if isUnix(*u) {
		return parseSocketURL(text, u)
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
	if rule != urlsToAdvertise && host != "localhost" && net.ParseIP(host) == nil {
		return wrong("listens on a name", "use the IP address to bind, 0.0.0.0 for all; names belong in the --advertise URLs")
	}
	return url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func checkScheme(scheme string, rule schemeRule) *valueError {
	switch {
	case scheme == "http", scheme == "https":
		return nil
	case (scheme == schemeUnix || scheme == schemeUnixTLS) && rule == urlsToListen:
		return nil
	case (scheme == schemeUnix || scheme == schemeUnixTLS) && rule == peersToListen:
		return &valueError{"is a unix socket, which other members can't reach", "use http://HOST:PORT or https://HOST:PORT"}
	case scheme == schemeUnix || scheme == schemeUnixTLS:
		return &valueError{"is a unix socket, which exists on this machine alone",
			"advertise an http or https URL of this member; --listen-client-urls may have the socket beside it"}
	}
	return &valueError{"has an unknown scheme", "write it as http://HOST:PORT or https://HOST:PORT"}
}

// The schemes of unix sockets: with HTTP and with HTTP over TLS.
const (
	schemeUnix    = "unix"
	schemeUnixTLS = "unixs"
)

// maxSocketPath is the length of the longest path of a unix socket.
const maxSocketPath = 107

func isUnix(u url.URL) bool { return u.Scheme == schemeUnix || u.Scheme == schemeUnixTLS }

// IsSecure reports whether a URL to listen on uses TLS.
func IsSecure(u url.URL) bool { return u.Scheme == "https" || u.Scheme == schemeUnixTLS }

// SocketPath returns the path of the unix socket of a URL, or "" if the URL is not of a unix socket. As in the reference, the
// path may be where a URL has its host, as in unix://name:1.
func SocketPath(u url.URL) string {
	if !isUnix(u) {
		return ""
	}
	return u.Host + u.Path
}

func parseSocketURL(text string, u *url.URL) (url.URL, error) {
	const form = "write it as unix:///run/pando.sock"
	path := SocketPath(*u)
	switch {
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery || u.User != nil:
		return url.URL{}, &valueError{fmt.Sprintf("%q has more than a path", text), form}
	case path == "" || strings.HasSuffix(path, "/"):
		return url.URL{}, &valueError{fmt.Sprintf("%q has no path of a file", text), form}
	case len(path) > maxSocketPath:
		return url.URL{}, &valueError{fmt.Sprintf("%q is too long for a unix socket", text),
			fmt.Sprintf("choose a path of at most %d bytes", maxSocketPath)}
	}
	return url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}, nil
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

// Dialable returns the URLs by which this machine can reach the addresses that a server listens on. URLs of unix sockets stay as they
// are.
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
