package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"go.uber.org/zap"

	"pando/members"
	"pando/storage"
)

// restoreFlags are the flags that say what member is made, and where. The others of the server are taken, too, and mean
// nothing here: the whole command line of the server can be given.
var restoreFlags = []string{
	"name", "data-dir", "wal-dir", "initial-cluster", "initial-cluster-token", "initial-advertise-peer-urls",
	"discovery", "discovery-proxy", "discovery-srv", "discovery-srv-name", configFileFlag,
}

func restoreCommand(stdout, stderr io.Writer) *cli.Command {
	given := newCommandLine()
	return &cli.Command{
		Name: "restore", Usage: "make the data directory of a new member from a file", ArgsUsage: "FILE",
		Description: `Takes the flags that the member will be started with, or the same environment or configuration file. All
members must be restored from the same file: they form a new cluster, which the old one can't mix with. A data
directory that holds data is refused.

The members of a cluster that was discovered are asked for at the same service, or given in --initial-cluster
in its place.`,
		Flags: given.cliFlags(restoreFlags...),
		Action: withFile(func(c *cli.Context, file string) error {
			return restore(c.Context, stdout, stderr, file, given.values())
		}),
	}
}

// restore makes the data directory that the settings name.
func restore(ctx context.Context, stdout, stderr io.Writer, file string, flags map[string]string) error {
	if flags["initial-cluster"] != "" {
		for _, other := range []string{"discovery", "discovery-srv"} {
			if _, given := flags[other]; !given {
				flags[other] = "" // the list takes its place, if the environment or the file has it
			}
		}
	}
	cfg, warnings, err := loadConfig(flags, os.Environ())
	if err != nil {
		return &usageError{err}
	}
	for _, w := range warnings {
		fmt.Fprintln(stderr, "pando: warning: "+w)
	}
	if err := cfg.CheckFounding(); err != nil {
		return &usageError{err}
	}
	info, err := inspect(ctx, file)
	if err != nil {
		return err
	}
	cluster, err := restoredFounders(ctx, cfg)
	if err != nil {
		return err
	}
	founding, err := restoredMember(cluster, info)
	if err != nil {
		return &usageError{err}
	}
	o := storage.Options{DataDir: cfg.DataDir, WALDir: cfg.WALDir, HistorySize: cfg.HistorySize}
	err = storage.Restore(o, file, founding)
	if errors.Is(err, storage.ErrExists) {
		return fmt.Errorf("%w: restore makes a new member and overwrites nothing; choose another --data-dir, or move that one away", err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "restored %d keys at index %d into %s: member %s (%s) of the new cluster %s\n",
		info.Nodes, info.Index, cfg.DataDir, cfg.Name, members.ID(founding.Identity.MemberID), members.ID(founding.Identity.ClusterID))
	return err
}

// lookupTimeout bounds how long restore looks for the members of a cluster.
const lookupTimeout = 10 * time.Second

// restoredFounders finds the members of the cluster that is restored, as its first start did, and registers nothing.
func restoredFounders(ctx context.Context, cfg *Config) (members.Cluster, error) {
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

// discoveredFounders asks the discovery service who has registered.
func discoveredFounders(ctx context.Context, cfg *Config) (members.Cluster, error) {
	own, err := members.ParseURLs(urlStrings(cfg.InitialAdvertisePeerURLs))
	if err != nil {
		return members.Cluster{}, asUsage(fmt.Errorf("--initial-advertise-peer-urls: %w", err))
	}
	d := discovery(cfg, zap.NewNop())
	var last error
	d.Retrying = func(err error, _ time.Duration) { last = err }
	const instead = "name all members in --initial-cluster in place of --discovery, as the member list of the old cluster had them"
	c, err := d.Find(ctx)
	if err != nil {
		return members.Cluster{}, fmt.Errorf("%w; %s", errors.Join(err, last), instead)
	}
	c.Self = members.NewBootstrapMember(cfg.Name, own, cfg.Discovery).ID
	if !slices.ContainsFunc(c.Members, func(m members.Member) bool { return m.ID == c.Self && m.Name == cfg.Name }) {
		return members.Cluster{}, asUsage(fmt.Errorf("--discovery: no member %s with the peer URLs %s is registered there; "+
			"give --name and --initial-advertise-peer-urls as at its first start, or %s", cfg.Name, strings.Join(own, ","), instead))
	}
	return c, nil
}

// restoredMember works out what the data directory says of the cluster, with the file as its beginning.
func restoredMember(cluster members.Cluster, info *storage.SnapshotInfo) (storage.Founding, error) {
	id := restoredClusterID(cluster.ID, info.SHA256)
	registry := members.NewRegistry(id)
	registry.SetFounding(members.Unfounded)
	f := storage.Founding{Identity: storage.Identity{ClusterID: uint64(id), MemberID: uint64(cluster.Self)}}
	for _, m := range cluster.Members {
		if err := registry.Add(m); err != nil {
			return storage.Founding{}, fmt.Errorf("--initial-cluster: %s: %w", m.Name, err)
		}
		f.Voters = append(f.Voters, uint64(m.ID))
	}
	f.Members = registry.Marshal()
	return f, nil
}

// restoredClusterID names the cluster by its members and the file. So a member of the old cluster that still runs,
// with the same flags, and one that was restored from another file are strangers to it: they would bring other
// keys under the same indexes.
func restoredClusterID(founders members.ID, file [sha256.Size]byte) members.ID {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(file[:], uint64(founders)))
	return members.ID(binary.BigEndian.Uint64(sum[:]))
}
