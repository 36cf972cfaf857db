package members

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ErrNoSRV is returned if a domain has no records of a cluster.
var ErrNoSRV = errors.New("no SRV records found")

// Resolver looks up names. A *net.Resolver is a Resolver.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
	LookupHost(ctx context.Context, host string) (addresses []string, err error)
}

// SRV finds the first members of a cluster by DNS records: each has a record of the service
// etcd-server (http peer URLs) or etcd-server-ssl (https).
type SRV struct {
	// Domain has the records (--discovery-srv).
	Domain string
	// ServiceName is a suffix of the service names, for several clusters in one domain
	// (--discovery-srv-name): with "x" the services are etcd-server-x and
	// etcd-server-ssl-x. It may be empty.
	ServiceName string
	// Name, PeerURLs and Token are as in Static. The record that
	// matches one of PeerURLs is that of this member.
	Name     string
	PeerURLs []string
	Token    string
	// Resolver looks up the records; nil for that of the system.
	Resolver Resolver
}

// PeerURLsOf returns the peer URLs in the records, sorted. Unlike Cluster it does not need
// a record of this member, so proxies and members that join a cluster use it.
func (s SRV) PeerURLsOf(ctx context.Context) ([]string, error) {
	var urls []string
	var missing []error
	for _, service := range []struct{ scheme, name string }{{"http", "etcd-server"}, {"https", "etcd-server-ssl"}} {
		name := s.service(service.name)
		_, records, err := s.resolver().LookupSRV(ctx, name, "tcp", s.Domain)
		if err != nil {
			missing = append(missing, err)
			if unknown := (*net.DNSError)(nil); errors.As(err, &unknown) && unknown.IsNotFound {
				continue // one of the two is enough
			}
			return nil, fmt.Errorf("--discovery-srv: the records _%s._tcp.%s can't be read: %w; "+
				"check the name servers of this machine and start again", name, s.Domain, err)
		}
		for _, r := range records {
			host := strings.ToLower(strings.TrimSuffix(r.Target, "."))
			u := url.URL{Scheme: service.scheme, Host: net.JoinHostPort(host, strconv.Itoa(int(r.Port)))}
			urls = append(urls, u.String())
		}
	}
	if len(urls) == 0 {
		return nil, fmt.Errorf("--discovery-srv: %w at %s; give it a record _%s._tcp.%s for each member: %w",
			ErrNoSRV, s.Domain, s.service("etcd-server"), s.Domain, errors.Join(missing...))
	}
	slices.Sort(urls)
	return slices.Compact(urls), nil
}

// Cluster computes the cluster from the records. Members that read the same records compute
// the same cluster. Its members have no names, because the records have none; each member
// publishes its name after it has started. The errors say what to correct in the records
// or the flags.
func (s SRV) Cluster(ctx context.Context) (Cluster, error) {
	urls, err := s.PeerURLsOf(ctx)
	if err != nil {
		return Cluster{}, err
	}
	self, err := s.findSelf(ctx, urls)
	if err != nil {
		return Cluster{}, err
	}
	var c Cluster
	for _, u := range urls {
		m := NewBootstrapMember("", []string{u}, s.Token)
		if u == self {
			c.Self = m.ID
		}
		c.Members = append(c.Members, m)
	}
	slices.SortFunc(c.Members, byID)
	c.ID = ClusterID(c.Members)
	return c, nil
}

// findSelf finds the record of this member: the one with the same text as one of its URLs,
// or else the one whose name has the same address.
func (s SRV) findSelf(ctx context.Context, urls []string) (string, error) {
	own, err := ParseURLs(s.PeerURLs)
	if err != nil {
		return "", fmt.Errorf("--initial-advertise-peer-urls: %w; write it as http://HOST:PORT", err)
	}
	for _, same := range []func(a, b string) bool{strings.EqualFold, func(a, b string) bool { return s.sameAddress(ctx, a, b) }} {
		var found []string
		for _, u := range urls {
			if slices.ContainsFunc(own, func(o string) bool { return same(o, u) }) {
				found = append(found, u)
			}
		}
		switch len(found) {
		case 0:
			continue
		case 1:
			return found[0], nil
		}
		return "", fmt.Errorf("--discovery-srv: the records %s all match this member's --initial-advertise-peer-urls, %s; "+
			"leave one record for each member, with a port of its own",
			strings.Join(found, ", "), strings.Join(own, ","))
	}
	return "", fmt.Errorf("--discovery-srv: none of the records of %s (%s) matches this member's --initial-advertise-peer-urls, %s; "+
		"add a record for it, or set the flag to the URL in its record",
		s.Domain, strings.Join(urls, ", "), strings.Join(own, ","))
}

// sameAddress reports whether two URLs have the same scheme and port, and hosts that have an
// address in common.
func (s SRV) sameAddress(ctx context.Context, a, b string) bool {
	left, err := url.Parse(a)
	if err != nil {
		return false
	}
	right, err := url.Parse(b)
	if err != nil || left.Scheme != right.Scheme || left.Port() != right.Port() {
		return false
	}
	theirs := s.addresses(ctx, right.Hostname())
	return slices.ContainsFunc(s.addresses(ctx, left.Hostname()), func(address string) bool { return slices.Contains(theirs, address) })
}

func (s SRV) addresses(ctx context.Context, host string) []string {
	if ip := net.ParseIP(host); ip != nil {
		return []string{ip.String()}
	}
	addresses, err := s.resolver().LookupHost(ctx, host)
	if err != nil {
		return nil
	}
	return addresses
}

func (s SRV) resolver() Resolver {
	if s.Resolver == nil {
		return net.DefaultResolver
	}
	return s.Resolver
}

// service is the name of a service in the records of this cluster.
func (s SRV) service(name string) string {
	if s.ServiceName == "" {
		return name
	}
	return name + "-" + s.ServiceName
}
