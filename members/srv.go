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

// ErrNoSRV says that a domain has no records of a cluster.
var ErrNoSRV = errors.New("no SRV records found")

// Resolver looks up names; a *net.Resolver is one.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
	LookupHost(ctx context.Context, host string) (addresses []string, err error)
}

// SRV is a cluster whose members stand in the DNS: one record each of the
// services etcd-server (plain peer URLs) and etcd-server-ssl (https ones).
type SRV struct {
	// Domain is where the records are (--discovery-srv).
	Domain string
	// ServiceName keeps several clusters of a domain apart
	// (--discovery-srv-name): with "x" the services are etcd-server-x and
	// etcd-server-ssl-x. It may be empty.
	ServiceName string
	// Name, PeerURLs and Token are as in Static; PeerURLs decide which of the
	// records is this member.
	Name     string
	PeerURLs []string
	Token    string
	// Resolver asks the DNS; nil is the system's.
	Resolver Resolver
}

// PeerURLsOf returns the peer URLs that the records name, sorted, without
// looking for this member among them: what a proxy and a member that joins need.
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
			return nil, fmt.Errorf("--discovery-srv: the records _%s._tcp.%s can't be read: %w; check the name servers of this machine and start again", name, s.Domain, err)
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

// Cluster works out the cluster from the records. Every member that reads the
// same records finds the same one, in which all founders are nameless: the
// records hold no names, and each tells its own when it has started. Its errors
// say what to mend in the records or the flags.
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

// findSelf finds the record of this member: by its text, else by the address
// that both names lead to.
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
		return "", fmt.Errorf("--discovery-srv: the records %s are all this member, by --initial-advertise-peer-urls %s; leave one record for each member, with a port of its own",
			strings.Join(found, ", "), strings.Join(own, ","))
	}
	return "", fmt.Errorf("--discovery-srv: none of the records of %s (%s) is this member's --initial-advertise-peer-urls, %s; add its record, or give it the URL that stands there",
		s.Domain, strings.Join(urls, ", "), strings.Join(own, ","))
}

// sameAddress says whether two URLs lead to the same place. Names that don't
// resolve lead nowhere.
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
