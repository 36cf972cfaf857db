package v3

import (
	"errors"

	"github.com/urfave/cli/v2"
)

// restoreFlags are the flags of snapshot restore that name the new member. They have the names of the flags of the server.
var restoreFlags = []struct{ name, usage string }{
	{"data-dir", "the data `DIR` of the new member, which must not exist; NAME.pando if it is not given"},
	{"wal-dir", "the `DIR` of its log; by default it is in the data directory"},
	{"name", "the `NAME` of the new member"},
	{"initial-cluster", "the `MEMBERS` of the new cluster, as name=URL, separated by commas"},
	{"initial-cluster-token", "the `TOKEN` of the new cluster"},
	{"initial-advertise-peer-urls", "the peer `URLS` of the new member"},
}

func (p *program) snapshotRestoreCommand() *cli.Command {
	o := RestoreOptions{Flags: map[string]string{}}
	values := make([]string, len(restoreFlags))
	flags := []cli.Flag{&cli.BoolFlag{
		Name: "skip-hash-check", Destination: &o.SkipHashCheck,
		Usage: "don't check the checksum: the file is a copy of a database, which has none",
	}}
	for i, f := range restoreFlags {
		flags = append(flags, &cli.StringFlag{Name: f.name, Destination: &values[i], Usage: f.usage})
	}
	return p.command(&cli.Command{
		Name: "restore", Usage: "make the data directory of a new member of Pando from a file", ArgsUsage: "<file>", Flags: flags,
		Description: p.explain(`The file is one of snapshot save, from a member of etcd or of Pando. Restore each member of the new cluster from
			the same file, and start pando with the same settings. The cluster refuses members of the old one. For etcd, use etcdutl.`,
			`snapshot restore backup.db --data-dir /var/lib/pando`, "then start pando with this data directory"),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return badArguments("snapshot restore requires exactly one argument")
			}
			if p.host.Restore == nil {
				return errors.New("snapshot restore is not available in this program: use the client of the program pando")
			}
			o.File = c.Args().First()
			for i, f := range restoreFlags {
				if c.IsSet(f.name) {
					o.Flags[f.name] = values[i]
				}
			}
			if err := p.host.Restore(c.Context, p.stderr, o); err != nil {
				return &failure{exitError, err}
			}
			return nil
		},
	})
}
