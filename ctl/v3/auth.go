package v3

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"pando/ctl/v3/client"
)

// rootName is the name of the user and of the role that may do everything.
const rootName = "root"

func (p *program) authCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "auth", Usage: "authentication: enable, disable, status",
		Subcommands: []*cli.Command{p.authEnableCommand(), p.authDisableCommand(), p.authStatusCommand()},
		Description: p.examples(
			`user add root`, "auth needs a user root first; it asks for a password",
			`auth enable`, "from now on every request needs a user",
			`--user root auth disable`, "open the cluster again"),
	})
}

// withoutArguments is calling, for a command of auth: none of them takes arguments.
func (p *program) withoutArguments(name string, run func(ctx context.Context, cl *client.Client, _ []string) error) cli.ActionFunc {
	return p.withArguments(0, "auth "+name+" command does not accept any arguments", run)
}

func (p *program) authEnableCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "enable", Usage: "require a user for every request", ArgsUsage: " ",
		Description: p.explain(`The user root must exist. It gets the role root if it does not have it.`),
		Action: p.withoutArguments("enable", func(ctx context.Context, cl *client.Client, _ []string) error {
			_, err := cl.Auth.AuthEnable(ctx, &pb.AuthEnableRequest{})
			if errors.Is(err, rpctypes.ErrRootRoleNotExist) {
				if err := grantRoot(ctx, cl); err != nil {
					return err
				}
				_, err = cl.Auth.AuthEnable(ctx, &pb.AuthEnableRequest{})
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(p.stdout, "Authentication Enabled")
			return err
		}),
	})
}

// grantRoot gives the user root the role root, and makes the role first if it does not exist.
func grantRoot(ctx context.Context, cl *client.Client) error {
	if _, err := cl.Auth.RoleAdd(ctx, &pb.AuthRoleAddRequest{Name: rootName}); err != nil && !errors.Is(err, rpctypes.ErrRoleAlreadyExist) {
		return err
	}
	_, err := cl.Auth.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: rootName, Role: rootName})
	return err
}

func (p *program) authDisableCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "disable", Usage: "accept requests of everybody", ArgsUsage: " ",
		Action: p.withoutArguments("disable", func(ctx context.Context, cl *client.Client, _ []string) error {
			if _, err := cl.Auth.AuthDisable(ctx, &pb.AuthDisableRequest{}); err != nil {
				return err
			}
			_, err := fmt.Fprintln(p.stdout, "Authentication Disabled")
			return err
		}),
	})
}

func (p *program) authStatusCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "status", Usage: "print whether requests need a user", ArgsUsage: " ",
		Action: p.withoutArguments("status", func(ctx context.Context, cl *client.Client, _ []string) error {
			r, err := cl.Auth.AuthStatus(ctx, &pb.AuthStatusRequest{})
			if err != nil {
				return err
			}
			return p.print(answer{message: r, simple: func(t *text) {
				t.linef("Authentication Status: %v", r.Enabled)
				t.linef("AuthRevision: %v", r.AuthRevision)
			}})
		}),
	}, messageFormats...)
}
