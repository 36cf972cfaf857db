package program

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl/terminal"
	"pando/members"
	"pando/members/config"
	"pando/members/server"
	"pando/raft"
	"pando/storage"
	"pando/storage/etcdv2"
	"pando/tree/users"
)

// rootPasswordFlag is a flag of export-etcd.
const rootPasswordFlag = "root-password-file"

// exportFlags are the flags of the server that export-etcd takes: they name the members of the new cluster of etcd.
var exportFlags = []string{"name", "initial-cluster", "initial-cluster-token", "initial-advertise-peer-urls", config.ConfigFileFlag}

const exportHelp = `The way back: makes a data directory of etcd from the data of Pando. FROM is the data directory of a
stopped member, or a file of pando snapshot save. etcd then has the same keys and directories, hidden ones too, with the
same indexes and TTLs, the same index, history of events, users, roles, auth switch and cluster ID. FROM is only
read. The command is tested with etcd 3.4 and 3.5; etcd 2.3 to 3.3 was never tried.

Give --name, --initial-advertise-peer-urls and --initial-cluster the values with which etcd will be started. Without
--initial-cluster, etcd begins as a cluster of one member; "etcdctl member add" adds others. To start several members
at once, copy FROM to each machine and export it there with the same --initial-cluster.

etcd can't check a password that was set in Pando, because etcd verifies only bcrypt hashes. The report names these users: nobody can
log in as one of them until root sets a password with "etcdctl user passwd". Passwords that came from etcd stay.

Examples:
  pando export-etcd /var/lib/pando --dry-run
      prints what is there and what etcd can't have, and writes nothing
  pando export-etcd /var/lib/pando /var/lib/etcd-new --name default --initial-advertise-peer-urls http://10.0.0.1:2380
      then start etcd --enable-v2 --data-dir /var/lib/etcd-new with the same flags and its other settings`

// exportCommand returns "pando export-etcd".
func exportCommand(stdout, stderr io.Writer) *cli.Command {
	given := config.NewCommandLine()
	command := &cli.Command{
		Name: "export-etcd", Usage: "make a data directory of etcd from the data of a member or from a snapshot", ArgsUsage: "FROM TO_DIR",
		Description: exportHelp, HideHelpCommand: true,
		Flags: append(given.CliFlags(exportFlags...),
			&cli.BoolFlag{Name: dryRunFlag, Usage: "read and check everything, and write nothing"},
			&cli.StringFlag{Name: fromWALDirFlag, Usage: "the `DIR` that Pando had in --wal-dir, if it had one"},
			&cli.StringFlag{Name: rootPasswordFlag, Usage: "the first line of `FILE` is the password of root in etcd; - for stdin"},
		),
		Action: func(c *cli.Context) error {
			x := exporter{
				stdout: stdout, stderr: stderr,
				dryRun: c.Bool(dryRunFlag), walDir: c.String(fromWALDirFlag), passwordFile: c.String(rootPasswordFlag),
			}
			if err := x.arguments(c); err != nil {
				return err
			}
			return x.run(c.Context, given.Values())
		},
	}
	wrapErrors(command)
	return command
}

// exporter is one call of export-etcd.
type exporter struct {
	stdout, stderr io.Writer
	dryRun         bool
	from, to       string // to may be empty if dryRun is set
	walDir         string // of from
	passwordFile   string
}

func (x *exporter) arguments(c *cli.Context) error {
	if err := refuseUnknownFlags(c); err != nil {
		return err
	}
	args := c.Args().Slice()
	if len(args) > 2 || len(args) < 1 || len(args) == 1 && !x.dryRun {
		return config.AsUsage(errors.New("pando export-etcd takes FROM and TO_DIR, for example: " +
			"pando export-etcd /var/lib/pando /var/lib/etcd-new"))
	}
	if x.from = args[0]; len(args) == 2 {
		x.to = filepath.Clean(args[1])
	}
	return nil
}

// run reads the data of Pando and makes the data directory of etcd.
func (x *exporter) run(ctx context.Context, flags map[string]string) error {
	cfg, err := loadFounding(x.stderr, flags)
	if err != nil {
		return err
	}
	if err := cfg.CheckFounding(); err != nil {
		return config.AsUsage(err)
	}
	if err := x.checkTarget(); err != nil {
		return err
	}
	cluster, err := server.RestoredFounders(ctx, cfg)
	if err != nil {
		return err
	}
	rootHash, err := x.rootHash(ctx)
	if err != nil {
		return err
	}
	source, err := terminal.Interruptible(ctx, x.read)
	if err != nil {
		return err
	}
	export := etcdv2.Export{
		Store: source.Store, Applied: source.Applied, Term: source.Term, ClusterID: source.Identity.ClusterID, RootHash: rootHash,
	}
	report, err := etcdv2.Prepare(ctx, export)
	if err != nil {
		return fmt.Errorf("%s: %w", x.from, err)
	}
	addMembers(&export, cluster, report.Digest)
	if err := printExportReport(x.stdout, x.from, &export, report); err != nil {
		return err
	}
	if err := refuseLockedRoot(report); err != nil || x.dryRun {
		return err
	}
	if err := x.write(ctx, export); err != nil {
		return err
	}
	_, err = fmt.Fprintf(x.stdout, exportedText, x.to, cfg.Name, members.ID(export.Self), members.ID(export.ClusterID), x.to, cfg.Name,
		strings.Join(config.URLStrings(cfg.InitialAdvertisePeerURLs), ","))
	return err
}

