package ctl

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

// versionText is the output of --version. Scripts look for the version of the legacy client in it.
const versionText = "etcdctl version: 3.4.23\nAPI version: 2\n"

// app builds the command line.
func (p *program) app() *cli.App {
	app := &cli.App{
		Name:                  p.name,
		HelpName:              p.name,
		Usage:                 "the command-line client for the etcd v2 API",
		Writer:                p.stdout,
		ErrWriter:             p.stderr,
		Flags:                 p.globals.flags(),
		HideVersion:           true,
		HideHelp:              true, // --help and help are implemented here, so that they also work after arguments
		CustomAppHelpTemplate: appHelp,
		ExitErrHandler:        func(*cli.Context, error) {},
		OnUsageError: func(c *cli.Context, err error, _ bool) error {
			return p.usageError(err, func() { cli.ShowAppHelp(c) }, ".")
		},
		Before: p.handleGlobals,
		Action: p.runWithoutCommand,
	}
	app.Commands = p.commands()
	return app
}

// commands lists all commands, in the order of help.
func (p *program) commands() []*cli.Command {
	all := []*cli.Command{
		p.setCommand(), p.mkCommand(), p.updateCommand(), p.rmCommand(),
		p.mkdirCommand(), p.setdirCommand(), p.updatedirCommand(), p.rmdirCommand(),
		p.getCommand(), p.lsCommand(), p.watchCommand(), p.execWatchCommand(),
		p.memberCommands(), p.healthCommand(), p.userCommands(), p.roleCommands(), p.authCommands(),
		// The legacy client has none of the following.
		p.topCommand(), p.treeCommand(), p.findCommand(), p.duCommand(), p.diffCommand(), p.editCommand(), p.txnCommand(),
		p.exportCommand(), p.importCommand(), p.endpointCommands(),
		p.lockCommand(), p.electCommand(), p.benchCommand(), p.tlsCommands(),
	}
	for _, c := range all {
		p.warnOfMistakes(c)
	}
	if p.host.Commands != nil {
		for _, c := range p.host.Commands(p.stdout, p.stderr) {
			all = append(all, p.mount(c))
		}
	}
	return append(all, p.completionCommand(), p.helpCommand())
}

// CommandNames returns the names of the client's commands, those of host included. A program whose user types one of them
// without the verb of the client needs the names for its error.
func CommandNames(host Host) []string {
	return namesOf((&program{host: host}).commands())
}

func namesOf(commands []*cli.Command) []string {
	var names []string
	for _, c := range commands {
		names = append(names, c.Names()...)
	}
	return names
}

// helpOption returns the option --help. Unlike the library's own, it is also accepted after arguments.
func helpOption(destination *bool) cli.Flag {
	return boolFlag(destination, "show this", "help", "h")
}

// handleGlobals completes the global options after parsing. It prints the answer to --help and --version, and refuses an
// unknown --output.
func (p *program) handleGlobals(c *cli.Context) error {
	g := &p.globals
	g.complete(c)
	if g.help {
		cli.HelpPrinter(p.stdout, appHelp, c.App)
		return errAnswered
	}
	if g.version {
		if _, err := io.WriteString(p.stdout, versionText); err != nil {
			return err
		}
		return errAnswered
	}
	if err := checkWarnings(g.warnings); err != nil {
		return err
	}
	return checkFormat(g.output)
}

// runWithoutCommand is the action if the first argument is not the name of a command.
func (p *program) runWithoutCommand(c *cli.Context) error {
	if name := c.Args().First(); name != "" {
		return unknownCommand(name, c.App.Commands)
	}
	return cli.ShowAppHelp(c)
}

// command completes c, a command without subcommands: help, usage errors.
func (p *program) command(c *cli.Command) *cli.Command {
	c.HideHelp = true
	c.Flags = append(c.Flags, helpOption(nil))
	c.CustomHelpTemplate = commandHelp
	c.OnUsageError = func(ctx *cli.Context, err error, _ bool) error {
		return p.usageError(err, func() { cli.HelpPrinter(p.stdout, commandHelp, ctx.Command) }, ":")
	}
	return c
}

// group completes c, a command that only holds subcommands.
func (p *program) group(c *cli.Command) *cli.Command {
	c.HideHelp = true
	c.Flags = append(c.Flags, helpOption(nil))
	c.CustomHelpTemplate = groupHelp
	c.OnUsageError = func(ctx *cli.Context, err error, _ bool) error {
		return p.usageError(err, func() { cli.HelpPrinter(p.stdout, groupHelp, ctx.Command) }, ".")
	}
	c.Action = func(ctx *cli.Context) error {
		args := ctx.Args().Slice()
		if len(args) > 0 && (args[0] == "help" || args[0] == "h") {
			args = args[1:]
		}
		return p.printHelp(ctx.Command, args)
	}
	return c
}

// usageError prints help and returns the failure for options that can't be parsed, in the legacy client's form.
func (p *program) usageError(err error, showHelp func(), mark string) error {
	fmt.Fprintf(p.stdout, "Incorrect Usage%s %v\n\n", mark, err)
	showHelp()
	return &failure{code: exitBadArguments, text: err.Error() + "\n"}
}
