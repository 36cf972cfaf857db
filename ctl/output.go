package ctl

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// The formats of --output.
const (
	formatSimple   = "simple"
	formatExtended = "extended"
	formatJSON     = "json"
)

// checkFormat refuses a format that does not exist. The legacy client carries the command out, prints that it does not know
// the format in place of the answer, and succeeds.
func checkFormat(format string) error {
	switch format {
	case formatSimple, formatExtended, formatJSON:
		return nil
	}
	return &failure{code: exitBadArguments, text: fmt.Sprintf("Unsupported output format: %s\n--output is simple, extended or json\n", format)}
}

// inFormats makes the action of a command that is none of the legacy client's refuse an --output that it has no answer in.
func inFormats(action cli.ActionFunc, formats ...string) cli.ActionFunc {
	return func(c *cli.Context) error {
		if format := c.String(outputFlag); !slices.Contains(formats, format) {
			return badArguments(fmt.Sprintf("%s has no output in the format %q; it takes -o %s", c.Command.FullName(), format, strings.Join(formats, " or ")))
		}
		return action(c)
	}
}

// printEvent prints an answer or a change in the format of --output.
func (p *program) printEvent(e *event, format string) error {
	switch format {
	case formatExtended:
		return p.printExtended(e)
	case formatJSON:
		// Strings and numbers: there is nothing in it that JSON can't hold.
		data, _ := json.Marshal(e)
		_, err := fmt.Fprintf(p.stdout, "%s\n", data)
		return err
	}
	return p.printSimple(e)
}

// printSimple prints the value; of a deleted key the one that it had; of a directory nothing.
func (p *program) printSimple(e *event) error {
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

func (p *program) printExtended(e *event) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Key: %s\nCreated-Index: %d\nModified-Index: %d\n", e.Node.Key, e.Node.CreatedIndex, e.Node.ModifiedIndex)
	if e.PrevNode != nil {
		fmt.Fprintf(&b, "PrevNode.Value: %s\n", e.PrevNode.Value)
	}
	fmt.Fprintf(&b, "TTL: %d\nIndex: %d\n", e.Node.TTL, e.index)
	if e.Action != "delete" {
		fmt.Fprintf(&b, "\n%s\n", e.Node.Value)
	}
	_, err := fmt.Fprint(p.stdout, b.String())
	return err
}

// ByteCount writes a number of bytes for people.
func ByteCount(n uint64) string {
	const unit, prefixes = 1024, "KMGTPE"
	if n < unit {
		return strconv.FormatUint(n, 10) + " B"
	}
	value, prefix := float64(n)/unit, 0
	for value >= unit && prefix < len(prefixes)-1 {
		value, prefix = value/unit, prefix+1
	}
	return fmt.Sprintf("%.1f %ciB", value, prefixes[prefix])
}
