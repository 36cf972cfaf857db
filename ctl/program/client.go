package program

import (
	"context"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"pando/ctl"
	"pando/raft/offline"
	"pando/storage"
)

// clientVerb is the command under which the program is its own client.
const clientVerb = "ctl"

// clientHost is what the program does for the client that is part of it.
func clientHost() ctl.Host {
	return ctl.Host{
		Backup: func(ctx context.Context, from, to ctl.DataDir) (string, error) {
			return offline.Backup(ctx, storage.Options{DataDir: from.Data, WALDir: from.WAL}, storage.Options{DataDir: to.Data, WALDir: to.WAL})
		},
		CheckSnapshot: func(path string) error {
			_, err := storage.InspectSnapshot(path)
			return err
		},
		Program: func() ([]*cli.Command, []cli.Flag) {
			app := NewApp(nil, nil)
			return app.Commands, app.Flags
		},
	}
}

// clientArgs returns the client's arguments, its name first, when args call the client: as "pando ctl ..." or through
// a link named etcdctl or pandoctl.
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

// runClient is the whole program when it is called as the client. It returns the exit code. The first CTRL+C lets a
// watch end well, the second ends the process; other signals act as they do on any command.
func runClient(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop)
	return ctl.Main(ctx, args, stdin, stdout, stderr, clientHost())
}

// clientCommand is the client as a verb of the server's program, where run is called without main.
func clientCommand(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name: clientVerb, Usage: "the command-line client, with the commands of etcdctl; pando ctl --help lists them",
		SkipFlagParsing: true,
		Action: func(c *cli.Context) error {
			args := append([]string{"pando " + clientVerb}, c.Args().Slice()...)
			if code := ctl.Main(c.Context, args, os.Stdin, stdout, stderr, clientHost()); code != 0 {
				return clientExit(code)
			}
			return nil
		},
	}
}

// clientExit is the client's exit code; what there was to say has been said.
type clientExit int

func (clientExit) Error() string { return "the client failed" }
