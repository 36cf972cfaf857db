package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"pando/members"
	"pando/members/config"
)

// lookupTimeout is how long a restore searches for the members of the cluster.
const lookupTimeout = 10 * time.Second

// RestoredFounders finds the first members of a cluster that is restored. It finds them as a start does, but registers
// nothing.
func RestoredFounders(ctx context.Context, cfg *config.Config) (members.Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	switch {
	case cfg.Discovery != "":
		return discoveredFounders(ctx, cfg)
	case cfg.DiscoverySRV != "":
		return srv(cfg).Cluster(ctx)
	}
	return staticCluster(cfg)
}

// discoveredFounders asks the discovery service for the registered members.
func discoveredFounders(ctx context.Context, cfg *config.Config) (members.Cluster, error) {
	own, err := members.ParseURLs(config.URLStrings(cfg.InitialAdvertisePeerURLs))
	if err != nil {
		return members.Cluster{}, config.AsUsage(fmt.Errorf("--initial-advertise-peer-urls: %w", err))
	}
	d, err := discovery(cfg, zap.NewNop())
	if err != nil {
		return members.Cluster{}, err
	}
	var last error
	d.Retrying = func(err error, _ time.Duration) { last = err }
	const instead = "name all members in --initial-cluster in place of --discovery, as they were in the member list of the old cluster"
	c, err := d.Find(ctx)
	if err != nil {
		return members.Cluster{}, fmt.Errorf("%w; %s", errors.Join(err, last), instead)
	}
	c.Self = members.NewBootstrapMember(cfg.Name, own, cfg.Discovery).ID
	if !slices.ContainsFunc(c.Members, func(m members.Member) bool { return m.ID == c.Self && m.Name == cfg.Name }) {
		return members.Cluster{}, config.AsUsage(fmt.Errorf("--discovery: no member %s with the peer URLs %s is registered there; "+
			"give --name and --initial-advertise-peer-urls as at its first start, or %s", cfg.Name, strings.Join(own, ","), instead))
	}
	return c, nil
}
