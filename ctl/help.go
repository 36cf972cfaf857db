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
   0 done   1 wrong arguments   2 no server can be connected to   3 no such command   4 the server refused or failed
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

// helpCommand explains the others.
func (p *program) helpCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "help", Aliases: []string{"h"}, ArgsUsage: "[command [subcommand]]",
		Usage: "explain a command, with examples",
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return cli.ShowAppHelp(c)
			}
			return p.explainFrom(c.App.Commands, c.Args().Slice())
		},
	})
}

// explainFrom prints the help of the command that the first of names means, or of one below it.
func (p *program) explainFrom(commands []*cli.Command, names []string) error {
	command := findCommand(commands, names[0])
	if command == nil {
		return unknownCommand(names[0], commands)
	}
	if command.HelpName == "" {
		command.HelpName = p.name + " " + command.Name
	}
	for _, sub := range command.Subcommands {
		sub.HelpName = command.HelpName + " " + sub.Name
	}
	return p.explain(command, names[1:])
}

// explain prints the help of command, or of the one below it that names lead to.
func (p *program) explain(command *cli.Command, names []string) error {
	if len(command.Subcommands) == 0 {
		cli.HelpPrinter(p.stdout, commandHelp, command)
		return nil
	}
	if len(names) > 0 {
		return p.explainFrom(command.Subcommands, names)
	}
	cli.HelpPrinter(p.stdout, groupHelp, command)
	return nil
}

// unknownCommand refuses a command, naming the nearest one that exists.
func unknownCommand(name string, commands []*cli.Command) error {
	if explained := Unserved(name); explained != "" {
		return &failure{code: exitUnknown, text: explained + "\n"}
	}
	text := fmt.Sprintf("No help topic for '%s'\n", name)
	if near := Nearest(name, namesOf(commands)); near != "" {
		text += fmt.Sprintf("Did you mean '%s'?\n", near)
	}
	return &failure{code: exitUnknown, text: text}
}

// unserved are the legacy client's commands that need what no version of Pando serves yet.
var unserved = map[string]string{
	"user": "user add, get, list, remove, grant, revoke and passwd",
	"role": "role add, get, list, remove, grant and revoke",
	"auth": "auth enable and disable",
}

// Unserved explains a command of the legacy client that this one does not have; "" for every other name.
func Unserved(name string) string {
	commands := unserved[name]
	if commands == "" {
		return ""
	}
	return fmt.Sprintf("'%s' is not served yet: this version of Pando has no users and roles (/v2/auth), and whoever reaches its client "+
		"URLs may read and write.\nThe commands will be those of etcdctl: %s. Until then, let a firewall or a proxy say who may connect.", name, commands)
}

// Nearest returns the name that is one edit away from a word, two if that is long, or begins with it; "" if none is.
func Nearest(word string, names []string) string {
	best, distance := "", 3
	for _, n := range names {
		d := editDistance(word, n)
		if len(word) > 2 && strings.HasPrefix(n, word) {
			d = 1
		}
		if d < distance && 3*d-1 <= len(word) {
			best, distance = n, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbouring bytes that turn a into b.
func editDistance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := row[j-1]
			if a[i-1] != b[j-1] {
				cost++
			}
			next[j] = min(cost, row[j]+1, next[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}

// examples formats the EXAMPLES part of a command's description: pairs of a command line (without the program's
// name) and what it does.
func (p *program) examples(pairs ...string) string {
	lines := slices.Clone(pairs)
	for i := 0; i < len(lines); i += 2 {
		lines[i] = p.name + " " + lines[i]
	}
	return examples(lines...)
}

// examples formats pairs of a whole command line and what it does.
func examples(pairs ...string) string {
	var b strings.Builder
	b.WriteString("EXAMPLES:")
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&b, "\n   %s\n      %s", pairs[i], pairs[i+1])
	}
	return b.String()
}
