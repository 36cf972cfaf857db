package v3

import (
	"context"
	"errors"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"pando/ctl/v3/client"
)

// untilSignal returns a context that also ends with SIGTERM and SIGHUP, so that the lease is revoked then. CTRL+C has ended ctx already.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGHUP)
}

func (p *program) electCommand() *cli.Command {
	listen := false
	return p.command(&cli.Command{
		Name: "elect", Usage: "take part in an election, or watch who leads", ArgsUsage: "<name> <proposal>",
		Flags: []cli.Flag{boolFlag(&listen, "listen", "print each leader, without taking part", "l")},
		Description: `DESCRIPTION:
   Waits until it leads, prints its key and its proposal, and leads until CTRL+C or SIGTERM. With --listen, it prints the proposal of
   each leader.

` + p.examples(
			`elect scheduler "$(hostname)"`, "lead as soon as nobody else does",
			`elect --listen scheduler`, "see who leads"),
		Action: p.waiting(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
			switch {
			case c.NArg() != 1 && c.NArg() != 2:
				return badArguments("elect takes one election name argument and an optional proposal argument")
			case listen && c.NArg() > 1:
				return badArguments("proposal given but -l is set")
			case !listen && c.NArg() == 1:
				return badArguments("no proposal argument but -l not set")
			}
			ctx, stop := untilSignal(ctx)
			defer stop()
			if listen {
				return p.printLeaders(ctx, cl, c.Args().First()+"/")
			}
			session, err := cl.NewSession(ctx, defaultSessionTTL)
			if err != nil {
				return err
			}
			err = p.lead(ctx, cl, session, c.Args().Get(0), c.Args().Get(1))
			return errors.Join(err, session.Close())
		}),
	}, answerFormats...)
}

// lead waits until it leads, prints that, and leads until a signal.
func (p *program) lead(ctx context.Context, cl *client.Client, session *client.Session, name, proposal string) error {
	q, err := session.Enqueue(ctx, name+"/", proposal)
	if err == nil {
		err = q.Await(ctx)
	}
	if ctx.Err() != nil {
		return fail(exitError, "context canceled")
	}
	if err != nil {
		return err
	}
	response, err := cl.KV.Range(ctx, &pb.RangeRequest{Key: []byte(q.Key)})
	if err != nil {
		return err
	}
	if err := p.print(rangeAnswer(response)); err != nil {
		return err
	}
	return awaitSignal(ctx, session, "elect: session expired")
}

// printLeaders prints the leader, and each new one, until ctx is done.
func (p *program) printLeaders(ctx context.Context, cl *client.Client, prefix string) error {
	shown := &mvccpb.KeyValue{}
	for {
		first, err := cl.KV.Range(ctx, &pb.RangeRequest{
			Key: []byte(prefix), RangeEnd: []byte(client.PrefixEnd(prefix)), Limit: 1,
			SortTarget: pb.RangeRequest_CREATE, SortOrder: pb.RangeRequest_ASCEND,
		})
		if err == nil && len(first.Kvs) > 0 && first.Kvs[0].ModRevision != shown.ModRevision {
			shown = first.Kvs[0]
			err = p.print(rangeAnswer(&pb.RangeResponse{Header: first.Header, Kvs: first.Kvs}))
		}
		if err == nil {
			err = cl.AwaitChange(ctx, prefix, first.Header.Revision+1)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
