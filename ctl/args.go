package ctl

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// Reorder returns the arguments with the flags of the command moved before its other arguments, so that the library accepts
// "set /key value --ttl 5". A word that looks like a flag, but is no flag of the command, stays where it is: "set /key -5"
// sets "-5". args[0] is the first argument, not the name of the program. Reorder returns the
// arguments of commands that parse their flags themselves unchanged.
func Reorder(app *cli.App, args []string) []string {
	start := firstOperand(app.Flags, args)
	commands := app.Commands
	for start < len(args) {
		command := FindCommand(commands, args[start])
		if command == nil || command.SkipFlagParsing {
			return args
		}
		commands = command.Subcommands
		start++
		if len(commands) == 0 {
			flags := append([]cli.Flag{cli.HelpFlag}, command.Flags...)
			rest := flagsFirst(flags, args[start:])
			if asksForHelp(flags, rest) {
				rest = []string{"--help"}
			}
			return append(append([]string(nil), args[:start]...), rest...)
		}
		start += firstOperand(command.Flags, args[start:])
	}
	return args
}

// asksForHelp reports whether a help flag is among the flags at the beginning of args. If so, no other argument may remain:
// the library would take it for the name of a command to explain.
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
		if flag != nil && !isSwitch(flag) && !strings.Contains(arg, "=") {
			i++
		}
	}
	return len(args)
}

// flagsFirst moves the flags of a command to the front, by the rule of the legacy client. The word after a flag stays with the
// flag even if the flag is a switch, so "ls / --sort /a" lists /a. A "--" ends the flags. If it does not follow a flag, it moves
// to the front, where the parser removes it.
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

// FindCommand returns the command with a name or an alias; nil if there is none.
func FindCommand(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}
