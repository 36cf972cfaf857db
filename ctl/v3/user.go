package v3

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/ctl/terminal"
	"pando/ctl/v3/client"
)

func (p *program) userCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "user", Usage: "users: add, delete, get, list, passwd, grant-role, revoke-role",
		Subcommands: []*cli.Command{
			p.userAddCommand(), p.userDeleteCommand(), p.userGetCommand(), p.userListCommand(), p.userPasswdCommand(),
			p.userGrantCommand(), p.userRevokeCommand(),
		},
		Description: p.examples(
			`user add ann`, "it asks for a password",
			`user grant-role ann editor`, "give ann the rights of the role editor",
			`user get ann --detail`, "what ann may do"),
	})
}

// passwordOptions say where a new password comes from.
type passwordOptions struct {
	given       string // the password itself; empty if it is read from stdin
	interactive bool   // ask for it twice
}

// flag returns the flag of commands that read a password.
func (o *passwordOptions) flag() cli.Flag {
	return &cli.BoolFlag{Name: "interactive", Destination: &o.interactive, Value: true,
		Usage: "ask for the password twice; with =false it is the first line of stdin"}
}

func (p *program) userAddCommand() *cli.Command {
	password, noPassword := passwordOptions{}, false
	return p.command(&cli.Command{
		Name: "add", Usage: "add a user", ArgsUsage: "<name>[:<password>]",
		Flags: []cli.Flag{
			password.flag(), boolFlag(&noPassword, "no-password", "a user without a password, who logs in by a certificate"),
			&cli.StringFlag{Name: "new-user-password", Destination: &password.given, Usage: "the `password`; other users of the machine may see it"},
		},
		Action: p.waiting(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
			if c.NArg() != 1 {
				return badArguments("user add command requires user name as its argument")
			}
			request := &pb.AuthUserAddRequest{Name: c.Args().First(), Options: &authpb.UserAddOptions{NoPassword: noPassword}}
			if !noPassword {
				var err error
				if request.Name, request.Password, err = p.newPassword(ctx, c.Args().First(), password); err != nil {
					return err
				}
			}
			ctx, cancel := p.limited(ctx)
			defer cancel()
			r, err := cl.Auth.UserAdd(ctx, request)
			return p.printHeader(r, err, "User %s created", request.Name)
		}),
	}, answerFormats...)
}

// newPassword returns the name and the password of a new user: the password that was given, that after the name, or one from stdin.
func (p *program) newPassword(ctx context.Context, name string, o passwordOptions) (string, string, error) {
	if o.given != "" {
		return name, o.given, nil
	}
	name, password, found := strings.Cut(name, ":")
	if found {
		// etcdctl leaves out what follows a second colon.
		password, _, _ = strings.Cut(password, ":")
	}
	if name == "" {
		return "", "", badArguments("empty user name is not allowed")
	}
	if found {
		return name, password, nil
	}
	password, err := p.readPassword(ctx, name, o)
	return name, password, err
}

// readPassword reads a new password: twice after a prompt, or the first line of stdin.
func (p *program) readPassword(ctx context.Context, name string, o passwordOptions) (string, error) {
	if !o.interactive {
		line, err := terminal.ReadLine(ctx, p.stdin)
		return strings.TrimSpace(line), err
	}
	first, err := p.askPassword(ctx, fmt.Sprintf("Password of %s: ", name))
	if err != nil {
		return "", err
	}
	if first == "" {
		return "", badArguments("empty password")
	}
	second, err := p.askPassword(ctx, fmt.Sprintf("Type password of %s again for confirmation: ", name))
	if err != nil {
		return "", err
	}
	if first != second {
		return "", badArguments("given passwords are different")
	}
	return first, nil
}

func (p *program) userDeleteCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "delete", Usage: "delete a user", ArgsUsage: "<name>",
		Action: p.withArguments(1, "user delete command requires user name as its argument",
			func(ctx context.Context, cl *client.Client, names []string) error {
				r, err := cl.Auth.UserDelete(ctx, &pb.AuthUserDeleteRequest{Name: names[0]})
				return p.printHeader(r, err, "User %s deleted", names[0])
			}),
	}, answerFormats...)
}

