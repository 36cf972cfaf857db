package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl/terminal"
	"pando/members"
	"pando/members/config"
	"pando/members/server"
	"pando/raft/offline"
	"pando/storage"
	"pando/storage/etcdv2"
)

// The flags of import-etcd beside those of the server.
const (
	dryRunFlag     = "dry-run"
	fromWALDirFlag = "from-wal-dir"
	followFlag     = "follow"
	fromAPIFlag    = "from-api"
	skipHashFlag   = "skip-hash-check"
)

const importHelp = `Reads the data directory of a stopped member of etcd, or a file that "etcdctl snapshot save" has written, and makes the
data directory of a Pando member with its data. Of v2 it takes keys and directories, hidden ones too, with their indexes and TTLs; the index
of the store; the history of events; users, roles, the auth switch and the ID of the cluster. Of v3 it takes every key with its create
revision, mod revision, version and lease; the current revision; the history since the last compaction, so that watches and reads of old
revisions go on; leases; users, roles and the auth switch. The directory or file of etcd is only read. The list of its members is not
imported, because the new cluster has members of its own. The command is tested with data of etcd 3.4, 3.5 (v2) and 3.7 (v3). v2 data of 2.3
to 3.3 should be readable, but was never tried.

If a directory has data of both APIs, they come into one tree, in which clients of both see all keys. If a key of v3 is at the path of a key
of v2 or below it, or if both have users, the command refuses: choose one side with --from-api.

The command takes the flags with which the member will be started, or the same environment or configuration file. For a
cluster of three, copy one directory of etcd to each machine, and import it there with the same --initial-cluster.

With --follow, etcd keeps running, and the new cluster follows it: the new cluster takes no writes and removes no expired
key until pando migrate switch. It follows the data of v2 alone; those of v3 are left out. Copy the directory of a member with cp -a
(etcd may run meanwhile), and import the copy. Use the same copy for all members.

Examples:
  pando import-etcd /var/lib/etcd --dry-run
      prints a summary of the data, and writes nothing
  pando import-etcd /var/lib/etcd --data-dir /var/lib/pando
      then start pando with the same settings
  pando import-etcd snapshot.db --data-dir /var/lib/pando
      imports a file of "etcdctl snapshot save", which has the data of v3 alone
  pando import-etcd /tmp/copy --data-dir /var/lib/pando --follow
      then start pando with the same settings, and run pando migrate`

// importCommand returns "pando import-etcd".
func importCommand(stdout, stderr io.Writer) *cli.Command {
	given := config.NewCommandLine()
	command := &cli.Command{
		Name: "import-etcd", Usage: "make the data directory of a new member from data of etcd", ArgsUsage: "ETCD_DATA_DIR | SNAPSHOT_FILE",
		Description: importHelp, HideHelpCommand: true,
		Flags: append(given.CliFlags(restoreFlags...),
			&cli.BoolFlag{Name: dryRunFlag, Usage: "read and check everything, and write nothing"},
			&cli.BoolFlag{Name: followFlag, Usage: "make a cluster that follows the old one, for pando migrate"},
			&cli.StringFlag{Name: fromAPIFlag, Value: string(etcdv2.Both), Usage: "the data to import: `API` is both, v2 (the keys and " +
				"users of v2 alone) or v3 (those of v3 alone)"},
			&cli.BoolFlag{Name: skipHashFlag, Usage: "don't check the checksum at the end of SNAPSHOT_FILE: a copy of member/snap/db has none"},
			&cli.StringFlag{Name: fromWALDirFlag, Usage: "the `DIR` that etcd had in --wal-dir, if it had one"},
		),
		Action: func(c *cli.Context) error {
			dir, err := oneDirectory(c)
			if err != nil {
				return err
			}
			i := importer{stdout: stdout, stderr: stderr, dryRun: c.Bool(dryRunFlag), from: etcdv2.Options{
				DataDir: dir, WALDir: c.String(fromWALDirFlag), Follow: c.Bool(followFlag), API: etcdv2.API(c.String(fromAPIFlag)),
				SkipHashCheck: c.Bool(skipHashFlag),
			}}
			if err := checkAPI(i.from.API, i.from.Follow); err != nil {
				return err
			}
			return i.run(c.Context, given.Values())
		},
	}
	wrapErrors(command)
	return command
}

// checkAPI checks the value of --from-api.
func checkAPI(api etcdv2.API, follow bool) error {
	switch {
	case api != etcdv2.Both && api != etcdv2.V2 && api != etcdv2.V3:
		return config.AsUsage(fmt.Errorf("--%s %q: it must be %s, %s or %s", fromAPIFlag, api, etcdv2.Both, etcdv2.V2, etcdv2.V3))
	case follow && api == etcdv2.V3:
		return config.AsUsage(fmt.Errorf("--%s: a new cluster can follow the data of v2 alone, and not those of v3", followFlag))
	}
	return nil
}

