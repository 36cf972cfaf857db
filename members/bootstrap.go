package members

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Static holds the flags of a new cluster whose members are all known.
type Static struct {
	// Name is this member's name (--name).
	Name string
	// PeerURLs are the URLs by which its peers reach it (--initial-advertise-peer-urls),
	// in any order and spelling.
	PeerURLs []string
	// InitialCluster lists all members (--initial-cluster) as
	// "a=http://10.0.0.1:2380,b=http://10.0.0.2:2380". A member with several URLs has one
	// entry for each.
	InitialCluster string
	// Token makes the IDs of clusters with the same URLs different
	// (--initial-cluster-token).
	Token string
}

// Cluster is the result of a bootstrap. Members that start with the same flags compute the
// same Cluster, except for Self.
type Cluster struct {
	// ID is the ID of the cluster.
	ID ID
	// Self is the ID of this member.
	Self ID
	// Members are all members, sorted by ID, without client URLs.
	Members []Member
}

// InitialCluster returns the value of --initial-cluster for a cluster of one member. That
// is the default of the flag.
func InitialCluster(name string, peerURLs []string) string {
	entries := make([]string, len(peerURLs))
	for i, u := range peerURLs {
		entries[i] = name + "=" + u
	}
	return strings.Join(entries, ",")
}

// Cluster computes the cluster from the flags. Its errors name the wrong flag and what to
// write instead. URLs are compared as text: names are not resolved, so that a start does
// not wait for DNS.
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
			continue // a trailing comma is accepted
		}
		name, raw, _ := strings.Cut(entry, "=")
		name = strings.TrimSpace(name)
		if name == "" || raw == "" {
			return nil, fmt.Errorf("--initial-cluster: %q is not of the form NAME=URL; "+
				"write a name and a peer URL for each member, like a=http://10.0.0.1:2380", entry)
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
		return fmt.Errorf("--initial-cluster: %s is given twice for member %s; name each URL once", u, first)
	}
	return fmt.Errorf("--initial-cluster: members %s and %s share the peer URL %s; give each member its own", first, second, u)
}

// checkSelf checks that --initial-cluster has this member with the URLs that it advertises.
// Otherwise this member and its peers would compute different IDs for it.
func (s Static) checkSelf(advertised []string, peerURLs map[string][]string) error {
	listed, ok := peerURLs[s.Name]
	if !ok {
		return fmt.Errorf("--initial-cluster has no member named %q (it has: %s); "+
			"add %s to it, or set --name to the name of this member in the list",
			s.Name, nameList(peerURLs), InitialCluster(s.Name, advertised))
	}
	if !slices.Equal(listed, advertised) {
		return fmt.Errorf("--initial-cluster has %s, but --initial-advertise-peer-urls is %s; use the same URLs in both",
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
