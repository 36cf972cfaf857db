package v3

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pando/ctl"

	"github.com/urfave/cli/v2"
)

// normalize returns the command line in the form that the library accepts: the global flags, the names of the commands, the flags of the
// command as --name=value, "--", and the arguments. In args, as in etcdctl, flags may stand anywhere before a "--", a flag of one letter
// may be followed by its value without a blank, and global flags may follow the command. Its errors are those of etcdctl.
func normalize(app *cli.App, args []string) ([]string, error) {
	n := &normalizer{flags: app.Flags, globals: app.Flags, commands: app.Commands, values: map[cli.Flag]string{}}
	if err := n.walk(args); err != nil {
		return nil, n.usage(app, err)
	}
	words := n.given(app.Flags)
	words = append(words, n.path...)
	if n.command != nil {
		words = append(words, n.given(n.command.Flags)...)
	}
	if len(n.arguments) > 0 {
		words = append(append(words, "--"), n.arguments...)
	}
	return words, nil
}

// normalizer is the state of normalize.
type normalizer struct {
	flags, globals []cli.Flag // that the word may name, and those before the command
	commands       []*cli.Command
	command        *cli.Command // nil before the first command
	path           []string
	values         map[cli.Flag]string
	arguments      []string
}

// errUnknownFlag is in the error for a flag that does not exist.
var errUnknownFlag = errors.New("unknown")

// walk reads all words.
func (n *normalizer) walk(args []string) error {
	args = slices.Clone(args)
	for i := 0; i < len(args); i++ {
		word := args[i]
		switch {
		case word == "--":
			n.arguments = append(n.arguments, n.afterDashes(args[i+1:])...)
			return nil
		case len(word) < 2 || word[0] != '-':
			n.operand(word)
		default:
			took, err := n.flag(word, args[i+1:])
			for errors.Is(err, errUnknownFlag) { // it may be one of a command that follows: endpoint --cluster status
				name := slices.IndexFunc(args[i+1:], func(w string) bool { return ctl.FindCommand(n.commands, w) != nil })
				if name < 0 {
					return err
				}
				n.operand(args[i+1+name])
				args = slices.Delete(args, i+1+name, i+2+name)
				took, err = n.flag(word, args[i+1:])
			}
			if err != nil {
				return err
			}
			i += took
		}
	}
	return nil
}

// afterDashes returns the words after "--". The commands that run another command need to see where it begins.
func (n *normalizer) afterDashes(words []string) []string {
	if n.command != nil && n.command.Name == "watch" && len(words) > 0 {
		return append([]string{"--"}, words...)
	}
	return words
}

// operand reads a word that is the name of a command or an argument.
func (n *normalizer) operand(word string) {
	if len(n.arguments) == 0 {
		for _, c := range n.commands {
			if c.HasName(word) {
				n.command, n.commands = c, c.Subcommands
				n.path = append(n.path, c.Name)
				n.flags = append(append([]cli.Flag(nil), c.Flags...), n.globals...)
				return
			}
		}
	}
	n.arguments = append(n.arguments, word)
}

// flag reads a word that begins with a dash. It returns how many of the following words it has taken as the value.
func (n *normalizer) flag(word string, rest []string) (took int, err error) {
	name, value, has := strings.Cut(strings.TrimLeft(word, "-"), "=")
	long := strings.HasPrefix(word, "--")
	if !long {
		name, value, has = word[1:2], word[2:], len(word) > 2
		value = strings.TrimPrefix(value, "=")
	}
	var flag cli.Flag
	if !long || len(name) > 1 { // a name of one letter follows one dash
		flag = find(n.flags, name)
	}
	switch {
	case flag == nil && long:
		return 0, fmt.Errorf("%w flag: --%s", errUnknownFlag, name)
	case flag == nil:
		return 0, fmt.Errorf("%w shorthand flag: %q in %s", errUnknownFlag, name[0], word)
	case has && !long && isSwitch(flag): // more flags of one letter
		n.values[flag] = "true"
		return n.flag("-"+value, rest)
	case has:
	case isSwitch(flag):
		value = "true"
	case len(rest) == 0 && long:
		return 0, fmt.Errorf("flag needs an argument: --%s", name)
	case len(rest) == 0:
		return 0, fmt.Errorf("flag needs an argument: %q in %s", name[0], word)
	default:
		value, took = rest[0], 1
	}
	if err := check(flag, value); err != nil {
		return 0, fmt.Errorf("invalid argument %q for %q flag: %w", value, shown(flag), err)
	}
	if before, again := n.values[flag]; again && flag.Names()[0] == endpointsFlag {
		value = before + "," + value
	}
	n.values[flag] = value
	return took, nil
}

// find returns the flag with a name; nil if there is none.
func find(flags []cli.Flag, name string) cli.Flag {
	for _, flag := range flags {
		if slices.Contains(flag.Names(), name) {
			return flag
		}
	}
	return nil
}

// isSwitch reports whether a flag has no value.
func isSwitch(flag cli.Flag) bool {
	_, ok := flag.(*cli.BoolFlag)
	return ok
}

// shown returns a flag as an error shows it.
func shown(flag cli.Flag) string {
	names := flag.Names()
	if len(names) > 1 {
		return "-" + names[1] + ", --" + names[0]
	}
	return "--" + names[0]
}

// check returns an error for a value that is not of the type of the flag.
func check(flag cli.Flag, value string) (err error) {
	switch flag.(type) {
	case *cli.BoolFlag:
		_, err = strconv.ParseBool(value)
	case *cli.Int64Flag, *cli.IntFlag:
		_, err = strconv.ParseInt(value, 0, 64)
	case *cli.UintFlag:
		_, err = strconv.ParseUint(value, 0, 64)
	case *cli.DurationFlag:
		_, err = time.ParseDuration(value)
	}
	if number, ok := errors.AsType[*strconv.NumError](err); ok {
		return number
	}
	return err
}

// given returns the flags among flags that have a value, as --name=value, in the order of flags.
func (n *normalizer) given(flags []cli.Flag) []string {
	var words []string
	for _, flag := range flags {
		if value, ok := n.values[flag]; ok {
			words = append(words, "--"+flag.Names()[0]+"="+value)
		}
	}
	return words
}

// usage returns the failure for an error of the flags. It names the help that explains them.
func (n *normalizer) usage(app *cli.App, err error) error {
	command := strings.Join(append([]string{app.Name}, n.path...), " ")
	return fail(exitError, "%w\nRun '%s --help' for usage.", err, command)
}
