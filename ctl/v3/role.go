package v3

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/ctl/v3/client"
)

func (p *program) roleCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "role", Usage: "roles: add, delete, get, list, grant-permission, revoke-permission",
		Subcommands: []*cli.Command{
			p.roleAddCommand(), p.roleDeleteCommand(), p.roleGetCommand(), p.roleListCommand(), p.roleGrantCommand(), p.roleRevokeCommand(),
		},
		Description: p.examples(
			`role add editor`, "a role without permissions",
			`role grant-permission editor readwrite app/ --prefix`, "let it read and write all keys that begin with app/",
			`role get editor`, "what the role may do"),
	})
}

func (p *program) roleAddCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "add", Usage: "add a role", ArgsUsage: "<role>",
		Action: p.withArguments(1, "role add command requires role name as its argument",
			func(ctx context.Context, cl *client.Client, names []string) error {
				r, err := cl.Auth.RoleAdd(ctx, &pb.AuthRoleAddRequest{Name: names[0]})
				return p.printHeader(r, err, "Role %s created", names[0])
			}),
	}, answerFormats...)
}

func (p *program) roleDeleteCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "delete", Usage: "delete a role", ArgsUsage: "<role>",
		Action: p.withArguments(1, "role delete command requires role name as its argument",
			func(ctx context.Context, cl *client.Client, names []string) error {
				r, err := cl.Auth.RoleDelete(ctx, &pb.AuthRoleDeleteRequest{Role: names[0]})
				return p.printHeader(r, err, "Role %s deleted", names[0])
			}),
	}, answerFormats...)
}

func (p *program) roleGetCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "get", Usage: "print the permissions of a role", ArgsUsage: "<role>",
		Action: p.withArguments(1, "role get command requires role name as its argument",
			func(ctx context.Context, cl *client.Client, names []string) error {
				r, err := cl.Auth.RoleGet(ctx, &pb.AuthRoleGetRequest{Role: names[0]})
				if err != nil {
					return err
				}
				return p.print(roleAnswer(names[0], r))
			}),
	}, answerFormats...)
}

func roleAnswer(name string, r *pb.AuthRoleGetResponse) answer {
	return answer{
		message: r,
		simple:  func(t *text) { t.role(name, r) },
		fields: func(t *text) {
			t.header(r.Header)
			for _, perm := range r.Perm {
				t.linef("%q :  %s", "PermType", perm.PermType)
				t.field("Key", perm.Key)
				t.field("RangeEnd", perm.RangeEnd)
			}
		},
	}
}

// role appends the simple form of a role.
func (t *text) role(name string, r *pb.AuthRoleGetResponse) {
	list := func(title string, kind authpb.Permission_Type) {
		t.linef("%s", title)
		for _, perm := range r.Perm {
			if perm.PermType == kind || perm.PermType == authpb.READWRITE {
				t.linef("\t%s", shownRange(string(perm.Key), string(perm.RangeEnd)))
			}
		}
	}
	t.linef("Role %s", name)
	list("KV Read:", authpb.READ)
	list("KV Write:", authpb.WRITE)
}

// shownRange returns the range of a permission as role get shows it.
func shownRange(key, end string) string {
	switch {
	case end == "":
		return key
	case end == "\x00":
		return fmt.Sprintf("[%s, <open ended>", key)
	case end == client.PrefixEnd(key):
		return fmt.Sprintf("[%s, %s) (prefix %s)", key, end, key)
	}
	return fmt.Sprintf("[%s, %s)", key, end)
}

func (p *program) roleListCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "list", Usage: "list all roles", ArgsUsage: " ",
		Action: p.withArguments(0, "role list command requires no arguments",
			func(ctx context.Context, cl *client.Client, _ []string) error {
				r, err := cl.Auth.RoleList(ctx, &pb.AuthRoleListRequest{})
				if err != nil {
					return err
				}
				return p.print(answer{
					message: r,
					simple: func(t *text) {
						for _, role := range r.Roles {
							t.linef("%s", role)
						}
					},
					fields: func(t *text) {
						t.header(r.Header)
						t.WriteString(`"Roles" :`)
						for _, role := range r.Roles {
							fmt.Fprintf(t, " %q", role)
						}
						t.WriteByte('\n')
					},
				})
			}),
	}, answerFormats...)
}

// permissionRange returns the range of the arguments of a permission.
func permissionRange(f keyFlags, args []string) (key, end []byte, err error) {
	switch {
	case f.prefix && f.fromKey:
		return nil, nil, badArguments("--from-key and --prefix flags are mutually exclusive")
	case len(args) > 1 && f.prefix:
		return nil, nil, badArguments("unexpected endkey argument with --prefix flag")
	case len(args) > 1 && f.fromKey:
		return nil, nil, badArguments("unexpected endkey argument with --from-key flag")
	}
	key, end = f.keyRange(args)
	return key, end, nil
}

func (p *program) roleGrantCommand() *cli.Command {
	keys := keyFlags{}
	return p.command(&cli.Command{
		Name: "grant-permission", Usage: "give a role a permission", ArgsUsage: "<role> read|write|readwrite <key> [<end of the range>]",
		Flags: keys.flags(),
		Action: p.calling(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
			args := c.Args().Slice()
			if len(args) < 3 || len(args) > 4 {
				return badArguments("role grant command requires role name, permission type, and key [endkey] as its argument")
			}
			kind, known := authpb.Permission_Type_value[strings.ToUpper(args[1])]
			if !known {
				return badArguments("invalid permission type: %s", args[1])
			}
			key, end, err := permissionRange(keys, args[2:])
			if err != nil {
				return err
			}
			r, err := cl.Auth.RoleGrantPermission(ctx, &pb.AuthRoleGrantPermissionRequest{
				Name: args[0], Perm: &authpb.Permission{PermType: authpb.Permission_Type(kind), Key: key, RangeEnd: end},
			})
			return p.printHeader(r, err, "Role %s updated", args[0])
		}),
	}, answerFormats...)
}

func (p *program) roleRevokeCommand() *cli.Command {
	keys := keyFlags{}
	return p.command(&cli.Command{
		Name: "revoke-permission", Usage: "take a permission from a role", ArgsUsage: "<role> <key> [<end of the range>]",
		Flags:       keys.flags(),
		Description: p.explain(`The range must be that of a permission of the role; see role get.`),
		Action: p.calling(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
			args := c.Args().Slice()
			if len(args) < 2 || len(args) > 3 {
				return badArguments("role revoke-permission command requires role name and key [endkey] as its argument")
			}
			key, end, err := permissionRange(keys, args[1:])
			if err != nil {
				return err
			}
			r, err := cl.Auth.RoleRevokePermission(ctx, &pb.AuthRoleRevokePermissionRequest{Role: args[0], Key: key, RangeEnd: end})
			return p.printHeader(r, err, "%s", revokedText(args[0], string(key), string(end)))
		}),
	}, answerFormats...)
}

// revokedText says which permission was revoked.
func revokedText(role, key, end string) string {
	switch end {
	case "":
		return fmt.Sprintf("Permission of key %s is revoked from role %s", key, role)
	case "\x00":
		return fmt.Sprintf("Permission of range [%s, <open ended> is revoked from role %s", key, role)
	}
	return fmt.Sprintf("Permission of range [%s, %s) is revoked from role %s", key, end, role)
}
