package v3

import (
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl"
)

// app builds the command line.
func (p *program) app() *cli.App {
	app := &cli.App{
		Name:                  p.name,
		HelpName:              p.name,
		Usage:                 "the command-line client for the etcd v3 API",
		Writer:                p.stdout,
		ErrWriter:             p.stderr,
		Flags:                 p.globals.flags(),
		HideVersion:           true,
		HideHelp:              true, // help is implemented here, so that it also works after arguments
		CustomAppHelpTemplate: appHelp,
		ExitErrHandler:        func(*cli.Context, error) {},
		Before: func(c *cli.Context) error {
			if p.globals.help && !c.Args().Present() {
				cli.HelpPrinter(p.stdout, appHelp, c.App)
				return errAnswered
			}
			return p.applyEnvironment(c)
		},
		Action: func(c *cli.Context) error {
			if name := c.Args().First(); name != "" {
				return unknownCommand(c.App.Name, name, c.App.Commands)
			}
			return cli.ShowAppHelp(c)
		},
	}
	app.Commands = p.commands()
	app.Metadata = map[string]any{"groups": groupsOf(app.Commands)} // the library sorts its categories by name
	return app
}

// The groups of commands in help.
const (
	groupKeys    = "KEYS"
	groupCluster = "CLUSTER"
	groupLocks   = "LOCKS AND ELECTIONS"
	groupUsers   = "USERS"
	groupMore    = "MORE"
)

// commands lists all commands, in the order of help.
func (p *program) commands() []*cli.Command {
	var all []*cli.Command
	add := func(category string, commands ...*cli.Command) {
		for _, c := range commands {
			c.Category = category
			all = append(all, c)
		}
	}
	add(groupKeys, p.putCommand(), p.getCommand(), p.delCommand(), p.txnCommand(), p.watchCommand(), p.leaseCommands(),
		p.compactionCommand())
	add(groupCluster, p.endpointCommands(), p.memberCommands(), p.moveLeaderCommand(), p.alarmCommands(), p.defragCommand(),
		p.snapshotCommands(), p.downgradeCommands())
	add(groupLocks, p.lockCommand(), p.electCommand())
	add(groupUsers, p.authCommands(), p.userCommands(), p.roleCommands())
	add(groupMore, p.makeMirrorCommand(), p.checkCommands(), p.versionCommand())
	completion := ctl.CompletionCommand(p.name, p.stdout, ctl.CommandLines{
		V2: p.host.V2, V3: func(string) *cli.App { return p.app() }, Program: p.host.Program,
	})
	for _, sub := range completion.Subcommands {
		p.command(sub)
	}
	add(groupMore, p.group(completion), p.optionsCommand(), p.helpCommand())
	return all
}

// commandGroup is a group of commands in help.
type commandGroup struct {
	Name     string
	Commands []*cli.Command
}

// groupsOf returns the groups of commands, in their order.
func groupsOf(commands []*cli.Command) []*commandGroup {
	var groups []*commandGroup
	for _, c := range commands {
		if len(groups) == 0 || groups[len(groups)-1].Name != c.Category {
			groups = append(groups, &commandGroup{Name: c.Category})
		}
		last := groups[len(groups)-1]
		last.Commands = append(last.Commands, c)
	}
	return groups
}

// command completes c, a command without subcommands. formats are the values of --write-out that it has beside simple; without any, it
// accepts every value and prints the same.
func (p *program) command(c *cli.Command, formats ...string) *cli.Command {
	c.HideHelp = true
	help := false
	c.Flags = append(c.Flags, helpFlag(&help))
	c.CustomHelpTemplate = commandHelp
	action := c.Action
	c.Action = func(ctx *cli.Context) error {
		if help || p.globals.help {
			cli.HelpPrinter(p.stdout, commandHelp, ctx.Command)
			return errAnswered
		}
		if err := p.checkFormat(formats); err != nil {
			return err
		}
		return action(ctx)
	}
	return c
}

// group completes c, a command that only holds subcommands.
func (p *program) group(c *cli.Command) *cli.Command {
	c.HideHelp, c.HideHelpCommand = true, true
	help := false
	c.Flags = append(c.Flags, helpFlag(&help))
	c.CustomHelpTemplate = groupHelp
	c.Action = func(ctx *cli.Context) error {
		args := ctx.Args().Slice()
		if len(args) > 0 && args[0] == "help" {
			args = args[1:]
		}
		if len(args) > 0 && ctl.FindCommand(ctx.Command.Subcommands, args[0]) == nil {
			return unknownCommand(strings.TrimSpace(ctx.Command.HelpName), args[0], ctx.Command.Subcommands)
		}
		return p.printHelp(ctx.Command, args)
	}
	return c
}
