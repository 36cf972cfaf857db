package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pando/ctl"
	"pando/ctl/client"
	"pando/ctl/migrate"
	"pando/ctl/terminal"
	"pando/members/config"
)

// The flags of migrate.
const (
	fromFlag          = "from"
	toFlag            = "to"
	forwardWritesFlag = "forward-writes"
	hiddenFlag        = "hidden"
	formatFlag        = "format"
	ignoreUsersFlag   = "ignore-users"
	straysFlag        = "watch-source"
)

// The values of --format.
const (
	formatText = "text"
	formatJSON = "json"
)

const migrateHelp = `Moves a running etcd to Pando without stopping its clients. The cluster of Pando follows the etcd until it takes over:
it has every key, hidden ones too, with the same indexes and TTLs, and its watchers get the same events.

The steps:
  1. Copy the data directory of one member of etcd to each machine of the new cluster (cp -a works while it runs), and
     import it there, with the flags with which pando will be started: pando import-etcd COPY --data-dir NEW --follow
  2. Start the members. Then start pando migrate on one machine, and keep it running until the end. It has no state:
     after an interruption, start it again.
       pando migrate --from http://etcd:2379 --to http://pando:2379 --forward-writes
  3. Compare, as often as you like:        pando migrate compare --from ... --to ...
  4. Point the clients to Pando. With --forward-writes, Pando sends their writes to etcd; without it, writes fail.
  5. Take over, in less than a second:     pando migrate switch --from ... --to ...
  6. Stop etcd.

etcd needs --enable-v2 (from 3.4 on). It is only read: by one stream, and by some requests in a second. With auth enabled,
give the root of both sides: --from-user for etcd, --username for Pando.`

// migrateCommand returns "pando migrate".
func migrateCommand(stdout, stderr io.Writer) *cli.Command {
	m := &migration{stdout: stdout, stderr: stderr}
	group := &cli.Command{
		Name: "migrate", Usage: "follow a running etcd, compare with it, and take over from it", Description: migrateHelp,
		HideHelpCommand: true,
		Flags: append(migrateFlags(),
			&cli.BoolFlag{Name: forwardWritesFlag, Usage: "make the members of Pando forward writes to the URLs of --from, which they must reach; " +
				"=false makes them refuse writes again. Without this flag the setting stays as it was; at first, writes are refused"}),
		Subcommands: []*cli.Command{m.compareCommand(), m.switchCommand(), m.statusCommand()},
	}
	group.Action = func(c *cli.Context) error {
		if c.Args().Present() {
			return config.AsUsage(unknownMigrateVerb(c.Args().First(), group.Subcommands))
		}
		return m.follow(c)
	}
	for _, command := range append(slices.Clone(group.Subcommands), group) {
		readVariables(command)
		wrapErrors(command)
	}
	return group
}

// unknownMigrateVerb returns the error for a word after "pando migrate" that is no verb.
func unknownMigrateVerb(word string, verbs []*cli.Command) error {
	var names []string
	for _, verb := range verbs {
		names = append(names, verb.Name)
	}
	if near := ctl.Nearest(word, names); near != "" {
		return fmt.Errorf("unknown verb %q; did you mean pando migrate %s?", word, near)
	}
	return fmt.Errorf("pando migrate has no verb %s; it has %s, and without a verb it follows the source", word, strings.Join(names, ", "))
}

// migrateFlags returns the flags of all verbs of migrate.
func migrateFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: fromFlag, Usage: "client `URL` of a member of the running etcd, or several, separated by commas"},
		&cli.StringFlag{Name: toFlag,
			Usage: "client `URL` of a member of the cluster of Pando, or several (default: " + config.DefaultClientURL + ")"},
		&cli.StringSliceFlag{Name: hiddenFlag,
			Usage: "`PATH` of a hidden key or directory that was made while more than 1000 changes were missed; may be repeated"},
		&cli.StringFlag{Name: "from-user", EnvVars: []string{"PANDO_MIGRATE_FROM_USER"},
			Usage: "`NAME[:PASSWORD]` of a user of etcd, usually root; asks for a missing password"},
		&cli.StringFlag{Name: "from-ca-file", Usage: "PEM `FILE` of the authorities to trust at etcd (https)"},
		&cli.StringFlag{Name: "from-cert-file", Usage: "PEM `FILE` of the client certificate for etcd (https)"},
		&cli.StringFlag{Name: "from-key-file", Usage: "PEM `FILE` of the client key for etcd (https)"},
		&cli.StringFlag{Name: "username", Usage: "`NAME[:PASSWORD]` of root of Pando; asks for a missing password"},
		&cli.StringFlag{Name: "ca-file", Usage: "PEM `FILE` of the authorities to trust at Pando (https)"},
		&cli.StringFlag{Name: "cert-file", Usage: "PEM `FILE` of the client certificate for Pando (https)"},
		&cli.StringFlag{Name: "key-file", Usage: "PEM `FILE` of the client key for Pando (https)"},
		&cli.StringFlag{Name: "tls-server-name",
			Usage: "a `NAME` that the certificates of Pando must have, in place of the host in the URL (https)"},
	}
}

