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
	c := p.adopt(bench.Command())
	for _, sub := range append(c.Subcommands, c) {
		text := strings.Replace(sub.Description, "Examples:\n", "EXAMPLES:\n", 1)
		sub.Description = strings.ReplaceAll(text, "\n  bench ", "\n  "+p.name+" bench ")
	}
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
