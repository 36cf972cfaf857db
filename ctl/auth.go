package ctl

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

// noArguments is the error text of a command that takes no arguments.
const noArguments = "No arguments accepted"

// authCommands returns the group auth.
func (p *program) authCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "auth", Usage: "require credentials, or serve everybody",
		Subcommands: []*cli.Command{
			p.authSwitchCommand((*client.Client).EnableAuth, "Authentication Enabled", &cli.Command{
				Name: "enable", Usage: "require credentials", ArgsUsage: " ",
				Description: `DESCRIPTION:
   The user root must exist. Requests without credentials then have the permissions of the role guest. If there is no such role,
   one is made that may read and write everything.

` + p.examples(
					`role add guest && `+p.name+` user add root && `+p.name+` auth enable`, "requests without credentials may do nothing",
					`-u root role revoke guest --path '/*' --readwrite`, "the same, after auth was enabled without a role guest"),
			}),
			p.authSwitchCommand((*client.Client).DisableAuth, "Authentication Disabled", &cli.Command{
				Name: "disable", Usage: "serve everybody who can connect", ArgsUsage: " ",
				Description: p.examples(`-u root auth disable`, "users and roles are kept"),
			}),
		},
	})
}

// authSwitchCommand completes auth enable or auth disable. The command prints done after a successful request.
func (p *program) authSwitchCommand(request func(*client.Client, context.Context) error, done string, c *cli.Command) *cli.Command {
	c.Action = p.onAuthLimited(0, noArguments, func(ctx context.Context, cl *client.Client, _ []string) error {
		return p.printIfDone(request(cl, ctx), "%s\n", done)
	})
	return p.command(c)
}

// printIfDone prints a text if err, the result of a request, is nil. It returns err, or the error of printing.
func (p *program) printIfDone(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, format, args...)
	return err
}

// onAuth returns the action of a command about users and roles that takes a fixed number of arguments. wanted is the error text
// for any other number. The command has no time limit. The text of an error has no prefix.
func (p *program) onAuth(arguments int, wanted string, run clusterCommand) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.NArg() != arguments {
			return bareMessage(wanted)
		}
		return p.waiting(func(ctx context.Context, cl *client.Client, args []string) error {
			p.debugEndpoints(cl) // a second time, as the legacy client does
			if err := run(ctx, cl, args); err != nil {
				return bareFailure(err)
			}
			return nil
		})(c)
	}
}

// onAuthLimited is onAuth for a command that --total-timeout or its default limits.
func (p *program) onAuthLimited(arguments int, wanted string, run clusterCommand) cli.ActionFunc {
	return p.onAuth(arguments, wanted, func(ctx context.Context, cl *client.Client, args []string) error {
		ctx, cancel := p.globals.limited(ctx)
		defer cancel()
		return run(ctx, cl, args)
	})
}
