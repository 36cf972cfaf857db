package ctl

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

// Flags of backup.
const (
	dataDirFlag       = "data-dir"
	walDirFlag        = "wal-dir"
	backupDirFlag     = "backup-dir"
	backupWALDirFlag  = "backup-wal-dir"
	backupWithV3Flag  = "with-v3"
	backupUnavailable = "backup reads a member's files, which this program can't do: use pando ctl backup"
)

// DataDir says where the data of a member is.
type DataDir struct {
	Data string // the directory
	WAL  string // that of the log; empty: within Data
}

func (p *program) backupCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "backup", Usage: "backup a Pando data directory, also of a server that runs", ArgsUsage: " ",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: dataDirFlag, Usage: "data directory of the member"},
			&cli.StringFlag{Name: walDirFlag, Usage: "its log, if the server was started with --wal-dir"},
			&cli.StringFlag{Name: backupDirFlag, Usage: "directory to make; it must not hold data"},
			&cli.StringFlag{Name: backupWALDirFlag, Usage: "directory of the backup's log (default: within the backup)"},
			&cli.BoolFlag{Name: backupWithV3Flag, Usage: "accepted: Pando has no v3 data", DisableDefaultText: true},
		},
		Description: `DESCRIPTION:
   Works on files, without asking a server, and changes nothing in the data directory. The backup has all that the
   member had acknowledged before the command began, as the data of a new member, alone in a new cluster: no member of
   the old cluster takes it for one of theirs. Start it, then add others. To back up a running cluster over the
   network, use snapshot save; to move from etcd, import --from URL.

` + p.examples(
			`backup --data-dir /var/lib/pando --backup-dir /backup/pando`, "then: pando --data-dir /backup/pando --force-new-cluster",
			`backup --data-dir /var/lib/pando --wal-dir /fast/wal --backup-dir /backup/pando`, "of a member with its log elsewhere"),
		Action: p.backup,
	})
}

func (p *program) backup(c *cli.Context) error {
	from := DataDir{Data: c.String(dataDirFlag), WAL: c.String(walDirFlag)}
	to := DataDir{Data: c.String(backupDirFlag), WAL: c.String(backupWALDirFlag)}
	switch {
	case p.host.Backup == nil:
		return badArguments(backupUnavailable)
	case from.Data == "":
		return badArguments("backup needs --data-dir, the data directory of a member")
	case to.Data == "":
		return badArguments("backup needs --backup-dir, the directory to make")
	}
	note, err := p.host.Backup(c.Context, from, to)
	if err != nil {
		return bareFailure(err)
	}
	_, err = fmt.Fprintln(p.stderr, note)
	return err
}
