package v3

import (
	"context"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"pando/ctl/v3/client"
)

func (p *program) leaseCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "lease", Usage: "leases: grant, revoke, timetolive, list, keep-alive",
		Subcommands: []*cli.Command{
			p.leaseGrantCommand(), p.leaseRevokeCommand(), p.leaseTimeToLiveCommand(), p.leaseListCommand(), p.leaseKeepAliveCommand(),
		},
		Description: p.explain(`A lease is a time after which its keys are deleted, unless it is renewed. Its ID is a number in hexadecimal.`,
			`lease grant 60`, "a lease of 60 seconds; it prints the ID",
			`put session/7 up --lease 694d8251ba5ab20c`, "a key that ends with the lease",
			`lease keep-alive 694d8251ba5ab20c`, "renew it until CTRL+C"),
	})
}

// leaseID reads the ID of a lease from the only argument. name is that of the command.
func leaseID(c *cli.Context, missing string) (int64, error) {
	if c.NArg() != 1 {
		return 0, badArguments("%s", missing)
	}
	id, err := strconv.ParseInt(c.Args().First(), 16, 64)
	if err != nil {
		return 0, badArguments("bad lease ID arg (%w), expecting ID in Hex", err)
	}
	return id, nil
}

func (p *program) leaseGrantCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "grant", Usage: "create a lease", ArgsUsage: "<TTL in seconds>",
		Action: p.withArguments(1, "lease grant command needs TTL argument", func(ctx context.Context, cl *client.Client, args []string) error {
			ttl, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return badArguments("bad TTL (%w)", err)
			}
			r, err := cl.Lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: ttl})
			if err != nil {
				return fmt.Errorf("failed to grant lease (%w)", err)
			}
			return p.print(answer{
				message: r,
				json: struct {
					*pb.ResponseHeader
					ID    int64
					TTL   int64
					Error string
				}{r.Header, r.ID, r.TTL, r.Error},
				simple: func(t *text) { t.linef("lease %016x granted with TTL(%ds)", r.ID, r.TTL) },
				fields: func(t *text) {
					t.header(r.Header)
					t.id("ID", r.ID, "%016x")
					t.field("TTL", r.TTL)
				},
			})
		}),
	}, answerFormats...)
}

func (p *program) leaseRevokeCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "revoke", Usage: "end a lease, and delete its keys", ArgsUsage: "<lease ID>",
		Action: p.calling(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
			id, err := leaseID(c, "lease revoke command needs 1 argument")
			if err != nil {
				return err
			}
			r, err := cl.Lease.LeaseRevoke(ctx, &pb.LeaseRevokeRequest{ID: id})
			if err != nil {
				return fmt.Errorf("failed to revoke lease (%w)", err)
			}
			return p.printHeader(r, nil, "lease %016x revoked", id)
		}),
	}, answerFormats...)
}

func (p *program) leaseTimeToLiveCommand() *cli.Command {
	keys := false
	return p.command(&cli.Command{
		Name: "timetolive", Usage: "print how long a lease will last", ArgsUsage: "<lease ID>",
		Flags: []cli.Flag{boolFlag(&keys, "keys", "print the keys of the lease, too")},
		Action: p.calling(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
			id, err := leaseID(c, "lease timetolive command needs lease ID as argument")
			if err != nil {
				return err
			}
			r, err := cl.Lease.LeaseTimeToLive(ctx, &pb.LeaseTimeToLiveRequest{ID: id, Keys: keys})
			if err != nil {
				return err
			}
			return p.print(leaseTime{r, keys}.answer())
		}),
	}, answerFormats...)
}

// leaseTime is the answer to timetolive.
type leaseTime struct {
	*pb.LeaseTimeToLiveResponse
	showKeys bool // in the simple form
}

func (r leaseTime) answer() answer {
	return answer{
		message: r.LeaseTimeToLiveResponse,
		json: struct {
			*pb.ResponseHeader
			ID         int64    `json:"id"`
			TTL        int64    `json:"ttl"`
			GrantedTTL int64    `json:"granted-ttl"`
			Keys       [][]byte `json:"keys"`
		}{r.Header, r.ID, r.TTL, r.GrantedTTL, r.Keys},
		simple: func(t *text) { t.linef("%s", r.line()) },
		fields: func(t *text) {
			t.header(r.Header)
			t.id("ID", r.ID, "%016x")
			t.field("TTL", r.TTL)
			t.field("GrantedTTL", r.GrantedTTL)
			for _, key := range r.Keys {
				t.field("Key", key)
			}
		},
	}
}

