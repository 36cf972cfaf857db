package ctl

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// reorder returns the arguments with the flags of the command moved before its other arguments, so that
// "set /key value --ttl 5" is understood. Words that look like flags but are none of the command's stay where they are:
// "set /key -5" sets "-5".
func reorder(app *cli.App, args []string) []string {
	start := firstOperand(app.Flags, args)
	commands := app.Commands
	for start < len(args) {
		command := findCommand(commands, args[start])
		if command == nil {
			return args
		}
		commands = command.Subcommands
		start++
		if len(commands) == 0 {
			rest := flagsFirst(command.Flags, args[start:])
			if asksForHelp(command.Flags, rest) {
				rest = []string{"--help"}
			}
			return append(append([]string(nil), args[:start]...), rest...)
		}
		start += firstOperand(command.Flags, args[start:])
	}
	return args
}

// asksForHelp says whether a help flag is among the flags in front; the library would take other arguments for the
// names of commands to explain.
func asksForHelp(flags []cli.Flag, args []string) bool {
	for _, arg := range args[:firstOperand(flags, args)] {
		if arg == "-h" || arg == "-help" || arg == "--help" {
			return true
		}
	}
	return false
}

// firstOperand returns the index of the first word that is neither a flag nor the value of one.
func firstOperand(flags []cli.Flag, args []string) int {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return i + 1
		}
		if len(arg) < 2 || arg[0] != '-' {
			return i
		}
		flag := findFlag(flags, arg)
		if _, isSwitch := flag.(*cli.BoolFlag); flag != nil && !isSwitch && !strings.Contains(arg, "=") {
			i++
		}
	}
	return len(args)
}

// flagsFirst is the legacy rule of rearrangement. The word after a flag goes with it even when the flag is a switch, so
// "ls / --sort /a" lists /a. A "--" ends the flags; without a flag before it, it goes to the front and so
// disappears in parsing.
func flagsFirst(flags []cli.Flag, args []string) []string {
	var first, rest []string
	afterFlag := false
	for i, arg := range args {
		isFlag := findFlag(flags, arg) != nil
		switch {
		case afterFlag && !isFlag:
			first = append(first, arg)
			afterFlag = false
		case arg == "--":
			rest = append([]string{"--"}, rest...)
			return append(append(first, rest...), args[i+1:]...)
		case isFlag:
			first = append(first, arg)
			afterFlag = !strings.Contains(arg, "=")
		default:
			rest = append(rest, arg)
		}
	}
	return append(first, rest...)
}

// findFlag returns the flag that arg names, as -name, --name or either with =value; nil if it names none.
func findFlag(flags []cli.Flag, arg string) cli.Flag {
	if arg == "-" || arg == "--" || !strings.HasPrefix(arg, "-") {
		return nil
	}
	name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	name, _, _ = strings.Cut(name, "=")
	for _, flag := range flags {
		for _, n := range flag.Names() {
			if n == name {
				return flag
			}
		}
	}
	return nil
}

func findCommand(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// keysOrRoot are the arguments of a command that takes any number of keys; the root when there are none.
func keysOrRoot(c *cli.Context) []string {
	if c.NArg() == 0 {
		return []string{"/"}
	}
	return c.Args().Slice()
}
