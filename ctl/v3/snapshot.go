package v3

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"pando/ctl/v3/client"
)

func (p *program) snapshotCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "snapshot", Usage: "save the data of a member to a file, look into the file, and restore it",
		Subcommands: []*cli.Command{p.snapshotSaveCommand(), p.snapshotStatusCommand(), p.snapshotRestoreCommand()},
		Description: p.explain(`The file is one of etcd, also from Pando. snapshot restore makes a data directory of Pando from it, and etcdutl
			snapshot restore one of etcd.`,
			`snapshot save backup.db`, "save the data of the member at the endpoint",
			`snapshot status backup.db -w table`, "what is in the file",
			`snapshot restore backup.db --data-dir DIR`, "make the data directory of a new member"),
	})
}

func (p *program) snapshotSaveCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "save", Usage: "save the data of a member to a file", ArgsUsage: "<file>",
		Description: p.explain(`One endpoint must be given. The data goes to <file>.part first, which becomes <file> when it is complete and on
			the disk.`),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return badArguments("snapshot save expects one argument <filename>")
			}
			return p.waiting(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
				if len(cl.Endpoints()) != 1 {
					return fail(exitInterrupted, "snapshot must be requested to one selected node, not multiple %v", cl.Endpoints())
				}
				version, err := saveSnapshot(ctx, cl, c.Args().First())
				if err != nil {
					return &failure{exitInterrupted, err}
				}
				t := &text{}
				t.linef("Snapshot saved at %s", c.Args().First())
				if version != "" {
					t.linef("Server version %s", version)
				}
				_, err = p.stdout.Write(t.Bytes())
				return err
			})(c)
		},
	})
}

// saveSnapshot saves the snapshot of the member to a file, and returns the version of the member's storage.
func saveSnapshot(ctx context.Context, cl *client.Client, file string) (version string, err error) {
	part := file + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", fmt.Errorf("could not open %s (%w)", part, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	_, version, err = cl.Snapshot(ctx, f)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return "", err
	}
	if err := os.Rename(part, file); err != nil {
		return "", fmt.Errorf("could not rename %s to %s (%w)", part, file, err)
	}
	return version, nil
}

func (p *program) snapshotStatusCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "status", Usage: "print what is in a snapshot file", ArgsUsage: "<file>",
		Description: p.explain(`It reads a file of snapshot save, or the database of a member that is stopped. No server is needed.`),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return badArguments("snapshot status requires exactly one argument")
			}
			s, err := readSnapshotStatus(c.Args().First())
			if err != nil {
				return err
			}
			size := humanize.Bytes(uint64(s.TotalSize))
			row := []string{fmt.Sprintf("%x", s.Hash), fmt.Sprint(s.Revision), fmt.Sprint(s.TotalKey), size, s.Version}
			return p.print(answer{
				json:   s,
				simple: func(t *text) { t.rows([][]string{row}) },
				table: func() *table {
					return &table{[]string{"HASH", "REVISION", "TOTAL KEYS", "TOTAL SIZE", "VERSION"}, [][]string{row}}
				},
				fields: func(t *text) {
					t.field("Hash", s.Hash)
					t.field("Revision", s.Revision)
					t.field("Keys", s.TotalKey)
					t.field("Size", s.TotalSize)
					t.linef("%q : %s", "Version", s.Version)
				},
			})
		},
	}, tableFormats...)
}