// line returns the simple form.
func (r leaseTime) line() string {
	if r.GrantedTTL == 0 && r.TTL == -1 {
		return fmt.Sprintf("lease %016x already expired", r.ID)
	}
	line := fmt.Sprintf("lease %016x granted with TTL(%ds), remaining(%ds)", r.ID, r.GrantedTTL, r.TTL)
	if !r.showKeys {
		return line
	}
	names := make([]string, len(r.Keys))
	for i, key := range r.Keys {
		names[i] = string(key)
	}
	return line + fmt.Sprintf(", attached keys(%v)", names)
}

func (p *program) leaseListCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "list", Usage: "list all leases", ArgsUsage: " ",
		Action: p.withArguments(0, "lease list command accepts no arguments", func(ctx context.Context, cl *client.Client, _ []string) error {
			r, err := cl.Lease.LeaseLeases(ctx, &pb.LeaseLeasesRequest{})
			if err != nil {
				return err
			}
			type lease struct {
				ID int64 `json:"id"`
			}
			list := make([]lease, len(r.Leases))
			for i, l := range r.Leases {
				list[i].ID = l.ID
			}
			return p.print(answer{
				message: r,
				json: struct {
					*pb.ResponseHeader
					Leases []lease `json:"leases"`
				}{r.Header, list},
				simple: func(t *text) {
					t.linef("found %d leases", len(list))
					for _, l := range list {
						t.linef("%016x", l.ID)
					}
				},
				fields: func(t *text) {
					t.header(r.Header)
					for _, l := range list {
						t.id("ID", l.ID, "%016x")
					}
				},
			})
		}),
	}, answerFormats...)
}

func (p *program) leaseKeepAliveCommand() *cli.Command {
	once := false
	return p.command(&cli.Command{
		Name: "keep-alive", Usage: "renew a lease until CTRL+C or its end", ArgsUsage: "<lease ID>",
		Flags: []cli.Flag{boolFlag(&once, "once", "renew it once, and end")},
		Description: p.explain(`Renews the lease each time when a third of its TTL has passed, and prints a line for each renewal.`,
			`lease keep-alive 694d8251ba5ab20c`, "until CTRL+C, or until the lease is revoked",
			`lease keep-alive --once 694d8251ba5ab20c`, "one renewal, for a script"),
		Action: p.waiting(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
			id, err := leaseID(c, "lease keep-alive command needs lease ID as argument")
			if err != nil {
				return err
			}
			if once {
				limited, cancel := p.limited(ctx)
				defer cancel()
				r, err := cl.KeepAliveOnce(limited, id)
				if err != nil {
					return &failure{exitBadConnection, err}
				}
				return p.print(keepAliveAnswer(r))
			}
			var printed error
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			err = cl.KeepAlive(ctx, id, func(r *pb.LeaseKeepAliveResponse) {
				if printed = p.print(keepAliveAnswer(r)); printed != nil {
					cancel()
				}
			})
			switch {
			case printed != nil:
				return printed
			case err == nil:
				return context.Canceled
			case err == rpctypes.ErrLeaseNotFound:
				_, err = fmt.Fprintf(p.stdout, "lease %016x expired or revoked.\n", id)
				return err
			}
			return &failure{exitBadConnection, err}
		}),
	}, answerFormats...)
}

// keepAliveAnswer is the answer to one renewal.
func keepAliveAnswer(r *pb.LeaseKeepAliveResponse) answer {
	return answer{
		message: r,
		json: struct {
			*pb.ResponseHeader
			ID  int64
			TTL int64
		}{r.Header, r.ID, r.TTL},
		simple: func(t *text) { t.linef("lease %016x keepalived with TTL(%d)", r.ID, r.TTL) },
		fields: func(t *text) {
			t.header(r.Header)
			t.id("ID", r.ID, "%016x")
			t.field("TTL", r.TTL)
		},
	}
}