// formatOption returns the flag --format.
func formatOption() cli.Flag {
	return &cli.StringFlag{Name: formatFlag, Value: formatText, Usage: "`FORMAT` of the output: text or json"}
}

// The time limits of requests to either side.
const (
	migrateDialTimeout   = 3 * time.Second
	migrateHeaderTimeout = 30 * time.Second // the list of a large directory takes long
)

// migration is one call of migrate.
type migration struct{ stdout, stderr io.Writer }

// option returns the value of a flag, which may stand before or after the verb.
func option(c *cli.Context, name string) string {
	for _, context := range c.Lineage() {
		if context.IsSet(name) {
			return context.String(name)
		}
	}
	return ""
}

// printer returns the function that prints the result of a verb in the format of --format.
func (m *migration) printer(c *cli.Context) (func(result any, text string) error, error) {
	switch format := c.String(formatFlag); format {
	case formatText:
		return func(_ any, text string) error { _, err := io.WriteString(m.stdout, text); return err }, nil
	case formatJSON:
		return func(result any, _ string) error { return json.NewEncoder(m.stdout).Encode(result) }, nil
	default:
		return nil, config.AsUsage(fmt.Errorf("--format: %q is no format; write text or json", format))
	}
}

// hiddenPaths returns the paths of --hidden.
func hiddenPaths(c *cli.Context) ([]string, error) {
	var paths []string
	for _, context := range c.Lineage() {
		for _, path := range context.StringSlice(hiddenFlag) {
			path = "/" + strings.Trim(path, "/")
			if !strings.Contains(path, "/_") {
				return nil, config.AsUsage(fmt.Errorf("--hidden: %s is not hidden: no name in it begins with an underscore", path))
			}
			if !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	return paths, nil
}

// source returns the etcd of --from.
func (m *migration) source(c *cli.Context) (*migrate.Source, error) {
	urls := option(c, fromFlag)
	if urls == "" {
		return nil, config.AsUsage(errors.New("--from is missing: name the running etcd, for example --from http://10.0.0.1:2379"))
	}
	files := client.TLSFiles{Cert: option(c, "from-cert-file"), Key: option(c, "from-key-file"), CA: option(c, "from-ca-file")}
	cl, err := m.client(c.Context, clientOptions{
		urls: urls, urlsFlag: fromFlag, user: option(c, "from-user"), prompt: "Password of the etcd's user: ", files: files,
		filesFlags: "--from-cert-file, --from-key-file and --from-ca-file",
	})
	if err != nil {
		return nil, err
	}
	return migrate.NewSource(cl)
}

// target returns the cluster of --to.
func (m *migration) target(c *cli.Context) (*migrate.Target, error) {
	urls := option(c, toFlag)
	if urls == "" {
		urls = config.DefaultClientURL
	}
	files := client.TLSFiles{Cert: option(c, "cert-file"), Key: option(c, "key-file"), CA: option(c, "ca-file"),
		ServerName: option(c, "tls-server-name")}
	cl, err := m.client(c.Context, clientOptions{
		urls: urls, urlsFlag: toFlag, user: option(c, "username"), prompt: "Password of the Pando user: ", files: files,
		filesFlags: "--cert-file, --key-file and --ca-file",
	})
	if err != nil {
		return nil, err
	}
	return migrate.NewTarget(cl), nil
}

// sides are what a verb works on that needs both clusters.
type sides struct {
	source *migrate.Source
	target *migrate.Target
	hidden []string // the paths of --hidden
}

// both returns the sides of a verb that takes no arguments.
func (m *migration) both(c *cli.Context) (s sides, err error) {
	if err := refuseUnknownFlags(c); err != nil {
		return s, err
	}
	if c.Args().Present() {
		return s, config.AsUsage(fmt.Errorf("unexpected argument %q: %s takes only flags", c.Args().First(), c.Command.HelpName))
	}
	if s.hidden, err = hiddenPaths(c); err != nil {
		return s, err
	}
	if s.source, err = m.source(c); err != nil {
		return s, err
	}
	s.target, err = m.target(c)
	return s, err
}

// clientOptions are the settings of the connection to one side.
type clientOptions struct {
	urls, urlsFlag, user, prompt, filesFlags string
	files                                    client.TLSFiles
}

// client returns a client with these options. It asks for a password that is missing.
func (m *migration) client(ctx context.Context, o clientOptions) (*client.Client, error) {
	endpoints, err := client.ParseEndpoints(o.urls)
	if err != nil {
		return nil, config.AsUsage(fmt.Errorf("--%s: %w", o.urlsFlag, err))
	}
	tlsConfig, err := o.files.Config()
	if err != nil {
		return nil, config.AsUsage(fmt.Errorf("%s: %w", o.filesFlags, err))
	}
	user, password, hasPassword := strings.Cut(o.user, ":")
	if user != "" && !hasPassword {
		if password, err = terminal.AskPassword(ctx, os.Stdin, m.stderr, o.prompt); err != nil {
			return nil, err
		}
	}
	return client.New(client.Config{
		Endpoints: endpoints, TLS: tlsConfig, User: user, Password: password, DialTimeout: migrateDialTimeout,
		HeaderTimeout: migrateHeaderTimeout,
	}), nil
}
