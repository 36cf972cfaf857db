package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl"
	"pando/members/config"
	"pando/storage"
)

// snapshotHelp explains the whole of a backup; the verbs show their own flags.
const snapshotHelp = `A snapshot is one file with all keys, their TTLs, the history of events and the index, and a checksum.

Examples:
  pando snapshot save backup.snap --endpoint http://10.0.0.1:2379
  pando snapshot status backup.snap
  pando snapshot restore backup.snap --data-dir /var/lib/pando
      then start pando with the same settings

Restore a cluster of three: copy the file to each machine and restore it there with the flags that the
member will be started with (--name, --initial-advertise-peer-urls, the same --initial-cluster); then start all.`

// snapshotCommand is "pando snapshot" with its verbs.
func snapshotCommand(stdout, stderr io.Writer) *cli.Command {
	group := &cli.Command{
		Name: "snapshot", Usage: "save, check and restore backups", Description: snapshotHelp,
		HideHelpCommand: true,
		Subcommands:     []*cli.Command{saveCommand(stdout, stderr), statusCommand(stdout), restoreCommand(stdout, stderr)},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return config.AsUsage(noVerb(c.Args().First(), c.Command.Subcommands))
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
	for _, command := range append(group.Subcommands, group) {
		act := command.Action
		command.Action = func(c *cli.Context) error { return ofCommand(c, act(c)) }
		command.OnUsageError = func(c *cli.Context, err error, sub bool) error { return ofCommand(c, wrongFlags(c, err, sub)) }
	}
	return group
}

// noVerb explains a word where a verb belongs.
func noVerb(word string, verbs []*cli.Command) error {
	var names []string
	for _, verb := range verbs {
		names = append(names, verb.Name)
	}
	if near := ctl.Nearest(word, names); near != "" {
		return fmt.Errorf("unknown verb %q; did you mean pando snapshot %s?", word, near)
	}
	return fmt.Errorf("pando snapshot has no verb %s; it has %s", word, strings.Join(names, ", "))
}

// ofCommand marks the error of a command that starts no server: what it says about its usage is explained by its own help, and
// what CTRL+C has broken off needs no word.
func ofCommand(c *cli.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case c.Context.Err() != nil && errors.Is(err, context.Canceled):
		return clientExit(ExitInterrupted)
	}
	return &commandError{err, c.Command.HelpName}
}

// withFile makes the action of a verb that takes a file, and flags on either side of it.
func withFile(act func(c *cli.Context, file string) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		args, err := laterFlags(c)
		switch {
		case errors.Is(err, flag.ErrHelp):
			return cli.ShowSubcommandHelp(c)
		case err != nil:
			return wrongFlags(c, err, true)
		case len(args) != 1:
			return config.AsUsage(errors.New("pando snapshot " + c.Command.Name + " takes one file, for example: pando snapshot " + c.Command.Name + " backup.snap"))
		}
		return act(c, args[0])
	}
}

// inspect reads and checks a snapshot until ctx is done; then the reading goes on until the process ends.
func inspect(ctx context.Context, file string) (info *storage.SnapshotInfo, err error) {
	inspected := make(chan struct{})
	var found *storage.SnapshotInfo
	var failed error
	go func() {
		defer close(inspected)
		found, failed = storage.InspectSnapshot(file)
	}()
	select {
	case <-inspected:
		return found, failed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// laterFlags reads the flags that stand behind an argument, which the library takes for arguments, and returns the
// arguments.
func laterFlags(c *cli.Context) ([]string, error) {
	var args []string
	for rest := c.Args().Slice(); len(rest) > 0; {
		args = append(args, rest[0])
		set := flag.NewFlagSet(c.Command.Name, flag.ContinueOnError)
		set.SetOutput(io.Discard)
		for _, f := range c.Command.Flags {
			if err := f.Apply(set); err != nil {
				return nil, err
			}
		}
		if err := set.Parse(rest[1:]); err != nil {
			return nil, err
		}
		if err := takeOver(c, set); err != nil {
			return nil, err
		}
		if c.Bool(cli.HelpFlag.Names()[0]) {
			return nil, flag.ErrHelp
		}
		rest = set.Args()
	}
	return args, nil
}

// takeOver gives the context the flags that the set was given, under all their names.
func takeOver(c *cli.Context, set *flag.FlagSet) error {
	var errs []error
	set.Visit(func(given *flag.Flag) {
		for _, f := range c.Command.Flags {
			if !slices.Contains(f.Names(), given.Name) {
				continue
			}
			for _, name := range f.Names() {
				errs = append(errs, c.Set(name, given.Value.String()))
			}
		}
	})
	return errors.Join(errs...)
}
