package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"

	"pando/ctl/client"
	"pando/ctl/terminal"
	"pando/members/config"
	"pando/storage"
)

// saveOptions are the options of "snapshot save". The options about the server have the names of the client's global options.
type saveOptions struct {
	endpoints string
	timeout   time.Duration
	local     bool
	username  string
	tls       client.TLSFiles
}

func saveCommand(stdout, stderr io.Writer) *cli.Command {
	o := &saveOptions{}
	return &cli.Command{
		Name: "save", Usage: "save a running cluster's state to a file", ArgsUsage: "FILE",
		Description: `Saves the state of any member, while clients go on. The file has everything that was acknowledged before, hidden
keys too. It replaces an existing file when it is complete and its checksum is right. If a member does not begin
within --timeout, or sends nothing for half a minute, the next endpoint is asked.

Examples:
  pando snapshot save backup.snap --endpoint http://10.0.0.1:2379
      then: pando snapshot status backup.snap
  pando snapshot save rescue.snap --local --endpoint http://10.0.0.1:2379
      from a member that has lost the others`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "endpoint", Aliases: []string{"endpoints"}, Destination: &o.endpoints, Value: config.DefaultClientURL,
				Usage: "client `URL` of a member, or several, separated by commas: the first that answers"},
			&cli.DurationFlag{Name: "timeout", Destination: &o.timeout, Value: client.DefaultSnapshotTimeout,
				Usage: "how long one member may take to begin its answer"},
			&cli.BoolFlag{Name: "local", Destination: &o.local,
				Usage: "save what the member has without asking the others, for a cluster that has lost its quorum"},
			&cli.StringFlag{Name: "username", Destination: &o.username,
				Usage: "`NAME[:PASSWORD]` of a user; asks for a missing password. With auth enabled, only root may save"},
			&cli.StringFlag{Name: "ca-file", Destination: &o.tls.CA,
				Usage: "PEM `FILE` of the authorities to trust (https)"},
			&cli.StringFlag{Name: "cert-file", Destination: &o.tls.Cert,
				Usage: "PEM `FILE` of the client certificate (https)"},
			&cli.StringFlag{Name: "key-file", Destination: &o.tls.Key,
				Usage: "PEM `FILE` of the client key (https)"},
			&cli.StringFlag{Name: "tls-server-name", Destination: &o.tls.ServerName,
				Usage: "a `NAME` that the certificates must have, in place of the host in the URL (https)"},
		},
		Action: withFile(func(c *cli.Context, file string) error {
			cl, err := o.client(c.Context, stderr)
			if err != nil {
				return config.AsUsage(err)
			}
			info, from, err := o.save(c.Context, cl, file, stderr)
			if err != nil {
				return &saveError{fmt.Errorf("%s was not saved: %w", file, err)}
			}
			_, err = fmt.Fprintf(stdout, "saved %s: %d keys at index %d, %s from %s\n",
				file, info.Nodes, info.Index, humanize.IBytes(uint64(info.Size)), from)
			return err
		}),
	}
}

// clientVariables are the environment variables of the client, by the option of save. The verb of the program reads them. The command of
// the client does not: the client passes its global options on.
var clientVariables = map[string]string{
	"username": "ETCDCTL_USERNAME", "ca-file": "ETCDCTL_CA_FILE", "cert-file": "ETCDCTL_CERT_FILE", "key-file": "ETCDCTL_KEY_FILE",
}

// readVariables makes the options of a command read clientVariables.
func readVariables(c *cli.Command) {
	for _, flag := range c.Flags {
		if f, ok := flag.(*cli.StringFlag); ok && clientVariables[f.Name] != "" {
			f.EnvVars = []string{clientVariables[f.Name]}
		}
	}
}

// client returns a client with these options. It asks for a password that is missing. Its errors are about the options.
func (o *saveOptions) client(ctx context.Context, stderr io.Writer) (*client.Client, error) {
	endpoints, err := client.ParseEndpoints(o.endpoints)
	if err != nil {
		return nil, fmt.Errorf("--endpoint: %w", err)
	}
	if o.timeout <= 0 {
		return nil, errors.New("--timeout: give a time above 0, for example --timeout=30s")
	}
	tlsConfig, err := o.tls.Config()
	if err != nil {
		return nil, fmt.Errorf("--cert-file, --key-file and --ca-file: %w", err)
	}
	user, password, hasPassword := strings.Cut(o.username, ":")
	if user != "" && !hasPassword {
		if password, err = terminal.AskPassword(ctx, os.Stdin, stderr, "Password: "); err != nil {
			return nil, err
		}
	}
	return client.New(client.Config{
		Endpoints: endpoints, TLS: tlsConfig, User: user, Password: password, DialTimeout: o.timeout, HeaderTimeout: o.timeout,
	}), nil
}

// save writes the file. It returns the content of the file, and the member that sent it.
func (o *saveOptions) save(
	ctx context.Context, cl *client.Client, file string, stderr io.Writer,
) (info *storage.SnapshotInfo, from *url.URL, err error) {
	from, _, err = cl.SaveSnapshot(ctx, file, client.SnapshotOptions{
		Local: o.local,
		Progress: func(size int64) io.Writer {
			return terminal.NewBar(stderr, "saving", size, progressbar.OptionShowBytes(true))
		},
		Check: func(path string) error {
			info, err = storage.InspectSnapshot(path)
			return err
		},
	})
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		err = fmt.Errorf("%w; is a member running there? --endpoint says where", err)
	}
	if client.IsUnauthorized(err) {
		err = fmt.Errorf("%w; only root may save a snapshot: see --username, or --cert-file with a certificate of root", err)
	}
	return info, from, err
}

// saveError is the error if no member sent a snapshot.
type saveError struct{ err error }

func (e *saveError) Error() string { return e.err.Error() }
func (e *saveError) Unwrap() error { return e.err }

// ExitCode returns the exit code of pando ctl. pando snapshot has the exit codes of the program.
func (e *saveError) ExitCode() int { return 4 }
