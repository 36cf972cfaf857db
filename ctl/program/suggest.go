package program

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl"
	"pando/members/config"
)

// wrongFlags returns the error for flags that can't be parsed.
func wrongFlags(c *cli.Context, err error, _ bool) error {
	return config.AsUsage(explainParseError(err, c))
}

// explainParseError returns, in place of an error of the flag library, one that says what the user can do.
func explainParseError(err error, c *cli.Context) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return unknownFlag(strings.TrimPrefix(name, "-"), c)
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		name = strings.TrimPrefix(name, "-")
		example := "VALUE"
		if spec := config.SpecOf(name); spec != nil {
			example = config.ExampleValue(spec)
		}
		return fmt.Errorf("--%s needs a value, for example --%s=%s", name, name, example)
	}
	if syntax, ok := strings.CutPrefix(text, "bad flag syntax: "); ok {
		return fmt.Errorf("%q is not a flag; write --flag=value", syntax)
	}
	return err
}

// refuseFlagsBeforeVerb returns an error for a flag of the server before a verb, where it would have no effect.
func refuseFlagsBeforeVerb(c *cli.Context, given *config.CommandLine) error {
	verb := c.App.Command(c.Args().First())
	if verb == nil {
		return nil
	}
	for _, name := range config.FlagNames() {
		if _, isGiven := given.Values()[name]; isGiven {
			return config.AsUsage(fmt.Errorf("--%s stands before %s, where it has no effect; write the flag after the verb: pando %s --%s",
				name, verb.Name, verb.Name, name))
		}
	}
	return nil
}

// unknownFlag returns the error for a flag that the command does not have.
func unknownFlag(name string, c *cli.Context) error {
	flags := c.App.Flags
	if c.Command != nil && len(c.Command.Flags) > 0 {
		flags = c.Command.Flags
	}
	known := []string{"help"}
	for _, f := range flags {
		known = append(known, f.Names()...)
	}
	near := config.Nearest(name, known)
	switch {
	case near != "":
		return fmt.Errorf("unknown flag --%s; did you mean --%s?", name, near)
	case config.SpecOf(name) != nil:
		return fmt.Errorf("--%s is a flag of the server, and not of %s", name, c.Command.HelpName)
	}
	return fmt.Errorf("unknown flag --%s", name)
}

// strayArgument returns the error for a word that is neither a flag nor a verb.
func strayArgument(word string, commands []string) error {
	if slices.Contains([]string{"true", "false", "yes", "no", "on", "off", "1", "0"}, strings.ToLower(word)) {
		return fmt.Errorf("unexpected argument %q; a switch takes its value after an equals sign, for example --enable-pprof=%s", word, word)
	}
	if word == "help" || word == config.VersionFlag {
		return fmt.Errorf("unexpected argument %q; did you mean pando --%s?", word, word)
	}
	if slices.Contains(ctl.CommandNames(clientHost()), word) {
		return fmt.Errorf("%s is a command of the client; did you mean %q?", word, "pando "+clientVerb+" "+word)
	}
	if near := ctl.Nearest(word, commands); near != "" {
		return fmt.Errorf("unknown command %q; did you mean pando %s?", word, near)
	}
	name, value, hasValue := strings.Cut(strings.TrimLeft(word, "-"), "=")
	if near := config.Nearest(name, config.FlagNames()); near != "" {
		if hasValue {
			near += "=" + value
		}
		return fmt.Errorf("unexpected argument %q; did you mean --%s?", word, near)
	}
	return fmt.Errorf("unexpected argument %q; the server takes only flags, for example pando --data-dir=/var/lib/pando", word)
}
