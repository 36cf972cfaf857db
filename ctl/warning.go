package ctl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
	"pando/ctl/terminal"
)

// The legacy client accepts some command lines that are mistakes: it ignores arguments, takes a misspelled option for a value, or removes
// the TTL of a key. Scripts depend on its output and exit codes, so they stay as they are, and a warning on stderr says what happened.
//
// By default there are warnings only if stderr is a terminal. A person then sees them, and a program that reads stderr, such as a script
// that fails if stderr is not empty, or one with 2>&1, never does.

// The values of --warnings.
const (
	warningsAuto = "auto" // only on a terminal
	warningsOn   = "on"
	warningsOff  = "off"
)

// checkWarnings refuses a value of --warnings that does not exist.
func checkWarnings(value string) error {
	if slices.Contains([]string{warningsAuto, warningsOn, warningsOff}, value) {
		return nil
	}
	return &failure{code: exitBadArguments, text: fmt.Sprintf("--warnings is %q; it must be %s, %s or %s\n",
		value, warningsAuto, warningsOn, warningsOff)}
}

// warn prints a warning to stderr, unless warnings are off.
func (p *program) warn(format string, args ...any) {
	if p.globals.warnings == warningsOff || p.globals.warnings == warningsAuto && !terminal.Is(p.stderr) {
		return
	}
	text := "Warning: " + fmt.Sprintf(format, args...)
	fmt.Fprintln(p.stderr, terminal.Colors(p.stderr).Yellow(text))
}

// usedArguments is the number of arguments that the commands of the legacy client use. They ignore further ones.
var usedArguments = map[string]int{
	"set": 2, "mk": 2, "update": 2, "rm": 1, "rmdir": 1, "mkdir": 1, "setdir": 1, "updatedir": 1, "get": 1, "ls": 1, "watch": 1,
	"cluster-health": 0,
}

// warnOfMistakes makes a command of the legacy client warn of mistakes before it runs.
func (p *program) warnOfMistakes(c *cli.Command) {
	used, ok := usedArguments[c.Name]
	if !ok {
		return
	}
	action := c.Action
	c.Action = func(ctx *cli.Context) error {
		p.warnOfArguments(ctx, used)
		p.warnOfConditions(ctx)
		return action(ctx)
	}
}

// warnOfArguments warns of arguments that the command ignores, and of a value that looks like an option.
func (p *program) warnOfArguments(c *cli.Context, used int) {
	args := c.Args().Slice()
	if used == 2 && len(args) > 1 && looksLikeOption(args[1]) && !slices.Contains(p.args, "--") {
		p.warn("%s has no option %q: it is taken for the value.%s If it is the value, write -- before the key",
			c.Command.Name, args[1], p.optionHint(c, args[1]))
		return
	}
	if len(args) <= used {
		return
	}
	ignored := args[used:]
	for _, arg := range ignored {
		if looksLikeOption(arg) {
			p.warn("%s has no option %q: it is ignored.%s", c.Command.Name, arg, p.optionHint(c, arg))
			return
		}
	}
	switch used {
	case 0:
		p.warn("%s takes no arguments; ignored: %q", c.Command.Name, ignored)
	case 1:
		p.warn("%s takes one key, here %q; ignored: %q", c.Command.Name, args[0], ignored)
	default:
		p.warn("%s takes a key and a value, here %q and %q; ignored: %q. Quote a value with blanks", c.Command.Name, args[0], args[1], ignored)
	}
}

// looksLikeOption reports whether an argument is written as the name of an option: --name or --name=value.
func looksLikeOption(arg string) bool {
	name, isOption := strings.CutPrefix(arg, "--")
	return isOption && name != "" && name[0] >= 'a' && name[0] <= 'z'
}

// optionHint says where the option belongs that a user most likely means, as a sentence, or nothing.
func (p *program) optionHint(c *cli.Context, arg string) string {
	if findFlag(p.globals.flags(), arg) != nil {
		name, _, _ := strings.Cut(arg, "=")
		return fmt.Sprintf(" Options of the whole client go before the command: %s %s ... %s.", p.name, name, c.Command.Name)
	}
	var names []string
	for _, flag := range c.Command.Flags {
		for _, name := range flag.Names() {
			names = append(names, "--"+name)
		}
	}
	name, _, _ := strings.Cut(arg, "=")
	if near := Nearest(name, names); near != "" {
		return fmt.Sprintf(" Did you mean %s?", near)
	}
	return ""
}

// conditionOptions are the options that are conditions. An empty text and 0 are no conditions.
var conditionOptions = []string{"swap-with-value", "swap-with-index", "with-value", "with-index"}

// warnOfConditions warns of conditions that are not checked, and of a TTL that is none.
func (p *program) warnOfConditions(c *cli.Context) {
	for _, name := range conditionOptions {
		if !c.IsSet(name) {
			continue
		}
		switch value := c.Value(name); value {
		case "", 0:
			p.warn("--%s %v is no condition: %s does not compare anything", name, quoteIfText(value), c.Command.Name)
		}
	}
	if c.IsSet("ttl") && c.Int("ttl") < 0 {
		p.warn("--ttl %d is no time to live: the key lives forever", c.Int("ttl"))
	}
}

// quoteIfText quotes a text, so that an empty one can be seen.
func quoteIfText(value any) any {
	if text, ok := value.(string); ok {
		return fmt.Sprintf("%q", text)
	}
	return value
}

// warnOfLostTTL warns of a key that had a TTL before a write and has none now.
func (p *program) warnOfLostTTL(e *client.Event) {
	if e.PrevNode == nil || e.PrevNode.Expiration == nil || e.Node.Expiration != nil || e.Node.Dir {
		return
	}
	p.warn("%s had a time to live (TTL: %d) and lives forever now; --ttl sets a new one", e.Node.Key, e.PrevNode.TTL)
}
