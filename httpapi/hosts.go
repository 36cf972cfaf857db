package httpapi

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"pando/stats"
)

// hosts are the names by which clients may address the server (--host-whitelist). A web page of an attacker can make its own DNS name
// point to the server and then send requests as a page of the same origin. Such requests have the attacker's name as their host.
type hosts map[string]struct{}

// newHosts returns the hosts of a list. It returns nil, which allows all, if the list is empty or contains "*".
func newHosts(list []string) hosts {
	if len(list) == 0 || slices.Contains(list, "*") {
		return nil
	}
	h := hosts{}
	for _, name := range list {
		h[hostName(name)] = struct{}{}
	}
	return h
}

// wrap returns a handler that refuses requests for other hosts. The host of a request is that of its target, if the target is a whole
// URL, or :authority with HTTP/2, or the Host header.
func (h hosts) wrap(next http.Handler, metrics *stats.Metrics) http.Handler {
	if h == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := h[hostName(r.Host)]; ok {
			next.ServeHTTP(w, r)
			return
		}
		metrics.RequestRefused(stats.RefusedHost)
		http.Error(w, fmt.Sprintf("this server does not answer requests for the host %q: add the host to --host-whitelist, "+
			"or use a host that it contains", hostName(r.Host)), http.StatusMisdirectedRequest)
	})
}

// hostName returns the name or the IP address of a Host header in the form in which they are compared: without port, in lower case,
// without the dot of a full domain name, and an IPv6 address in its shortest form without brackets.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}
