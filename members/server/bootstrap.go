package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"pando/members"
	"pando/members/config"
	"pando/storage"
)

// bootstrap is the result of findCluster.
type bootstrap struct {
	identity storage.Identity
	founders []members.Member // of a new cluster; nil if the member joins a cluster
	peers    []members.Member // the members of the cluster that it joins
}

// ErrStartedBefore is returned if this member has no data, but has been started before in its cluster.
var ErrStartedBefore = errors.New("has been started before")

// ErrAddedElsewhere is returned if this member would found a cluster, but was added to a running one.
var ErrAddedElsewhere = errors.New("was added to the running cluster")

// findCluster finds the cluster of a member without data: by the flags, by discovery or by
// DNS records. It compares a new cluster with the lists of members of the peers that answer.
func findCluster(ctx context.Context, cfg *config.Config, client *http.Client, log *zap.Logger) (*bootstrap, error) {
	if cfg.InitialClusterState == config.ClusterExisting {
		return joinCluster(ctx, cfg, client)
	}
	c, err := newCluster(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	b := &bootstrap{
		identity: storage.Identity{ClusterID: uint64(c.ID), MemberID: uint64(c.Self)},
		founders: c.Members,
	}
	return b, refuseSecondStart(ctx, cfg, b, client, log)
}

// newCluster computes the cluster that this member founds.
func newCluster(ctx context.Context, cfg *config.Config, log *zap.Logger) (members.Cluster, error) {
	switch {
	case cfg.Discovery != "":
		d, err := discovery(cfg, log)
		if err != nil {
			return members.Cluster{}, err
		}
		return d.Join(ctx)
	case cfg.DiscoverySRV != "":
		return srv(cfg).Cluster(ctx)
	}
	return staticCluster(cfg)
}

// staticCluster computes the cluster of --initial-cluster.
func staticCluster(cfg *config.Config) (members.Cluster, error) {
	static := members.Static{
		Name:           cfg.Name,
		PeerURLs:       config.URLStrings(cfg.InitialAdvertisePeerURLs),
		InitialCluster: initialCluster(cfg),
		Token:          cfg.InitialClusterToken,
	}
	c, err := static.Cluster()
	return c, config.AsUsage(err)
}

// initialCluster returns --initial-cluster as text, from its parsed form.
func initialCluster(cfg *config.Config) string {
	var all []string
	for name, urls := range cfg.InitialCluster {
		all = append(all, members.InitialCluster(name, urls))
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

// refuseSecondStart returns an error if this member has lost its data and would found its
// cluster again while other members are running: it could vote twice in one term. It also
// returns an error if this member was added to a running cluster and would found another.
func refuseSecondStart(ctx context.Context, cfg *config.Config, b *bootstrap, client *http.Client, log *zap.Logger) error {
	answers, err := members.AskAll(ctx, client, otherFounderURLs(b))
	if err != nil {
		return err
	}
	own := ownPeerURLs(b)
	for url, err := range answers.Unverified {
		log.Warn("a peer can't be asked whether this member has been started before. If the data of this member was lost, stop this member, "+
			"remove it from the cluster and add it again", zap.String("peer-url", url), zap.Error(err))
	}
	for url, remote := range answers.Remotes {
		if remote.ClusterID != members.ID(b.identity.ClusterID) {
			if err := checkOtherCluster(cfg, b, own, url, remote, log); err != nil {
				return err
			}
			continue
		}
		for _, m := range remote.Members {
			if m.ID == members.ID(b.identity.MemberID) && len(m.ClientURLs) > 0 {
				return fmt.Errorf("member %s (%s) %w: according to its peer %s it has already been bootstrapped, but its data in %s is missing. "+
					"Put the data back, or remove the member from the cluster, add it again, and start it with --initial-cluster-state existing",
					cfg.Name, m.ID, ErrStartedBefore, url, cfg.DataDir)
			}
		}
	}
	return nil
}

// checkOtherCluster handles an answer, from a peer URL of --initial-cluster, of a member of
// another cluster. It returns an error if this member was added to that cluster. Otherwise it
// logs a warning.
func checkOtherCluster(cfg *config.Config, b *bootstrap, own []string, url string, remote members.Remote, log *zap.Logger) error {
	id := members.ID(b.identity.ClusterID)
	for _, m := range remote.Members {
		if slices.Equal(m.PeerURLs, own) {
			return fmt.Errorf("member %s %w %s: the member at %s lists it. These flags would found the cluster %s instead: "+
				"start it with --initial-cluster-state existing", cfg.Name, ErrAddedElsewhere, remote.ClusterID, url, id)
		}
	}
	log.Warn("a member of another cluster listens at a peer URL of --initial-cluster: it was started with another --initial-cluster or "+
		"--initial-cluster-token, or has data of an earlier cluster; the two will refuse each other",
		zap.String("peer-url", url), zap.Stringer("its-cluster", remote.ClusterID), zap.Stringer("this-cluster", id))
	return nil
}

// ownPeerURLs returns the peer URLs of this member in the list of founders.
func ownPeerURLs(b *bootstrap) []string {
	for _, m := range b.founders {
		if m.ID == members.ID(b.identity.MemberID) {
			return m.PeerURLs
		}
	}
	return nil
}

// joinCluster asks the members of a running cluster for the ID of this member.
func joinCluster(ctx context.Context, cfg *config.Config, client *http.Client) (*bootstrap, error) {
	own, err := members.ParseURLs(config.URLStrings(cfg.InitialAdvertisePeerURLs))
	if err != nil {
		return nil, config.AsUsage(fmt.Errorf("--initial-advertise-peer-urls: %w", err))
	}
	urls, err := otherPeerURLs(ctx, cfg, own)
	if err != nil {
		return nil, err
	}
	if len(urls) == 0 {
		return nil, config.AsUsage(errors.New("--initial-cluster-state is existing, but --initial-cluster names no other member: " +
			"list the members of the running cluster there"))
	}
	var failures []error
	for _, url := range urls {
		remote, err := members.AskOne(ctx, client, url)
		if err != nil {
			failures = append(failures, fmt.Errorf("  %s: %w", url, err))
			continue
		}
		return findSelf(cfg, own, url, remote)
	}
	return nil, fmt.Errorf("no member of the running cluster answers; check --initial-cluster and the network:\n%w", errors.Join(failures...))
}

// findSelf finds this member, by its peer URLs, in the list of members of a running cluster.
func findSelf(cfg *config.Config, own []string, url string, remote members.Remote) (*bootstrap, error) {
	for _, m := range remote.Members {
		if !slices.Equal(m.PeerURLs, own) {
			continue
		}
		if len(m.ClientURLs) > 0 {
			return nil, fmt.Errorf("member %s (%s) %w, according to %s, but %s holds no data: "+
				"put the data back, or remove the member and add it again", cfg.Name, m.ID, ErrStartedBefore, url, cfg.DataDir)
		}
		return &bootstrap{
			identity: storage.Identity{ClusterID: uint64(remote.ClusterID), MemberID: uint64(m.ID)},
			peers:    remote.Members,
		}, nil
	}
	return nil, fmt.Errorf("the cluster at %s has no member with the peer URLs %s: add it first, with etcdctl member add %s %s",
		url, strings.Join(own, ","), cfg.Name, strings.Join(own, ","))
}

// otherFounderURLs returns the peer URLs of the other members of a new cluster.
func otherFounderURLs(b *bootstrap) []string {
	var urls []string
	for _, m := range b.founders {
		if m.ID != members.ID(b.identity.MemberID) {
			urls = append(urls, m.PeerURLs...)
		}
	}
	return urls
}

// otherPeerURLs returns the peer URLs of the other members of a running cluster, from
// --initial-cluster or from DNS records.
func otherPeerURLs(ctx context.Context, cfg *config.Config, own []string) ([]string, error) {
	var urls []string
	for name, list := range cfg.InitialCluster {
		if name != cfg.Name {
			urls = append(urls, list...)
		}
	}
	if cfg.DiscoverySRV != "" {
		all, err := srv(cfg).PeerURLsOf(ctx)
		if err != nil {
			return nil, err
		}
		urls = slices.DeleteFunc(all, func(u string) bool { return slices.Contains(own, u) })
	}
	slices.Sort(urls)
	return urls, nil
}

// contacts returns a function that returns the peer URLs of the other members by the flags. A
// member uses it if all other members in its data have left the cluster while it was stopped.
func contacts(cfg *config.Config) func(ctx context.Context) []string {
	return func(ctx context.Context) []string {
		own, err := members.ParseURLs(config.URLStrings(cfg.InitialAdvertisePeerURLs))
		if err != nil {
			return nil
		}
		urls, err := otherPeerURLs(ctx, cfg, own)
		if err != nil {
			return nil // only the members in the data are asked
		}
		return urls
	}
}
