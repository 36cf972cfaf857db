package v3

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"pando/ctl/v3/client"
)

func (p *program) defragCommand() *cli.Command {
	options := endpointOptions{}
	return p.command(&cli.Command{
		Name: "defrag", Usage: "make each endpoint return free space of its database to the disk", ArgsUsage: " ",
		Flags: []cli.Flag{options.flag()},
		Description: p.explain(`A member may answer nothing else while it does that, so the endpoints are asked one after the other.`,
			`defrag`, "the endpoints of --endpoints",
			`--command-timeout 1m defrag --cluster`, "all members, each for at most a minute"),
		Action: p.waiting(func(ctx context.Context, cl *client.Client, _ *cli.Context) error {
			var failed error
			err := p.forEachEndpoint(ctx, cl, options, func(ctx context.Context, at *client.Client, endpoint string) {
				began := time.Now()
				_, err := at.Maintenance.Defragment(ctx, &pb.DefragmentRequest{})
				took := time.Since(began)
				if err != nil {
					fmt.Fprintf(p.stderr, "Failed to defragment etcd member[%s]. took %s. (%v)\n", endpoint, took, err)
					failed = silent(exitError)
					return
				}
				fmt.Fprintf(p.stdout, "Finished defragmenting etcd member[%s]. took %s\n", endpoint, took)
			})
			return errors.Join(err, failed)
		}),
	})
}

func (p *program) moveLeaderCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "move-leader", Usage: "make another member the leader", ArgsUsage: "<member ID>",
		Description: p.explain(`The leader must be among the --endpoints.`,
			`member list`, "the IDs",
			`move-leader 8e9e05c52164694d`, "make this member the leader"),
		Action: p.withArguments(1, "move-leader command needs 1 argument", func(ctx context.Context, cl *client.Client, args []string) error {
			target, err := strconv.ParseUint(args[0], 16, 64)
			if err != nil {
				return badArguments("%w", err)
			}
			leader, id, err := findLeader(ctx, cl)
			if err != nil {
				return err
			}
			if leader == nil {
				return badArguments("no leader endpoint given at %v", cl.Endpoints())
			}
			defer leader.Close()
			r, err := leader.Maintenance.MoveLeader(ctx, &pb.MoveLeaderRequest{TargetID: target})
			return p.printHeader(r, err, "Leadership transferred from %x to %x", id, target)
		}),
	}, answerFormats...)
}

// findLeader returns a client of the endpoint that is the leader, with the ID of the member; nil if none of the endpoints is. Callers must
// close it.
func findLeader(ctx context.Context, cl *client.Client) (*client.Client, uint64, error) {
	for _, endpoint := range cl.Endpoints() {
		at, err := cl.At(endpoint)
		if err != nil {
			return nil, 0, &failure{exitBadArguments, err}
		}
		status, err := at.Maintenance.Status(ctx, &pb.StatusRequest{})
		if err == nil && status.Header.GetMemberId() == status.Leader {
			return at, status.Leader, nil
		}
		at.Close()
		if errors.Is(err, rpctypes.ErrUserEmpty) || ctx.Err() != nil {
			return nil, 0, err
		}
	}
	return nil, 0, nil
}
