package ctl

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

// The formats of --output.
const (
	formatSimple   = "simple"
	formatExtended = "extended"
	formatJSON     = "json"
)

// checkFormat refuses a format that does not exist. The legacy client executes the command, prints an error message in place
// of the answer, and succeeds.
func checkFormat(format string) error {
	switch format {
	case formatSimple, formatExtended, formatJSON:
		return nil
	}
	return &failure{code: exitBadArguments, text: fmt.Sprintf("Unsupported output format: %s\n--output is simple, extended or json\n", format)}
}

// outputOption returns the option --output of a command. It is the same as the global option before the command.
func (p *program) outputOption() cli.Flag {
	return &cli.GenericFlag{Name: outputFlag, Aliases: []string{"o"}, Value: (*formatValue)(&p.globals.output), DefaultText: formatSimple,
		Usage: "print as simple or json"}
}

// formatValue sets the format of --output.
type formatValue string

func (f *formatValue) String() string {
	if f == nil {
		return ""
	}
	return string(*f)
}

func (f *formatValue) Set(format string) error {
	*f = formatValue(format)
	return nil
}

// inFormats returns an action that refuses any --output that is not in formats.
func (p *program) inFormats(action cli.ActionFunc, formats ...string) cli.ActionFunc {
	return func(c *cli.Context) error {
		if format := p.globals.output; !slices.Contains(formats, format) {
			return badArguments("%s has no output in the format %q; it takes -o %s", c.Command.FullName(), format, strings.Join(formats, " or "))
		}
		return action(c)
	}
}

// printEvent prints an answer or a change in the format of --output.
func (p *program) printEvent(e *client.Event) error {
	switch p.globals.output {
	case formatExtended:
		return p.printExtended(e)
	case formatJSON:
		data, _ := json.Marshal(e) // an event can always be encoded
		_, err := fmt.Fprintf(p.stdout, "%s\n", data)
		return err
	}
	return p.printSimple(e)
}

// printSimple prints the value of a key, the previous value of a deleted key, and nothing for a directory.
func (p *program) printSimple(e *client.Event) error {
	if e.Node.Dir {
		return nil
	}
	text := e.Node.Value
	if e.Action == "delete" {
		if e.PrevNode == nil {
			return nil
		}
		text = "PrevNode.Value: " + e.PrevNode.Value
	}
	_, err := fmt.Fprintln(p.stdout, text)
	return err
}

func (p *program) printExtended(e *client.Event) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Key: %s\nCreated-Index: %d\nModified-Index: %d\n", e.Node.Key, e.Node.CreatedIndex, e.Node.ModifiedIndex)
	if e.PrevNode != nil {
		fmt.Fprintf(&b, "PrevNode.Value: %s\n", e.PrevNode.Value)
	}
	fmt.Fprintf(&b, "TTL: %d\nIndex: %d\n", e.Node.TTL, e.Index)
	if e.Action != "delete" {
		fmt.Fprintf(&b, "\n%s\n", e.Node.Value)
	}
	_, err := fmt.Fprint(p.stdout, b.String())
	return err
}
