package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

// userCommands returns the group user.
func (p *program) userCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "user", Usage: "user add, get, list, remove, grant, revoke and passwd subcommands",
		Subcommands: []*cli.Command{
			p.userAddCommand(), p.userGetCommand(), p.userListCommand(), p.userRemoveCommand(),
			p.userRolesCommand((*client.Client).GrantRoles, &cli.Command{
				Name: "grant", Usage: "grant roles to a user", ArgsUsage: "<user>",
				Description: p.examples(`user grant --roles readers --roles writers ann`, "each --roles names one role"),
			}),
			p.userRolesCommand((*client.Client).RevokeRoles, &cli.Command{
				Name: "revoke", Usage: "revoke roles from a user", ArgsUsage: "<user>",
				Description: p.examples(`user revoke --roles writers ann`, "ann can no longer do what only writers may"),
			}),
			p.userPasswordCommand(),
		},
	})
}

// noUsername is the error text of a command that takes the name of one user.
const noUsername = "Please provide a username"

func (p *program) userAddCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "add", Usage: "add a user, or give an existing user another password", ArgsUsage: "<user>[:<password>]",
		Description: `DESCRIPTION:
   Asks for the password, if <user> is without one. A user has no permissions before a role is granted. The user root may do
   everything, and must exist before auth enable.

` + p.examples(
			`user add root`, "asks for the password",
			`user add ann < password-file`, "takes the password from the first line of a file",
			`user add ann:secret`, "other users of the machine may see the password in the list of processes"),
		Action: p.onAuth(1, noUsername, func(ctx context.Context, cl *client.Client, args []string) error {
			name, password, given := strings.Cut(args[0], ":")
			if !given {
				var err error
				if password, err = p.askPassword(ctx, "New password: "); err != nil {
					return err
				}
			}
			ctx, cancel := p.globals.limited(ctx)
			defer cancel()
			return p.printIfDone(cl.AddUser(ctx, name, password), "User %s created\n", name)
		}),
	})
}

func (p *program) userPasswordCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "passwd", Usage: "change the password of a user", ArgsUsage: "<user>",
		Description: p.examples(
			`user passwd ann`, "asks for the new password",
			`user passwd ann < password-file`, "takes it from the first line of a file"),
		Action: p.onAuth(1, noUsername, func(ctx context.Context, cl *client.Client, args []string) error {
			name := args[0]
			password, err := p.askPassword(ctx, "New password: ")
			if err != nil {
				return err
			}
			ctx, cancel := p.globals.limited(ctx)
			defer cancel()
			if err := requireUser(ctx, cl, name); err != nil {
				return err
			}
			return p.printIfDone(cl.ChangePassword(ctx, name, password), "Password updated\n")
		}),
	})
}

// requireUser returns an error if the user does not exist: the API would create a user whose password changes.
func requireUser(ctx context.Context, cl *client.Client, name string) error {
	missing := "auth: User " + name + " does not exist."
	_, err := cl.User(ctx, name)
	if refusal, ok := errors.AsType[*client.StatusError](err); ok && refusal.Status == http.StatusNotFound && refusal.Error() != missing {
		return nil // the user has a role that does not exist
	}
	return err
}

func (p *program) userGetCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "get", Usage: "show the roles of a user", ArgsUsage: "<user>",
		Description: p.examples(`user get ann`, "role get shows the permissions of each role"),
		Action: p.onAuthLimited(1, noUsername, func(ctx context.Context, cl *client.Client, args []string) error {
			user, err := cl.User(ctx, args[0])
			if err != nil {
				return err
			}
			// The legacy client prints one blank for each role before the first.
			names := make([]string, len(user.Roles), 2*len(user.Roles))
			for _, role := range user.Roles {
				names = append(names, role.Name)
			}
			_, err = fmt.Fprintf(p.stdout, "User: %s\nRoles: %s\n", user.Name, strings.Join(names, " "))
			return err
		}),
	})
}

func (p *program) userListCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "list", Usage: "list all users", ArgsUsage: " ",
		Description: p.examples(`user list`, "one name on each line"),
		Action: p.onAuthLimited(0, noArguments, func(ctx context.Context, cl *client.Client, _ []string) error {
			users, err := cl.Users(ctx)
			if err != nil {
				return err
			}
			for _, user := range users {
				if _, err := fmt.Fprintln(p.stdout, user.Name); err != nil {
					return err
				}
			}
			return nil
		}),
	})
}

func (p *program) userRemoveCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "remove", Usage: "remove a user", ArgsUsage: "<user>",
		Description: p.examples(`user remove ann`, "the roles of the user stay"),
		Action: p.onAuthLimited(1, noUsername, func(ctx context.Context, cl *client.Client, args []string) error {
			return p.printIfDone(cl.RemoveUser(ctx, args[0]), "User %s removed\n", args[0])
		}),
	})
}

// userRolesCommand completes grant or revoke. change must send the request.
func (p *program) userRolesCommand(change func(*client.Client, context.Context, string, []string) error, c *cli.Command) *cli.Command {
	var roles nameList
	c.Flags = []cli.Flag{&cli.GenericFlag{Name: "roles", Value: &roles, Usage: "a `role`; give the option again for each further role"}}
	act := p.onAuthLimited(1, noUsername, func(ctx context.Context, cl *client.Client, args []string) error {
		return p.printIfDone(change(cl, ctx, args[0], roles), "User %s updated\n", args[0])
	})
	c.Action = func(c *cli.Context) error {
		if len(roles) == 0 {
			return bareMessage("No roles specified; please use `--roles`")
		}
		return act(c)
	}
	return p.command(c)
}

// nameList is the value of an option that is given once for each name. A comma is part of a name, as in the legacy client.
type nameList []string

// Set adds a name.
func (l *nameList) Set(name string) error {
	*l = append(*l, name)
	return nil
}

// String returns the names, separated by blanks.
func (l *nameList) String() string { return strings.Join(*l, " ") }
