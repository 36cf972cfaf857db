package main

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"pando/members"
	"pando/storage"
)

// restoreFlags are the server's flags that say what member is made, and where.
var restoreFlags = []string{
	"name", "data-dir", "wal-dir", "initial-cluster", "initial-cluster-token", "initial-advertise-peer-urls", configFileFlag,
}

func restoreCommand(stdout io.Writer) *cli.Command {
	given := map[string]*rawFlag{}
	var flags []cli.Flag
	for _, name := range restoreFlags {
		spec := specOf(name)
		given[name] = &rawFlag{}
		flags = append(flags, &cli.GenericFlag{Name: name, Usage: spec.usage, Value: given[name], DefaultText: spec.def})
	}
	return &cli.Command{
		Name: "restore", Usage: "make the data directory of a new member from a file", ArgsUsage: "FILE",
		Description: `Takes the flags that the member will be started with, or the same environment or configuration file. All
members must be restored from the same file: they form a new cluster, which the old one can't mix with. A data
directory that holds data is refused.`,
		Flags: flags,
		Action: withFile(func(_ *cli.Context, file string) error {
			values := map[string]string{}
			for name, raw := range given {
				if raw.given {
					values[name] = raw.text
				}
			}
			return restore(stdout, file, values)
		}),
	}
}

// restore makes the data directory that the settings name.
func restore(stdout io.Writer, file string, flags map[string]string) error {
	cfg, _, err := loadConfig(flags, os.Environ())
	if err != nil {
		return &usageError{err}
	}
	if err := cfg.CheckFounding(); err != nil {
		return &usageError{err}
	}
	info, err := storage.InspectSnapshot(file)
	if err != nil {
		return err
	}
	founding, err := restoredMember(cfg, info)
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

// restoredMember works out the cluster that the settings describe, with the file as its beginning.
func restoredMember(cfg *Config, info *storage.SnapshotInfo) (storage.Founding, error) {
	cluster, err := members.Static{
		Name:           cfg.Name,
		PeerURLs:       urlStrings(cfg.InitialAdvertisePeerURLs),
		InitialCluster: initialCluster(cfg),
		Token:          cfg.InitialClusterToken,
	}.Cluster()
	if err != nil {
		return storage.Founding{}, err
	}
	id := restoredClusterID(cluster.ID, info.SHA256)
	registry := members.NewRegistry(id)
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