const exportedText = `exported into %s: member %s (%s) of the cluster %s
Next: give the directory to the user of etcd, and start etcd with its other settings and:
  etcd --enable-v2 --data-dir %s --name %s --initial-advertise-peer-urls %s
`

// checkTarget refuses a target that exists, or that lies in the data of Pando.
func (x *exporter) checkTarget() error {
	if x.to == "" {
		return nil
	}
	for _, source := range []string{x.from, x.walDir} {
		if source != "" && isInside(x.to, source) {
			return config.AsUsage(fmt.Errorf("%s is in the data of Pando, which must not change: choose another TO_DIR", x.to))
		}
	}
	err := etcdv2.RefuseTarget(x.to)
	if errors.Is(err, etcdv2.ErrTargetExists) {
		return fmt.Errorf("%w: export-etcd overwrites nothing; choose another TO_DIR, or move that one away", err)
	}
	return err
}

// read reads the data of a stopped member, or a snapshot.
func (x *exporter) read() (*storage.Recovered, error) {
	info, err := os.Stat(x.from)
	if err != nil {
		return nil, fmt.Errorf("%w; FROM is the data directory of a stopped member, or a file of pando snapshot save", config.UnwrapPath(err))
	}
	if !info.IsDir() {
		return storage.LoadSnapshot(x.from)
	}
	r, err := storage.ReadStopped(storage.Options{DataDir: x.from, WALDir: x.walDir})
	switch {
	case errors.Is(err, storage.ErrLocked):
		return nil, fmt.Errorf("%w: export-etcd needs the data of a stopped member, or of a running one a file of: pando snapshot save FILE", err)
	case err != nil:
		return nil, err
	}
	return r, raft.Replay(r)
}

// rootHash returns the hash of the password of --root-password-file; empty without the flag.
func (x *exporter) rootHash(ctx context.Context) (string, error) {
	if x.passwordFile == "" {
		return "", nil
	}
	input, prompt := io.Reader(os.Stdin), x.stderr
	if x.passwordFile != "-" {
		f, err := os.Open(x.passwordFile)
		if err != nil {
			return "", err
		}
		defer f.Close()
		input, prompt = f, io.Discard
	}
	password, err := terminal.AskPassword(ctx, input, prompt, "Password of root in etcd: ")
	if err != nil {
		return "", fmt.Errorf("--%s: %w", rootPasswordFlag, err)
	}
	hash, err := etcdv2.HashPassword(password)
	if err != nil {
		return "", config.AsUsage(fmt.Errorf("--%s: %w", rootPasswordFlag, err))
	}
	return hash, nil
}

// addMembers sets the members of the new cluster. Their IDs depend on the state, too: a member of an old cluster with the same name,
// URLs and cluster ID has another ID, and is refused.
func addMembers(export *etcdv2.Export, cluster members.Cluster, digest [sha256.Size]byte) {
	id := func(id members.ID) uint64 {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(digest[:], uint64(id)))
		return max(binary.BigEndian.Uint64(sum[:]), 1)
	}
	for _, m := range cluster.Members {
		export.Members = append(export.Members, etcdv2.ExportedMember{ID: id(m.ID), PeerURLs: m.PeerURLs})
	}
	export.Self = id(cluster.Self)
}

// refuseLockedRoot returns an error if nobody could ever change a user or a role in etcd.
func refuseLockedRoot(report *etcdv2.Report) error {
	if !report.AuthEnabled || !slices.Contains(report.Locked, users.Root) {
		return nil
	}
	return config.AsUsage(fmt.Errorf("auth is enabled, and etcd can't check the password of root, which was set in Pando: "+
		"give root a password for etcd with --%s FILE, or - to type it", rootPasswordFlag))
}

// write makes the directory, with a progress bar on a terminal.
func (x *exporter) write(ctx context.Context, export etcdv2.Export) error {
	bar := terminal.NewBar(x.stderr, "writing", 2*export.Store.View().Nodes())
	defer bar.Clear()
	export.Progress = func(nodes int64) { _ = bar.Add64(nodes) }
	return etcdv2.Write(ctx, x.to, export)
}
