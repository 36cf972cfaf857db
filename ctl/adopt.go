package ctl

import (
	"errors"

	"github.com/urfave/cli/v2"
)

// adopt completes a command that another package has built, and those below it, so that it has the client's help and exit
// codes. Its options get their values from the client's global options of the same names; see bequeath.
func (p *program) adopt(c *cli.Command) *cli.Command {
	if len(c.Subcommands) > 0 {
		for _, sub := range c.Subcommands {
			p.adopt(sub)
		}
		return p.group(c)
	}
	action := c.Action
	c.Action = func(ctx *cli.Context) error {
		if err := p.bequeath(ctx); err != nil {
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
