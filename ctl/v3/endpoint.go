package v3

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/ctl/v3/client"
)

func (p *program) endpointCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "endpoint", Usage: "each endpoint: status, health, hashkv",
		Subcommands: []*cli.Command{p.endpointStatusCommand(), p.endpointHealthCommand(), p.endpointHashKVCommand()},
		Description: p.examples(
			`endpoint status --cluster -w table`, "the state of every member",
			`endpoint health`, "exit code 0 if all endpoints are healthy",
			`endpoint hashkv --cluster`, "equal hashes mean equal keys and history"),
	})
}

// endpointOptions say which endpoints a command is about.
type endpointOptions struct {
	cluster bool // the flag --cluster
}

func (o *endpointOptions) flag() cli.Flag {
	return boolFlag(&o.cluster, "cluster", "the endpoints of all members, in place of --endpoints")
}

// endpoints returns the endpoints of a command.
func (p *program) endpoints(ctx context.Context, cl *client.Client, o endpointOptions) ([]string, error) {
	if !o.cluster {
		return cl.Endpoints(), nil
	}
	limited, cancel := p.limited(ctx)
	defer cancel()
	list, err := cl.Cluster.MemberList(limited, &pb.MemberListRequest{Linearizable: true})
	if err != nil {
		return nil, fmt.Errorf("failed to fetch endpoints from etcd cluster member list: %w", err)
	}
	var endpoints []string
	for _, m := range list.Members {
		endpoints = append(endpoints, m.ClientURLs...)
	}
	return endpoints, nil
}

// forEachEndpoint calls visit for one endpoint after the other, with a client and a time limit of its own.
func (p *program) forEachEndpoint(ctx context.Context, cl *client.Client, o endpointOptions,
	visit func(ctx context.Context, at *client.Client, endpoint string)) error {
	endpoints, err := p.endpoints(ctx, cl, o)
	if err != nil {
		return err
	}
	for _, endpoint := range endpoints {
		at, err := cl.At(endpoint)
		if err != nil {
			return &failure{exitBadArguments, err}
		}
		limited, cancel := p.limited(ctx)
		visit(limited, at, endpoint)
		cancel()
		at.Close()
	}
	return nil
}

// endpointStatus is the answer of one endpoint to endpoint status.
type endpointStatus struct {
	Endpoint string
	Status   *pb.StatusResponse
}

func (p *program) endpointStatusCommand() *cli.Command {
	options := endpointOptions{}
	return p.command(&cli.Command{
		Name: "status", Usage: "print the state of each endpoint", ArgsUsage: " ",
		Flags: []cli.Flag{options.flag()},
		Description: p.explain(`The parts of a line are the endpoint, ID, version, version of the storage, size of the database, what of it is
			in use, what part is not, quota, is leader, is learner, raft term, raft index, applied index, errors, and the
			target of a downgrade.`),
		Action: p.waiting(func(ctx context.Context, cl *client.Client, _ *cli.Context) error {
			var list []endpointStatus
			var failed error
			err := p.forEachEndpoint(ctx, cl, options, func(ctx context.Context, at *client.Client, endpoint string) {
				status, err := at.Maintenance.Status(ctx, &pb.StatusRequest{})
				if err != nil {
					fmt.Fprintf(p.stderr, "Failed to get the status of endpoint %s (%v)\n", endpoint, err)
					failed = silent(exitError)
					return
				}
				list = append(list, endpointStatus{endpoint, status})
			})
			if err != nil {
				return err
			}
			if err := p.print(statusAnswer(list)); err != nil {
				return err
			}
			return failed
		}),
	}, tableFormats...)
}

func statusAnswer(list []endpointStatus) answer {
	titles := []string{"ENDPOINT", "ID", "VERSION", "STORAGE VERSION", "DB SIZE", "IN USE", "PERCENTAGE NOT IN USE", "QUOTA", "IS LEADER",
		"IS LEARNER", "RAFT TERM", "RAFT INDEX", "RAFT APPLIED INDEX", "ERRORS", "DOWNGRADE TARGET VERSION", "DOWNGRADE ENABLED"}
	var rows [][]string
	for _, s := range list {
		rows = append(rows, statusRow(s))
	}
	return answer{
		json:   list,
		simple: func(t *text) { t.rows(rows) },
		table:  func() *table { return &table{titles, rows} },
		fields: func(t *text) {
			for _, s := range list {
				t.statusFields(s)
			}
		},
	}
}