func (p *program) userGetCommand() *cli.Command {
	detail := false
	return p.command(&cli.Command{
		Name: "get", Usage: "print the roles of a user", ArgsUsage: "<name>",
		Flags: []cli.Flag{boolFlag(&detail, "detail", "print the permissions of the roles, too")},
		Action: p.withArguments(1, "user get command requires user name as its argument",
			func(ctx context.Context, cl *client.Client, names []string) error {
				r, err := cl.Auth.UserGet(ctx, &pb.AuthUserGetRequest{Name: names[0]})
				if err != nil {
					return err
				}
				if detail {
					return p.printPermissions(ctx, cl, names[0], r.Roles)
				}
				return p.print(answer{message: r, simple: func(t *text) {
					t.linef("User: %s", names[0])
					t.WriteString("Roles:")
					for _, role := range r.Roles {
						t.WriteString(" " + role)
					}
					t.WriteByte('\n')
				}})
			}),
	}, append(messageFormats, formatFields)...) // fields are there with --detail
}

// printPermissions prints the roles of a user, each as role get prints it.
func (p *program) printPermissions(ctx context.Context, cl *client.Client, user string, roles []string) error {
	if _, err := fmt.Fprintf(p.stdout, "User: %s\n", user); err != nil {
		return err
	}
	for _, role := range roles {
		r, err := cl.Auth.RoleGet(ctx, &pb.AuthRoleGetRequest{Role: role})
		if err == nil {
			_, err = fmt.Fprintln(p.stdout)
		}
		if err == nil {
			err = p.print(roleAnswer(role, r))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *program) userListCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "list", Usage: "list all users", ArgsUsage: " ",
		Action: p.withArguments(0, "user list command requires no arguments",
			func(ctx context.Context, cl *client.Client, _ []string) error {
				r, err := cl.Auth.UserList(ctx, &pb.AuthUserListRequest{})
				if err != nil {
					return err
				}
				return p.print(answer{message: r, simple: func(t *text) {
					for _, user := range r.Users {
						t.linef("%s", user)
					}
				}})
			}),
	}, messageFormats...)
}

func (p *program) userPasswdCommand() *cli.Command {
	options := passwordOptions{}
	return p.command(&cli.Command{
		Name: "passwd", Usage: "change the password of a user", ArgsUsage: "<name>",
		Flags: []cli.Flag{options.flag()},
		Action: p.waiting(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
			if c.NArg() != 1 {
				return badArguments("user passwd command requires user name as its argument")
			}
			password, err := p.readPassword(ctx, c.Args().First(), options)
			if err != nil {
				return err
			}
			ctx, cancel := p.limited(ctx)
			defer cancel()
			r, err := cl.Auth.UserChangePassword(ctx, &pb.AuthUserChangePasswordRequest{Name: c.Args().First(), Password: password})
			return p.printHeader(r, err, "Password updated")
		}),
	}, answerFormats...)
}

func (p *program) userGrantCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "grant-role", Usage: "give a user a role", ArgsUsage: "<user> <role>",
		Action: p.withArguments(2, "user grant command requires user name and role name as its argument",
			func(ctx context.Context, cl *client.Client, names []string) error {
				r, err := cl.Auth.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: names[0], Role: names[1]})
				return p.printHeader(r, err, "Role %s is granted to user %s", names[1], names[0])
			}),
	}, answerFormats...)
}

func (p *program) userRevokeCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "revoke-role", Usage: "take a role from a user", ArgsUsage: "<user> <role>",
		Action: p.withArguments(2, "user revoke-role requires user name and role name as its argument",
			func(ctx context.Context, cl *client.Client, names []string) error {
				r, err := cl.Auth.UserRevokeRole(ctx, &pb.AuthUserRevokeRoleRequest{Name: names[0], Role: names[1]})
				return p.printHeader(r, err, "Role %s is revoked from user %s", names[1], names[0])
			}),
	}, answerFormats...)
}
