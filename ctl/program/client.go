package program

import (
	"context"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"pando/ctl"
	"pando/ctl/client"
	v3 "pando/ctl/v3"
	"pando/storage"
	"pando/tree"
)

// clientVerb is the verb that runs the client.
const clientVerb = "ctl"

// clientHost returns the commands and the command line of this program for the client.
func clientHost() ctl.Host {
	return ctl.Host{
		Commands: func(stdout, stderr io.Writer) []*cli.Command {
			return []*cli.Command{snapshotCommand(stdout, stderr), backupCommand(stderr)}
		},
		ReadSnapshot: readSnapshot,
		Program: func() ([]*cli.Command, []cli.Flag) {
			app := NewApp(nil, nil)
			return app.Commands, app.Flags
		},
		V3: v3.App,
	}
}

// clientHostV3 returns what clientHost does, for the client of the v3 API.
func clientHostV3() v3.Host {
	host := clientHost()
	return v3.Host{Program: host.Program, V2: func(name string) *cli.App { return ctl.App(name, host) }, Restore: restoreBackend}
}

// readSnapshot passes the nodes of a snapshot file to add. The TTL of a node is what is left of it now.
func readSnapshot(file string, add func(*client.Node) error) error {
	now := time.Now()
	return storage.ReadSnapshotNodes(file, func(f tree.NodeFields) error {
		n := &client.Node{Key: f.Path, Dir: f.Dir, Value: f.Value, CreatedIndex: f.Created, ModifiedIndex: f.Modified}
		if f.Expires != 0 {
			expiration := time.Unix(0, f.Expires).UTC()
			n.Expiration, n.TTL = &expiration, int64(math.Ceil(expiration.Sub(now).Seconds()))
		}
		return add(n)
	})
}

// clientArgs returns the client's arguments, its name first, if args call the client: as "pando ctl ..." or through a link
// named etcdctl or pandoctl.
func clientArgs(args []string) ([]string, bool) {
	if len(args) == 0 {
		return nil, false
	}
	switch name := filepath.Base(args[0]); name {
	case "etcdctl", "pandoctl":
		return append([]string{name}, args[1:]...), true
	}
	if len(args) > 1 && args[1] == clientVerb {
		return append([]string{"pando " + clientVerb}, args[2:]...), true
	}
	return nil, false
}

// apiVersion names the variable with the version of the API that the client speaks. 3 is that of etcd v3, and everything else v2.
const apiVersion = "ETCDCTL_API"

// runClient runs the client and returns its exit code. After the first CTRL+C the command ends in order, after the second the
// process ends. Other signals have their default effect.
func runClient(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop)
	if os.Getenv(apiVersion) == "3" {
		return v3.Main(ctx, args, os.Environ(), stdin, stdout, stderr, clientHostV3())
	}
	return ctl.Main(ctx, args, stdin, stdout, stderr, clientHost())
}

// clientCommand returns the client as a verb of the program. Main calls the client directly; the verb is for help and for
// tests.
func clientCommand(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name: clientVerb, Usage: "the command-line client, with the commands of etcdctl; pando ctl --help lists them",
		SkipFlagParsing: true,
		Action: func(c *cli.Context) error {
			args := append([]string{"pando " + clientVerb}, c.Args().Slice()...)
			if code := ctl.Main(c.Context, args, os.Stdin, stdout, stderr, clientHost()); code != 0 {
				return silentExit(code)
			}
			return nil
		},
	}
}

// silentExit is an exit code without a message: the message was printed, or none is needed.
type silentExit int

func (silentExit) Error() string { return "the command failed" }
