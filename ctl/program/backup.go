package program

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"pando/ctl"
	"pando/members/config"
	"pando/raft/offline"
	"pando/storage"
)

// backupCommand returns "backup", a command of the client with the options of the legacy one.
func backupCommand(stderr io.Writer) *cli.Command {
	var from, to storage.Options
	return &cli.Command{
		Name: "backup", Usage: "backup a Pando data directory, also of a running server", ArgsUsage: " ",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data-dir", Destination: &from.DataDir, Usage: "data directory of the member"},
			&cli.StringFlag{Name: "wal-dir", Destination: &from.WALDir, Usage: "its log, if the server was started with --wal-dir"},
			&cli.StringFlag{Name: "backup-dir", Destination: &to.DataDir, Usage: "directory to make; it must not hold data"},
			&cli.StringFlag{Name: "backup-wal-dir", Destination: &to.WALDir, Usage: "directory of the backup's log (default: within the backup)"},
			&cli.BoolFlag{Name: "with-v3", Usage: "accepted: Pando has no v3 data", DisableDefaultText: true},
		},
		Description: `DESCRIPTION:
   Copies files, without a request to a server, and changes nothing in the data directory. The backup holds every write that
   the member acknowledged before the command began, as the data of a new member in a new cluster of its own. Start that
   member, then add others; no member of the old cluster accepts it as one of its own. To back up a running cluster over
   the network, use snapshot save; to move from etcd, use import --from URL.

` + ctl.Examples(
			`pando ctl backup --data-dir /var/lib/pando --backup-dir /backup/pando`, "then: pando --data-dir /backup/pando --force-new-cluster",
			`pando ctl backup --data-dir /var/lib/pando --wal-dir /fast/wal --backup-dir /backup/pando`, "of a member with its log elsewhere"),
		Action: func(c *cli.Context) error {
			switch {
			case from.DataDir == "":
				return config.AsUsage(fmt.Errorf("backup needs --data-dir, the data directory of a member"))
			case to.DataDir == "":
				return config.AsUsage(fmt.Errorf("backup needs --backup-dir, the directory to make"))
			}
			note, err := offline.Backup(c.Context, from, to)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(stderr, note)
			return err
		},
	}
}
