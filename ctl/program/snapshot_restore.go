package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"pando/members"
	"pando/members/config"
	"pando/members/server"
	"pando/raft/offline"
	"pando/storage"
)

// restoreFlags are the flags that the help of restore shows: they name the new member and its directories. restore accepts and
// ignores the other flags of the server, so that users can give the whole command line of the server.
var restoreFlags = []string{
	"name", "data-dir", "wal-dir", "initial-cluster", "initial-cluster-token", "initial-advertise-peer-urls",
	"discovery", "discovery-proxy", "discovery-srv", "discovery-srv-name", config.ConfigFileFlag,
}

func restoreCommand(stdout, stderr io.Writer) *cli.Command {
	given := config.NewCommandLine()
	return &cli.Command{
		Name: "restore", Usage: "make the data directory of a new member from a file", ArgsUsage: "FILE",
		Description: `Takes the flags that the member will be started with, or the same environment or configuration file. All
members must be restored from the same file. They form a new cluster, and refuse the members of the old one. A
data directory that holds data is refused.

A cluster that was discovered finds its members at the same discovery service; or give them in --initial-cluster.

Examples:
  pando snapshot restore backup.snap --data-dir /var/lib/pando
      then start pando with the same settings`,
		Flags: given.CliFlags(restoreFlags...),
		Action: withFile(func(c *cli.Context, file string) error {
			return restore(c.Context, stdout, stderr, file, given.Values())
		}),
	}
}

// restore makes the data directory that the settings name.
func restore(ctx context.Context, stdout, stderr io.Writer, file string, flags map[string]string) error {
	cfg, err := loadFounding(stderr, flags)
	if err != nil {
		return err
	}
	if err := cfg.CheckFounding(); err != nil {
		return config.AsUsage(err)
	}
	info, err := inspect(ctx, file)
	if err != nil {
		return err
	}
	cluster, err := server.RestoredFounders(ctx, cfg)
	if err != nil {
		return err
	}
	founding, err := offline.RestoredMember(cluster, info)
	if err != nil {
		return config.AsUsage(err)
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

// loadFounding returns the settings of a new member, and prints warnings about them.
func loadFounding(stderr io.Writer, flags map[string]string) (*config.Config, error) {
	if flags["initial-cluster"] != "" {
		for _, other := range []string{"discovery", "discovery-srv"} {
			if _, given := flags[other]; !given {
				flags[other] = "" // the list replaces the discovery of the environment or the file
			}
		}
	}
	cfg, warnings, err := config.Load(flags, os.Environ())
	if err != nil {
		return nil, config.AsUsage(err)
	}
	for _, w := range warnings {
		fmt.Fprintln(stderr, "pando: warning: "+w)
	}
	return cfg, nil
}
