package ctl

import "github.com/urfave/cli/v2"

// backupRefusal: the command of the legacy client reads etcd's own files, which nothing here can do.
const backupRefusal = `backup reads the files of an etcd 3.4 data directory, which this client can't do.
For etcd: use the etcdctl that came with it.
For Pando: stop the member and copy its --data-dir (and --wal-dir, if set) with cp -a, then start it again;
in a cluster the other members serve on meanwhile.`

func (p *program) backupCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "backup", Usage: "how to back up a data directory", ArgsUsage: " ",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data-dir", Usage: "accepted, not used"},
			&cli.StringFlag{Name: "wal-dir", Usage: "accepted, not used"},
			&cli.StringFlag{Name: "backup-dir", Usage: "accepted, not used"},
			&cli.StringFlag{Name: "backup-wal-dir", Usage: "accepted, not used"},
			&cli.BoolFlag{Name: "with-v3", Usage: "accepted, not used", DisableDefaultText: true},
		},
		Description: "DESCRIPTION:\n   Always fails, and says what to do instead.\n\n" + p.examples(
			`backup`, "says what to do"),
		Action: func(*cli.Context) error { return badArguments(backupRefusal) },
	})
}