// statusRow returns the parts of a line.
func statusRow(s endpointStatus) []string {
	r := s.Status
	unused := 0.0
	if r.DbSize > 0 {
		unused = float64(r.DbSize-r.DbSizeInUse) / float64(r.DbSize) * 100
	}
	errors := ""
	for i, e := range r.Errors {
		if i > 0 {
			errors += ", "
		}
		errors += e
	}
	return []string{
		s.Endpoint, fmt.Sprintf("%x", r.Header.GetMemberId()), r.Version, r.StorageVersion,
		humanize.Bytes(uint64(r.DbSize)), humanize.Bytes(uint64(r.DbSizeInUse)), fmt.Sprintf("%d%%", int(unused)),
		humanize.Bytes(uint64(r.DbSizeQuota)), fmt.Sprint(r.Leader == r.Header.GetMemberId()), fmt.Sprint(r.IsLearner),
		fmt.Sprint(r.RaftTerm), fmt.Sprint(r.RaftIndex), fmt.Sprint(r.RaftAppliedIndex), errors,
		r.DowngradeInfo.GetTargetVersion(), fmt.Sprint(r.DowngradeInfo.GetEnabled()),
	}
}

func (t *text) statusFields(s endpointStatus) {
	r := s.Status
	t.header(r.Header)
	t.field("Version", r.Version)
	t.field("StorageVersion", r.StorageVersion)
	t.field("DBSize", r.DbSize)
	t.field("DBSizeInUse", r.DbSizeInUse)
	t.field("DBSizeQuota", r.DbSizeQuota)
	t.field("Leader", r.Leader)
	t.field("IsLearner", r.IsLearner)
	t.field("RaftIndex", r.RaftIndex)
	t.field("RaftAppliedIndex", r.RaftAppliedIndex)
	t.field("Errors", r.Errors)
	t.field("Endpoint", s.Endpoint)
	t.field("DowngradeTargetVersion", r.DowngradeInfo.GetTargetVersion())
	t.field("DowngradeEnabled", r.DowngradeInfo.GetEnabled())
	t.linef("")
}

// rows appends rows as lines, with commas between their parts.
func (t *text) rows(rows [][]string) {
	for _, row := range rows {
		for i, part := range row {
			if i > 0 {
				t.WriteString(", ")
			}
			t.WriteString(part)
		}
		t.WriteByte('\n')
	}
}

// endpointHash is the answer of one endpoint to endpoint hashkv.
type endpointHash struct {
	Endpoint string
	HashKV   *pb.HashKVResponse
}

func (p *program) endpointHashKVCommand() *cli.Command {
	options, revision := endpointOptions{}, int64(0)
	return p.command(&cli.Command{
		Name: "hashkv", Usage: "print a hash of the keys and their history at each endpoint", ArgsUsage: " ",
		Flags: []cli.Flag{options.flag(), &cli.Int64Flag{Name: "rev", Destination: &revision, DefaultText: "the newest",
			Usage: "hash the history up to this revision"}},
		Action: p.waiting(func(ctx context.Context, cl *client.Client, _ *cli.Context) error {
			var list []endpointHash
			var failed error
			err := p.forEachEndpoint(ctx, cl, options, func(ctx context.Context, at *client.Client, endpoint string) {
				hash, err := at.Maintenance.HashKV(ctx, &pb.HashKVRequest{Revision: revision})
				if err != nil {
					fmt.Fprintf(p.stderr, "Failed to get the hash of endpoint %s (%v)\n", endpoint, err)
					failed = err
					return
				}
				list = append(list, endpointHash{endpoint, hash})
			})
			if err != nil {
				return err
			}
			if err := p.print(hashAnswer(list)); err != nil {
				return err
			}
			return failed
		}),
	}, tableFormats...)
}

func hashAnswer(list []endpointHash) answer {
	var rows [][]string
	for _, h := range list {
		rows = append(rows, []string{h.Endpoint, fmt.Sprint(h.HashKV.Hash), fmt.Sprint(h.HashKV.HashRevision)})
	}
	return answer{
		json:   list,
		simple: func(t *text) { t.rows(rows) },
		table:  func() *table { return &table{[]string{"ENDPOINT", "HASH", "HASH REVISION"}, rows} },
		fields: func(t *text) {
			for _, h := range list {
				t.header(h.HashKV.Header)
				t.field("Endpoint", h.Endpoint)
				t.field("Hash", h.HashKV.Hash)
				t.field("HashRevision", h.HashKV.HashRevision)
				t.linef("")
			}
		},
	}
}
