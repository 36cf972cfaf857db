package main

import (
	"errors"
	"flag"
	"io"
	"slices"

	"github.com/urfave/cli/v2"
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
	verbs := []*cli.Command{saveCommand(stdout, stderr), statusCommand(stdout), restoreCommand(stdout, stderr)}
	for _, verb := range verbs {
		verb.OnUsageError = wrongFlags
	}
	return &cli.Command{
		Name: "snapshot", Usage: "save, check and restore backups", Description: snapshotHelp,
		HideHelpCommand: true, OnUsageError: wrongFlags,
		Subcommands: verbs,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return &usageError{errors.New("pando snapshot has no verb " + c.Args().First() + "; it has save, status and restore")}
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
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
			return &usageError{errors.New("pando snapshot " + c.Command.Name + " takes one file, for example: pando snapshot " + c.Command.Name + " backup.snap")}
		}
		return act(c, args[0])
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
