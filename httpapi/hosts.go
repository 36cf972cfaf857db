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

// hosts are the names by which clients may address the server (--host-whitelist). They prevent DNS rebinding: an attacker makes the DNS
// name of a web page point to the server, and then the page sends requests to its own origin. The host of these requests is that name.
type hosts map[string]struct{}

// newHosts returns the hosts of a list. If the list is empty or contains "*", it returns nil, which allows all hosts.
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

// wrap returns a handler that refuses requests for other hosts. The host of a request is the host of its target, if the target is an
// absolute URL, and otherwise :authority in HTTP/2 or the Host header.
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

// hostName returns the name or the IP address of a Host header in the form in which hosts are compared: without port, in lower case and
// without a final dot. An IPv6 address has its shortest form, without brackets.
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
