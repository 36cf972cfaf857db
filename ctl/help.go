package ctl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

const appHelp = `NAME:
   {{.HelpName}} - {{.Usage}}

USAGE:
   {{.HelpName}} [global options] command [command options] [arguments...]

COMMANDS:{{range .VisibleCommands}}
   {{join .Names ", "}}{{"\t"}}{{.Usage}}{{end}}

GLOBAL OPTIONS:{{range .VisibleFlags}}
   {{.}}{{end}}

EXAMPLES:
   {{.HelpName}} set /message "Hello world"          write a key
   {{.HelpName}} get /message                        read it
   {{.HelpName}} ls --recursive -p /                 look around
   {{.HelpName}} watch --recursive --forever /       see what changes
   {{.HelpName}} --endpoints http://10.0.0.1:2379,http://10.0.0.2:2379 cluster-health
   export ETCDCTL_ENDPOINTS=http://10.0.0.1:2379   name the servers once for all commands

EXIT CODES:
   0 done   1 wrong arguments; endpoint: not all members are healthy; member, user, role, auth: the server refused
   2 no server can be connected to
   3 no such command   4 the server refused or failed
   5 cluster-health: not all members are healthy   130 CTRL+C   lock and elect have more: see their help

   {{.HelpName}} help COMMAND shows the options and examples of a command.
`

const commandHelp = `NAME:
   {{.HelpName}} - {{.Usage}}

USAGE:
   {{.HelpName}}{{if .VisibleFlags}} [command options]{{end}} {{.ArgsUsage}}{{if .Description}}

{{.Description}}{{end}}{{if .VisibleFlags}}

OPTIONS:{{range .VisibleFlags}}
   {{.}}{{end}}{{end}}
`

const groupHelp = `NAME:
   {{.HelpName}} - {{.Usage}}

USAGE:
   {{.HelpName}} command [command options] [arguments...]

COMMANDS:{{range .VisibleCommands}}
   {{join .Names ", "}}{{"\t"}}{{.Usage}}{{end}}{{if .Description}}

{{.Description}}{{end}}
`

// helpCommand returns the command help.
func (p *program) helpCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "help", Aliases: []string{"h"}, ArgsUsage: "[command [subcommand]]",
		Usage: "explain a command, with examples",
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return cli.ShowAppHelp(c)
			}
			return p.printHelpOf(c.App.Commands, c.Args().Slice())
		},
	})
}

// printHelpOf prints the help of the command with the first of names, or of a command below it.
func (p *program) printHelpOf(commands []*cli.Command, names []string) error {
	command := FindCommand(commands, names[0])
	if command == nil {
		return unknownCommand(names[0], commands)
	}
	if command.HelpName == "" {
		command.HelpName = p.name + " " + command.Name
	}
	for _, sub := range command.Subcommands {
		sub.HelpName = command.HelpName + " " + sub.Name
	}
	return p.printHelp(command, names[1:])
}

// printHelp prints the help of command, or of the command below it at the end of names.
func (p *program) printHelp(command *cli.Command, names []string) error {
	if len(command.Subcommands) == 0 {
		cli.HelpPrinter(p.stdout, commandHelp, command)
		return nil
	}
	if len(names) > 0 {
		return p.printHelpOf(command.Subcommands, names)
	}
	cli.HelpPrinter(p.stdout, groupHelp, command)
	return nil
}

// examples returns the EXAMPLES part of a description. pairs are command lines without the name of the program, each followed
// by its explanation.
func (p *program) examples(pairs ...string) string {
	lines := slices.Clone(pairs)
	for i := 0; i < len(lines); i += 2 {
		lines[i] = p.name + " " + lines[i]
	}
	return Examples(lines...)
}

// Examples returns the EXAMPLES part of a description. pairs are whole command lines, each followed by its explanation.
func Examples(pairs ...string) string {
	var b strings.Builder
	b.WriteString("EXAMPLES:")
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&b, "\n   %s\n      %s", pairs[i], pairs[i+1])
	}
	return b.String()
}
