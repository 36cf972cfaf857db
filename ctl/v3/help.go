package v3

import (
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl"
)

const appHelp = `NAME:
   {{.HelpName}} - {{.Usage}}

USAGE:
   {{.HelpName}} command [options] [arguments...]
{{range .Metadata.groups}}
{{.Name}}:{{range .Commands}}
   {{join .Names ", "}}{{"\t"}}{{.Usage}}{{end}}
{{end}}
GLOBAL OPTIONS:{{range .VisibleFlags}}
   {{.}}{{end}}

VARIABLES:
   ETCDCTL_API=3 chooses the v3 API. Each global option has a variable, too: ETCDCTL_WRITE_OUT is --write-out, and so on.

EXAMPLES:
   {{.HelpName}} put message "Hello world"          write a key
   {{.HelpName}} get message                        read it
   {{.HelpName}} get --prefix app/ -w json          read all keys that begin with app/
   {{.HelpName}} watch --prefix app/                see what changes
   {{.HelpName}} --endpoints 10.0.0.1:2379,10.0.0.2:2379 endpoint status -w table
   export ETCDCTL_API=3 ETCDCTL_ENDPOINTS=10.0.0.1:2379   say once which API and which servers

EXIT CODES:
   0 done   1 the server refused, or did not answer in time   2 the login failed   3 the input of txn or watch can't be understood
   4 no such value of a flag   5 a watch or a snapshot ended early   128 wrong arguments   130 CTRL+C
   lock: the code of the command that it runs

   {{.HelpName}} help COMMAND shows the options and examples of a command.
`

const commandHelp = `NAME:
   {{.HelpName}} - {{.Usage}}

USAGE:
   {{.HelpName}}{{if .VisibleFlags}} [options]{{end}} {{.ArgsUsage}}{{if .Description}}

{{.Description}}{{end}}{{if .VisibleFlags}}

OPTIONS:{{range .VisibleFlags}}
   {{.}}{{end}}{{end}}
`

const groupHelp = `NAME:
   {{.HelpName}} - {{.Usage}}

USAGE:
   {{.HelpName}} command [options] [arguments...]

COMMANDS:{{range .VisibleCommands}}
   {{join .Names ", "}}{{"\t"}}{{.Usage}}{{end}}{{if .Description}}

{{.Description}}{{end}}
`

const optionsHelp = `The following options can be passed to any command:
{{range .VisibleFlags}}
   {{.}}{{end}}
`

// optionsCommand returns the command options.
func (p *program) optionsCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "options", Usage: "list the options that every command has", ArgsUsage: " ",
		Action: func(c *cli.Context) error {
			cli.HelpPrinter(p.stdout, optionsHelp, c.App)
			return nil
		},
	})
}

// helpCommand returns the command help.
func (p *program) helpCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "help", ArgsUsage: "[command [subcommand]]", Usage: "explain a command, with examples",
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return cli.ShowAppHelp(c)
			}
			return p.printHelpOf(p.name, c.App.Commands, c.Args().Slice())
		},
	})
}

// printHelpOf prints the help of the command with the first of names, or of a command below it.
func (p *program) printHelpOf(above string, commands []*cli.Command, names []string) error {
	command := ctl.FindCommand(commands, names[0])
	if command == nil {
		return unknownCommand(above, names[0], commands)
	}
	command.HelpName = above + " " + command.Name
	return p.printHelp(command, names[1:])
}

// printHelp prints the help of command, or of the command below it at the end of names.
func (p *program) printHelp(command *cli.Command, names []string) error {
	if len(command.Subcommands) == 0 {
		cli.HelpPrinter(p.stdout, commandHelp, command)
		return nil
	}
	if len(names) > 0 {
		return p.printHelpOf(command.HelpName, command.Subcommands, names)
	}
	cli.HelpPrinter(p.stdout, groupHelp, command)
	return nil
}

// unknownCommand returns the failure for a command that does not exist. Its text names the most similar command.
func unknownCommand(above, name string, commands []*cli.Command) error {
	var names []string
	for _, c := range commands {
		names = append(names, c.Names()...)
	}
	hint := "Run '" + above + " --help' for usage."
	if near := ctl.Nearest(name, names); near != "" {
		hint = "Did you mean '" + above + " " + near + "'?"
	}
	return fail(exitError, "unknown command %q for %q\n%s", name, above, hint)
}

// textWidth is the width of the lines of a description.
const textWidth = 120

// explain returns a description: the text in lines of textWidth, and examples if there are any. In text, line breaks count as blanks.
func (p *program) explain(text string, pairs ...string) string {
	lines, line := []string{"DESCRIPTION:"}, "  "
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > textWidth {
			lines, line = append(lines, line), "  "
		}
		line += " " + word
	}
	lines = append(lines, line)
	if len(pairs) > 0 {
		lines = append(lines, "", p.examples(pairs...))
	}
	return strings.Join(lines, "\n")
}

// examples returns the EXAMPLES part of a description. pairs are command lines without the name of the program, each followed
// by its explanation.
func (p *program) examples(pairs ...string) string {
	lines := make([]string, len(pairs))
	for i, line := range pairs {
		if lines[i] = line; i%2 == 0 {
			lines[i] = p.name + " " + line
		}
	}
	return ctl.Examples(lines...)
}
