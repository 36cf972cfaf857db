package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"pando/members"
	"pando/storage"
)

// founding is how a member without data comes into its cluster.
type founding struct {
	identity storage.Identity
	founders []members.Member // of a new cluster; nil when it joins one
	peers    []members.Member // of the cluster that it joins
}

// findCluster finds the cluster of a member without data, from the flags and,
// where there are others already, from what they say.
func findCluster(ctx context.Context, cfg *Config, client *http.Client) (*founding, error) {
	static := members.Static{
		Name:           cfg.Name,
		PeerURLs:       urlStrings(cfg.InitialAdvertisePeerURLs),
		InitialCluster: initialCluster(cfg),
		Token:          cfg.InitialClusterToken,
	}
	if cfg.InitialClusterState == clusterExisting {
		return joinCluster(ctx, cfg, static, client)
	}
	c, err := static.Cluster()
	if err != nil {
		return nil, err
	}
	o := &founding{
		identity: storage.Identity{ClusterID: uint64(c.ID), MemberID: uint64(c.Self)},
		founders: c.Members,
	}
	return o, refuseSecondStart(ctx, cfg, o, client)
}

// initialCluster writes the parsed flag in its own form again.
func initialCluster(cfg *Config) string {
	var all []string
	for name, urls := range cfg.InitialCluster {
		all = append(all, members.InitialCluster(name, urls))
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

// refuseSecondStart keeps a member that has lost its data from founding its
// cluster again, beside the others who remember it: it would vote twice.
func refuseSecondStart(ctx context.Context, cfg *Config, o *founding, client *http.Client) error {
	for _, url := range otherPeerURLs(cfg) {
		remote, err := askPeer(ctx, client, url)
		if err != nil || remote.cluster != members.ID(o.identity.ClusterID) {
			continue
		}
		for _, m := range remote.members {
			if m.ID == members.ID(o.identity.MemberID) && len(m.ClientURLs) > 0 {
				return fmt.Errorf("member %s (%s) has already been bootstrapped, says its peer %s: its data in %s is missing. "+
					"Put the data back, or remove the member from the cluster, add it again, and start it with --initial-cluster-state existing", cfg.Name, m.ID, url, cfg.DataDir)
			}
		}
	}
	return nil
}

// joinCluster asks the members of a running cluster who this member is there.
func joinCluster(ctx context.Context, cfg *Config, static members.Static, client *http.Client) (*founding, error) {
	own, err := members.ParseURLs(static.PeerURLs)
	if err != nil {
		return nil, fmt.Errorf("--initial-advertise-peer-urls: %w", err)
	}
	urls := otherPeerURLs(cfg)
	if len(urls) == 0 {
		return nil, errors.New("--initial-cluster-state existing, but --initial-cluster names no other member: list the members of the running cluster there")
	}
	var failures []error
	for _, url := range urls {
		remote, err := askPeer(ctx, client, url)
		if err != nil {
			failures = append(failures, fmt.Errorf("  %s: %w", url, err))
			continue
		}
		return findSelf(cfg, own, url, remote)
	}
	return nil, fmt.Errorf("no member of the running cluster answers; check --initial-cluster and the network:\n%w", errors.Join(failures...))
}

func findSelf(cfg *Config, own []string, url string, remote *remoteCluster) (*founding, error) {
	for _, m := range remote.members {
		if !slices.Equal(m.PeerURLs, own) {
			continue
		}
		if len(m.ClientURLs) > 0 {
			return nil, fmt.Errorf("member %s (%s) has been started before, says %s, but %s holds no data: "+
				"put the data back, or remove the member and add it again", cfg.Name, m.ID, url, cfg.DataDir)
		}
		return &founding{
			identity: storage.Identity{ClusterID: uint64(remote.cluster), MemberID: uint64(m.ID)},
			peers:    remote.members,
		}, nil
	}
	return nil, fmt.Errorf("the cluster at %s has no member with the peer URLs %s: add it first, with etcdctl member add %s %s",
		url, strings.Join(own, ","), cfg.Name, strings.Join(own, ","))
}

// otherPeerURLs are the peer URLs of the other members of --initial-cluster.
func otherPeerURLs(cfg *Config) []string {
	var urls []string
	for name, list := range cfg.InitialCluster {
		if name != cfg.Name {
			urls = append(urls, list...)
		}
	}
	slices.Sort(urls)
	return urls
}

// remoteCluster is what a peer says of its cluster.
type remoteCluster struct {
	cluster members.ID
	members []members.Member
}

// askTimeout bounds the question to one peer.
const askTimeout = time.Second

func askPeer(ctx context.Context, client *http.Client, url string) (*remoteCluster, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/members", nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answers %s", resp.Status)
	}
	var list []struct {
		ID         uint64   `json:"id"`
		PeerURLs   []string `json:"peerURLs"`
		Name       string   `json:"name"`
		ClientURLs []string `json:"clientURLs"`
		IsLearner  bool     `json:"isLearner"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		return nil, fmt.Errorf("its list of members: %w", err)
	}
	cluster, err := members.ParseID(resp.Header.Get("X-Etcd-Cluster-Id"))
	if err != nil {
		return nil, fmt.Errorf("its cluster ID: %w", err)
	}
	remote := &remoteCluster{cluster: cluster}
	for _, m := range list {
		remote.members = append(remote.members, members.Member{
			ID: members.ID(m.ID), PeerURLs: m.PeerURLs, Name: m.Name, ClientURLs: m.ClientURLs, Learner: m.IsLearner,
		})
	}
	return remote, nil
}
