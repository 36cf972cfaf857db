package ctl

import (
	"errors"
	"strings"

	"github.com/urfave/cli/v2"
)

// mount completes a command that another package has built, and its subcommands, so that they have the client's help and exit
// codes. The client's global options set the options of the same names; see applyGlobals.
func (p *program) mount(c *cli.Command) *cli.Command {
	c.Description = inSections(c.Description)
	if len(c.Subcommands) > 0 {
		for _, sub := range c.Subcommands {
			p.mount(sub)
		}
		return p.group(c)
	}
	action := c.Action
	c.Action = func(ctx *cli.Context) error {
		if err := p.applyGlobals(ctx); err != nil {
			return failWith(exitBadArguments, err)
		}
		formats := []string{formatSimple}
		if findFlag(ctx.Command.Flags, "--json") != nil || findFlag(ctx.Command.Flags, "--write-out") != nil {
			formats = append(formats, formatJSON)
		}
		err := p.inFormats(action, formats...)(ctx)
		if exit, ok := errors.AsType[cli.ExitCoder](err); ok {
			text := exit.Error()
			if text != "" {
				text += "\n"
			}
			return &failure{code: exit.ExitCode(), text: text, cause: err}
		}
		return err
	}
	return p.command(c)
}

// inSections returns a description in the form of the client's own ones: a section of text, and one of examples, both
// indented.
func inSections(description string) string {
	if strings.HasPrefix(description, "DESCRIPTION:") {
		return description
	}
	text, examples, found := strings.Cut(description, "\n\nExamples:\n")
	sections := "DESCRIPTION:\n" + indented(text, "   ")
	if found {
		sections += "\n\nEXAMPLES:\n" + indented(examples, " ") // examples are indented by two already
	}
	return sections
}

func indented(text, by string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = by + line
		}
	}
	return strings.Join(lines, "\n")
}
