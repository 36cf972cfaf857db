package ctl

import (
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl/bench"
)

// withoutUse are the global options that mean nothing to the load generator. It is an error to give one.
var withoutUse = []struct{ name, instead string }{
	{debugFlag, "bench prints no requests; use it with get or set"},
	{totalTimeoutFlag, "use --duration of bench"},
}

// benchCommand makes the load generator a command of the client.
func (p *program) benchCommand() *cli.Command {
	c := bench.Command()
	for _, sub := range append(c.Subcommands, c) {
		sub.Description = strings.ReplaceAll(sub.Description, "\n  bench ", "\n  "+p.name+" bench ")
	}
	c = p.mount(c)
	for _, sub := range c.Subcommands {
		sub.Before = func(ctx *cli.Context) error {
			for _, option := range withoutUse {
				if ctx.IsSet(option.name) {
					return badArguments("--%s has no use before bench: %s", option.name, option.instead)
				}
			}
			return nil
		}
	}
	return c
}
