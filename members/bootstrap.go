package members

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Static is what the flags say about a cluster whose members are known from
// the start.
type Static struct {
	// Name is this member's name (--name).
	Name string
	// PeerURLs are what it advertises to its peers
	// (--initial-advertise-peer-urls), in any order and spelling.
	PeerURLs []string
	// InitialCluster lists all members (--initial-cluster) as
	// "a=http://10.0.0.1:2380,b=http://10.0.0.2:2380". A member with several
	// URLs stands there once for each.
	InitialCluster string
	// Token keeps clusters of the same URLs apart (--initial-cluster-token).
	Token string
}

// Cluster is the outcome of a bootstrap. Every member that starts with the same
// flags finds the same one.
type Cluster struct {
	// ID is the cluster's.
	ID ID
	// Self is the member that was bootstrapped.
	Self ID
	// Members are all of them, sorted by ID, none with client URLs yet.
	Members []Member
}

// InitialCluster returns the value of --initial-cluster for a cluster of one
// member: what the flag is when it is not given.
func InitialCluster(name string, peerURLs []string) string {
	entries := make([]string, len(peerURLs))
	for i, u := range peerURLs {
		entries[i] = name + "=" + u
	}
	return strings.Join(entries, ",")
}

// Cluster works out the cluster from the flags. Its errors name the flag that is
// wrong and what to write instead. URLs are compared as they are written: no
// name is resolved, so that a start never waits for DNS.
func (s Static) Cluster() (Cluster, error) {
	advertised, err := ParseURLs(s.PeerURLs)
	if err != nil {
		return Cluster{}, fmt.Errorf("--initial-advertise-peer-urls: %w; write each as http://HOST:PORT", err)
	}
	peerURLs, err := parseInitialCluster(s.InitialCluster)
	if err != nil {
		return Cluster{}, err
	}
	if err := s.checkSelf(advertised, peerURLs); err != nil {
		return Cluster{}, err
	}
	var c Cluster
	for name, urls := range peerURLs {
		m := NewBootstrapMember(name, urls, s.Token)
		if name == s.Name {
			c.Self = m.ID
		}
		c.Members = append(c.Members, m)
	}
	slices.SortFunc(c.Members, byID)
	c.ID = ClusterID(c.Members)
	return c, nil
}

// parseInitialCluster returns the canonical, sorted peer URLs of each name.
func parseInitialCluster(flag string) (map[string][]string, error) {
	peerURLs := make(map[string][]string)
	owner := make(map[string]string)
	for entry := range strings.SplitSeq(flag, ",") {
		if strings.TrimSpace(entry) == "" {
			continue // a trailing comma does no harm
		}
		name, raw, _ := strings.Cut(entry, "=")
		name = strings.TrimSpace(name)
		if name == "" || raw == "" {
			return nil, fmt.Errorf("--initial-cluster: %q is not of the form NAME=URL; write a name and a peer URL for each member, like a=http://10.0.0.1:2380", entry)
		}
		urls, err := ParseURLs([]string{raw})
		if err != nil {
			return nil, fmt.Errorf("--initial-cluster: member %s: %w; write its peer URL as http://HOST:PORT", name, err)
		}
		if other, taken := owner[urls[0]]; taken {
			return nil, duplicateURL(urls[0], other, name)
		}
		owner[urls[0]] = name
		peerURLs[name] = append(peerURLs[name], urls[0])
	}
	for _, urls := range peerURLs {
		slices.Sort(urls)
	}
	return peerURLs, nil
}

func duplicateURL(u, first, second string) error {
	if first == second {
		return fmt.Errorf("--initial-cluster: %s stands twice for member %s; name each URL once", u, first)
	}
	return fmt.Errorf("--initial-cluster: members %s and %s share the peer URL %s; give each member its own", first, second, u)
}

// checkSelf says whether this member stands in the list with the URLs that it
// advertises: otherwise it and its peers would work out different IDs for it.
func (s Static) checkSelf(advertised []string, peerURLs map[string][]string) error {
	listed, ok := peerURLs[s.Name]
	if !ok {
		return fmt.Errorf("--initial-cluster has no member named %q (it has: %s); add %s to it, or set --name to the name this member has there",
			s.Name, nameList(peerURLs), InitialCluster(s.Name, advertised))
	}
	if !slices.Equal(listed, advertised) {
		return fmt.Errorf("--initial-cluster has %s, and --initial-advertise-peer-urls is %s; make both name the same URLs",
			InitialCluster(s.Name, listed), strings.Join(advertised, ","))
	}
	return nil
}

func nameList(peerURLs map[string][]string) string {
	if len(peerURLs) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(peerURLs)), ", ")
}
