package ctl

import (
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl/bench"
)

// optionsWithoutUse are the global options that have no meaning for the load generator. To give one is an error.
var optionsWithoutUse = []struct{ name, instead string }{
	{debugFlag, "bench prints no requests; use it with get or set"},
	{totalTimeoutFlag, "use --duration of bench"},
}

// benchCommand returns the load generator as a command of the client.
func (p *program) benchCommand() *cli.Command {
	c := bench.Command()
	for _, sub := range append(c.Subcommands, c) {
		sub.Description = strings.ReplaceAll(sub.Description, "\n  bench ", "\n  "+p.name+" bench ")
	}
	c = p.mount(c)
	for _, sub := range c.Subcommands {
		sub.Before = func(ctx *cli.Context) error {
			for _, option := range optionsWithoutUse {
				if ctx.IsSet(option.name) {
					return badArguments("--%s has no use before bench: %s", option.name, option.instead)
				}
			}
			return nil
		}
	}
	return c
}
