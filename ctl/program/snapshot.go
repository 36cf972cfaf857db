package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl"
	"pando/ctl/terminal"
	"pando/members/config"
	"pando/storage"
)

// snapshotHelp explains how the commands of the group work together. Each command also has a help of its own.
const snapshotHelp = `A snapshot is one file with all keys, their TTLs, the history of events and the index, and a checksum.

To restore a cluster of three, copy the file to each machine and restore it there with the flags that the
member will be started with (--name, --initial-advertise-peer-urls, the same --initial-cluster); then start all.

Examples:
  pando snapshot save backup.snap --endpoint http://10.0.0.1:2379
  pando snapshot status backup.snap
  pando snapshot restore backup.snap --data-dir /var/lib/pando
      then start pando with the same settings`

// snapshotCommand returns the group "snapshot". The program uses it twice: snapshotVerb makes it a verb of the program, and
// clientHost makes it a command of the client, whose global options then set the options of save.
func snapshotCommand(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name: "snapshot", Usage: "save, check and restore backups", Description: snapshotHelp,
		HideHelpCommand: true,
		Subcommands:     []*cli.Command{saveCommand(stdout, stderr), statusCommand(stdout), restoreCommand(stdout, stderr)},
	}
}

// snapshotVerb returns "pando snapshot". Its error messages have the form of the program's.
func snapshotVerb(stdout, stderr io.Writer) *cli.Command {
	group := snapshotCommand(stdout, stderr)
	group.Action = func(c *cli.Context) error {
		if c.Args().Present() {
			return config.AsUsage(unknownSnapshotVerb(c.Args().First(), c.Command.Subcommands))
		}
		return cli.ShowSubcommandHelp(c)
	}
	for _, command := range append(group.Subcommands, group) {
		readVariables(command)
		wrapErrors(command)
	}
	return group
}

// wrapErrors gives the error messages of a command that starts no server the form of the program's.
func wrapErrors(command *cli.Command) {
	act := command.Action
	command.Action = func(c *cli.Context) error { return asCommandError(c, act(c)) }
	command.OnUsageError = func(c *cli.Context, err error, sub bool) error { return asCommandError(c, wrongFlags(c, err, sub)) }
}

// unknownSnapshotVerb returns the error for a word after "pando snapshot" that is no verb.
func unknownSnapshotVerb(word string, verbs []*cli.Command) error {
	var names []string
	for _, verb := range verbs {
		names = append(names, verb.Name)
	}
	if near := ctl.Nearest(word, names); near != "" {
		return fmt.Errorf("unknown verb %q; did you mean pando snapshot %s?", word, near)
	}
	return fmt.Errorf("pando snapshot has no verb %s; it has %s", word, strings.Join(names, ", "))
}

// asCommandError wraps the error of a command that starts no server, so that an error about usage names the help of that command.
// After CTRL+C it returns an exit code without a message.
func asCommandError(c *cli.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case c.Context.Err() != nil && errors.Is(err, context.Canceled):
		return silentExit(ExitInterrupted)
	}
	return &commandError{err, c.Command.HelpName}
}

// refuseUnknownFlags returns an error for the first argument that is a flag: ctl.Reorder has moved only the flags of the command.
func refuseUnknownFlags(c *cli.Context) error {
	for _, arg := range c.Args().Slice() {
		if name := strings.TrimLeft(arg, "-"); name != arg && name != "" {
			name, _, _ = strings.Cut(name, "=")
			return config.AsUsage(unknownFlag(name, c))
		}
	}
	return nil
}

// withFile returns the action of a command that takes one file.
func withFile(act func(c *cli.Context, file string) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := refuseUnknownFlags(c); err != nil {
			return err
		}
		args := c.Args().Slice()
		if len(args) != 1 {
			return config.AsUsage(fmt.Errorf("pando snapshot %[1]s takes one file, for example: pando snapshot %[1]s backup.snap", c.Command.Name))
		}
		return act(c, args[0])
	}
}

// inspect reads and checks a snapshot. If ctx is done first, inspect returns, and the check continues in the background.
func inspect(ctx context.Context, file string) (*storage.SnapshotInfo, error) {
	return terminal.Interruptible(ctx, func() (*storage.SnapshotInfo, error) { return storage.InspectSnapshot(file) })
}
