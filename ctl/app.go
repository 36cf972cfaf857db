package ctl

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

// versionText answers --version. Scripts look for the version of the legacy client in it.
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
		Before: p.answerGlobals,
		Action: p.withoutCommand,
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
		p.memberCommands(), p.healthCommand(),
		// The legacy client has none of the following.
		p.treeCommand(), p.exportCommand(), p.importCommand(), p.endpointCommands(),
		p.lockCommand(), p.electCommand(), p.benchCommand(),
	}
	if p.host.Commands != nil {
		for _, c := range p.host.Commands(p.stdout, p.stderr) {
			all = append(all, p.mount(c))
		}
	}
	return append(all, p.completionCommand(), p.helpCommand())
}

// CommandNames lists the commands of the client in a host, for a program that is given one of them by mistake.
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

// helpOption is the library's own, except that it is also accepted after arguments.
func helpOption(destination *bool) cli.Flag {
	return boolFlag(destination, "show this", "help", "h")
}

// answerGlobals completes the global options. It answers --help and --version, and refuses an unknown --output.
func (p *program) answerGlobals(c *cli.Context) error {
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
	return checkFormat(g.output)
}

// withoutCommand runs when the first argument is not the name of a command.
func (p *program) withoutCommand(c *cli.Context) error {
	if name := c.Args().First(); name != "" {
		return unknownCommand(name, c.App.Commands)
	}
	return cli.ShowAppHelp(c)
}

// command completes a command that has no commands below it.
func (p *program) command(c *cli.Command) *cli.Command {
	c.HideHelp = true
	c.Flags = append(c.Flags, helpOption(nil))
	c.CustomHelpTemplate = commandHelp
	c.OnUsageError = func(ctx *cli.Context, err error, _ bool) error {
		return p.usageError(err, func() { cli.HelpPrinter(p.stdout, commandHelp, ctx.Command) }, ":")
	}
	return c
}

// group completes a command that only holds others.
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
		return p.explain(ctx.Command, args)
	}
	return c
}

// usageError explains options that can't be parsed, in the legacy client's form.
func (p *program) usageError(err error, showHelp func(), mark string) error {
	fmt.Fprintf(p.stdout, "Incorrect Usage%s %v\n\n", mark, err)
	showHelp()
	return &failure{code: exitBadArguments, text: err.Error() + "\n"}
}