// oneDirectory returns the argument of a command that takes one directory.
func oneDirectory(c *cli.Context) (string, error) {
	if err := refuseUnknownFlags(c); err != nil {
		return "", err
	}
	args := c.Args().Slice()
	if len(args) != 1 {
		return "", config.AsUsage(
			errors.New("pando import-etcd takes one directory or file, for example: pando import-etcd /var/lib/etcd --dry-run"))
	}
	return args[0], nil
}

// importer is one call of import-etcd.
type importer struct {
	stdout, stderr io.Writer
	dryRun         bool
	from           etcdv2.Options
}

// run reads the directory of etcd and makes the data directory that the settings name.
func (i *importer) run(ctx context.Context, flags map[string]string) error {
	cfg, err := loadFounding(i.stderr, flags)
	if err != nil {
		return err
	}
	to := storage.Options{DataDir: cfg.DataDir, WALDir: cfg.WALDir, HistorySize: cfg.HistorySize}
	var cluster members.Cluster
	if !i.dryRun {
		if err := cfg.CheckFounding(); err != nil {
			return config.AsUsage(err)
		}
		if err := i.checkTarget(to); err != nil {
			return err
		}
		if cluster, err = server.RestoredFounders(ctx, cfg); err != nil {
			return err
		}
	}
	i.from.HistorySize = cfg.HistorySize
	found, err := i.read(ctx)
	if err != nil {
		return err
	}
	if err := printReport(i.stdout, found); err != nil {
		return err
	}
	if err := refuseFollowedBackup(found); err != nil || i.dryRun {
		return err
	}
	founding, err := offline.ImportedMember(cluster, members.ID(found.Report.ClusterID), found.Report.Digest)
	if err != nil {
		return config.AsUsage(err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := i.write(to, found, founding); err != nil {
		return err
	}
	next := startNext
	if found.Store.View().Mirror() != nil {
		next = followNext
	}
	_, err = fmt.Fprintf(i.stdout, "imported into %s: member %s (%s) of the cluster %s\n%s\n",
		cfg.DataDir, cfg.Name, members.ID(founding.Identity.MemberID), members.ID(founding.Identity.ClusterID), next)
	return err
}

// The steps after an import.
const (
	startNext  = "Next: give the directory to the user of pando, and start pando with the same settings"
	followNext = startNext + ".\nThen start pando migrate and keep it running: pando migrate --help"
)

// refuseFollowedBackup returns an error if the new cluster is to follow the source of a copy that has other indexes.
func refuseFollowedBackup(found *etcdv2.Imported) error {
	if !found.Report.Backup || found.Store.View().Mirror() == nil {
		return nil
	}
	return config.AsUsage(errors.New("--follow: this is a copy by etcdctl backup, in which indexes are lower than in the etcd " +
		"that is to be followed: copy the directory with cp -a instead"))
}

// write makes the data directory, with a progress bar on a terminal.
func (i *importer) write(to storage.Options, found *etcdv2.Imported, founding storage.Founding) error {
	bar := terminal.NewBar(i.stderr, "writing", found.Store.View().Nodes())
	defer bar.Clear()
	return storage.Import(to, storage.Imported{
		Store: found.Store, Applied: found.Applied, Term: found.Term,
		Progress: func(nodes int64) { _ = bar.Set64(nodes) },
	}, founding)
}

// checkTarget refuses a target that holds data, or that lies in the directory of etcd.
func (i *importer) checkTarget(to storage.Options) error {
	for _, dir := range []string{to.DataDir, to.WALDir} {
		for _, source := range []string{i.from.DataDir, i.from.WALDir} {
			if dir != "" && source != "" && isInside(dir, source) {
				return config.AsUsage(fmt.Errorf("--data-dir or --wal-dir: %s is in the directory of etcd, which must not change: choose another", dir))
			}
		}
	}
	exists, err := storage.Exists(to)
	if err == nil && exists {
		err = fmt.Errorf("%w: %s", storage.ErrExists, to.DataDir)
	}
	if err != nil {
		return fmt.Errorf("%w: import-etcd makes a new member and overwrites nothing; choose another --data-dir, or move that one away", err)
	}
	return nil
}

// isInside reports whether a path is a directory or lies below it.
func isInside(path, dir string) bool {
	path, dir = resolved(path), resolved(dir)
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// resolved returns the absolute path without symbolic links, as far as the path exists.
func resolved(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(absolute); err == nil {
		return real
	}
	if above := filepath.Dir(absolute); above != absolute {
		return filepath.Join(resolved(above), filepath.Base(absolute))
	}
	return absolute
}

// read reads the directory of etcd, with a progress bar on a terminal.
func (i *importer) read(ctx context.Context) (*etcdv2.Imported, error) {
	bar := terminal.NewBar(i.stderr, "reading", -1)
	defer bar.Clear()
	i.from.Progress = func(bytes, total int64) {
		bar.ChangeMax64(total)
		_ = bar.Add64(bytes)
	}
	return etcdv2.Read(ctx, i.from)
}
