package ctl

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

// roleCommands returns the group role.
func (p *program) roleCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "role", Usage: "role add, get, list, remove, grant and revoke subcommands",
		Subcommands: []*cli.Command{
			p.roleAddCommand(), p.roleGetCommand(), p.roleListCommand(), p.roleRemoveCommand(),
			p.permissionCommand((*client.Client).GrantPermissions, &cli.Command{
				Name: "grant", Usage: "let a role read or write keys", ArgsUsage: "<role>",
				Description: `DESCRIPTION:
   A path is one key. With '*' at its end, it is every key that begins with what is before the '*'. To list, watch or delete
   a directory with everything in it, one path must cover the directory and all keys below.

` + p.examples(
					`role grant readers --path '/config/*' --read`, "every key below /config; not /config itself",
					`role grant readers --path '/config*' --read`, "also /config itself, and /config-old",
					`role grant writers --path '/config*' --readwrite`, "read and write"),
			}),
			p.permissionCommand((*client.Client).RevokePermissions, &cli.Command{
				Name: "revoke", Usage: "take permissions back from a role", ArgsUsage: "<role>",
				Description: p.examples(`role revoke writers --path '/config*' --write`, "a path as it was granted; role get lists them"),
			}),
		},
	})
}

// noRoleName is the error text of a command that takes the name of one role.
const noRoleName = "Please provide a role name"

func (p *program) roleAddCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "add", Usage: "add a role without permissions", ArgsUsage: "<role>",
		Description: p.examples(`role add readers`, "then: role grant readers --path '/config*' --read"),
		Action: p.onAuthLimited(1, noRoleName, func(ctx context.Context, cl *client.Client, args []string) error {
			name := args[0]
			if _, err := cl.Role(ctx, name); err == nil {
				return bareMessage("Role " + name + " already exists")
			}
			return p.printIfDone(cl.AddRole(ctx, name), "Role %s created\n", name)
		}),
	})
}

func (p *program) roleGetCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "get", Usage: "show the permissions of a role", ArgsUsage: "<role>",
		Description: p.examples(`role get readers`, "the paths that it may read, then those that it may write"),
		Action: p.onAuthLimited(1, noRoleName, func(ctx context.Context, cl *client.Client, args []string) error {
			role, err := cl.Role(ctx, args[0])
			if err != nil {
				return err
			}
			var b strings.Builder
			fmt.Fprintf(&b, "Role: %s\nKV Read:\n", role.Name)
			for _, path := range role.Permissions.KV.Read {
				fmt.Fprintf(&b, "\t%s\n", path)
			}
			b.WriteString("KV Write:\n")
			for _, path := range role.Permissions.KV.Write {
				fmt.Fprintf(&b, "\t%s\n", path)
			}
			_, err = fmt.Fprint(p.stdout, b.String())
			return err
		}),
	})
}

func (p *program) roleListCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "list", Usage: "list all roles", ArgsUsage: " ",
		Description: p.examples(`role list`, "one name on each line"),
		Action: p.onAuthLimited(0, noArguments, func(ctx context.Context, cl *client.Client, _ []string) error {
			roles, err := cl.Roles(ctx)
			if err != nil {
				return err
			}
			for _, role := range roles {
				if _, err := fmt.Fprintln(p.stdout, role.Name); err != nil {
					return err
				}
			}
			return nil
		}),
	})
}

func (p *program) roleRemoveCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "remove", Usage: "remove a role", ArgsUsage: "<role>",
		Description: p.examples(`role remove readers`, "first revoke it from its users: user revoke --roles readers ann"),
		Action: p.onAuthLimited(1, noRoleName, func(ctx context.Context, cl *client.Client, args []string) error {
			return p.printIfDone(cl.RemoveRole(ctx, args[0]), "Role %s removed\n", args[0])
		}),
	})
}

// permissionOptions are the options of role grant and role revoke.
type permissionOptions struct {
	path                   string
	read, write, readWrite bool
}

// check returns a failure for options that name no permission. The texts and their order are those of the legacy client.
func (o *permissionOptions) check() error {
	chosen := 0
	for _, mode := range []bool{o.read, o.write, o.readWrite} {
		if mode {
			chosen++
		}
	}
	canonical := canonicalPath(o.path)
	switch {
	case o.path == "":
		return bareMessage("No path specified; please use `--path`")
	case canonical != o.path:
		return bareMessage("Not canonical path; please use `--path=" + canonical + "`")
	case chosen != 1:
		return bareMessage("Please specify exactly one of --read, --write or --readwrite")
	}
	return nil
}

func (o *permissionOptions) permissions() client.Permissions {
	var granted client.Permissions
	if o.read || o.readWrite {
		granted.KV.Read = []string{o.path}
	}
	if o.write || o.readWrite {
		granted.KV.Write = []string{o.path}
	}
	return granted
}

// canonicalPath returns a path with one slash at the beginning and none doubled. A slash at the end stays.
func canonicalPath(given string) string {
	clean := path.Clean("/" + given)
	if strings.HasSuffix(given, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// permissionCommand completes role grant or role revoke. change must send the request.
func (p *program) permissionCommand(
	change func(*client.Client, context.Context, string, client.Permissions) error, c *cli.Command,
) *cli.Command {
	var o permissionOptions
	c.Flags = []cli.Flag{
		&cli.StringFlag{Name: "path", Destination: &o.path, Usage: "the `path` of a key; a '*' at its end makes it a prefix"},
		boolFlag(&o.read, "reading", "read"),
		boolFlag(&o.write, "writing", "write"),
		boolFlag(&o.readWrite, "reading and writing", "readwrite", "rw"),
	}
	act := p.onAuthLimited(1, noRoleName, func(ctx context.Context, cl *client.Client, args []string) error {
		if _, err := cl.Role(ctx, args[0]); err != nil { // the API creates a role that is missing
			return err
		}
		return p.printIfDone(change(cl, ctx, args[0], o.permissions()), "Role %s updated\n", args[0])
	})
	c.Action = func(c *cli.Context) error {
		if err := o.check(); err != nil {
			return err
		}
		return act(c)
	}
	return p.command(c)
}
