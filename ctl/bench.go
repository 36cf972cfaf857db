package ctl

import (
	"errors"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl/bench"
)

// benchCommand mounts the load generator among the commands of the client.
func (p *program) benchCommand() *cli.Command {
	return p.adoptBench(bench.Command())
}

// adoptBench gives a command of the load generator, and those below it, the client's help and exit codes. They keep
// their own flags for the servers; --endpoints before "bench" counts where they have none of their own.
func (p *program) adoptBench(c *cli.Command) *cli.Command {
	text := strings.Replace(c.Description, "Examples:\n", "EXAMPLES:\n", 1)
	c.Description = strings.ReplaceAll(text, "\n  bench ", "\n  "+p.name+" bench ")
	if len(c.Subcommands) > 0 {
		for _, sub := range c.Subcommands {
			p.adoptBench(sub)
		}
		return p.group(c)
	}
	action := c.Action
	c.Action = func(ctx *cli.Context) error {
		if err := inheritEndpoints(ctx); err != nil {
			return badArguments(err.Error())
		}
		err := action(ctx)
		if exit, ok := errors.AsType[cli.ExitCoder](err); ok {
			text := exit.Error()
			if text != "" {
				text += "\n"
			}
			return &failure{exit.ExitCode(), text}
		}
		return err
	}
	return p.command(c)
}

// inheritEndpoints sets the load generator's --endpoints from the client's flags and variables.
func inheritEndpoints(ctx *cli.Context) error {
	lineage := ctx.Lineage()
	for _, name := range ctx.LocalFlagNames() {
		if name == endpointsFlag {
			return nil
		}
	}
	for _, outer := range lineage[1:] {
		for _, name := range []string{endpointsFlag, endpointFlag, peersFlag} {
			if value := setting(outer, name); value != "" {
				return ctx.Set(endpointsFlag, value)
			}
		}
	}
	return nil
}
