package v3

import (
	"context"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/ctl/v3/client"
)

func (p *program) downgradeCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "downgrade", Usage: "an earlier minor version for the cluster: validate, enable, cancel",
		Subcommands: []*cli.Command{
			p.downgradeCommand(pb.DowngradeRequest_VALIDATE, "validate", "check whether the cluster can go back to a version"),
			p.downgradeCommand(pb.DowngradeRequest_ENABLE, "enable", "begin a downgrade"),
			p.downgradeCommand(pb.DowngradeRequest_CANCEL, "cancel", "stay at the present version"),
		},
		Description: p.explain(`After enable, etcd changes its data to the form of the version. Then each member can be started with the program
			of that version, one after the other.`,
			`downgrade validate 3.6`, "is it possible",
			`downgrade enable 3.6`, "begin",
			`endpoint status --cluster -w table`, "see when the storage has the version"),
	})
}

// downgradeCommand returns a command of downgrade.
func (p *program) downgradeCommand(action pb.DowngradeRequest_DowngradeAction, name, usage string) *cli.Command {
	arguments, number := "<version>", 1
	if action == pb.DowngradeRequest_CANCEL {
		arguments, number = " ", 0
	}
	return p.command(&cli.Command{
		Name: name, Usage: usage, ArgsUsage: arguments,
		Action: p.calling(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
			switch {
			case c.NArg() < number:
				return badArguments("TARGET_VERSION not provided")
			case c.NArg() > number:
				return badArguments("too many arguments")
			}
			r, err := cl.Maintenance.Downgrade(ctx, &pb.DowngradeRequest{Action: action, Version: c.Args().First()})
			if err != nil {
				return err
			}
			return p.print(answer{message: r, simple: func(t *text) {
				t.linef("Downgrade %s success, cluster version %s", name, r.Version)
			}})
		}),
	}, messageFormats...)
}
