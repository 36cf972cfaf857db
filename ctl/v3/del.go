package v3

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/ctl/v3/client"
)

// rangeWarning is how long del waits before it deletes a range without --range.
const rangeWarning = 2 * time.Second

// delOptions are the flags of del, which is also an operation of txn.
type delOptions struct {
	keys            keyFlags
	prevKV, isRange bool
}

func (o *delOptions) flags() []cli.Flag {
	return append(o.keys.flags(),
		boolFlag(&o.isRange, "range", "delete a range without the pause of two seconds"),
		boolFlag(&o.prevKV, "prev-kv", "print the keys and values that were deleted, too"),
	)
}

func (p *program) delCommand() *cli.Command {
	o := &delOptions{}
	return p.command(&cli.Command{
		Name: "del", Usage: "delete a key or a range of keys", ArgsUsage: "<key> [<end of the range>]",
		Flags: o.flags(),
		Description: `DESCRIPTION:
   With an end, it deletes the keys from <key> on that are before the end, in byte order. Without --range, it says so and waits for
   two seconds first, in which CTRL+C stops it: the second argument may have been meant as another key. It prints the number of keys.

` + p.examples(
			`del message`, "delete a key",
			`del --prefix session/ --prev-kv`, "delete all keys that begin with session/, and print them",
			`del a b --range`, "delete all keys from a on, before b"),
		Action: func(c *cli.Context) error {
			request, err := o.request(c.Args().Slice())
			if err != nil {
				return err
			}
			if c.NArg() > 1 && !o.isRange {
				if err := p.warnOfRange(c.Context, c.Args().Get(0), c.Args().Get(1)); err != nil {
					return err
				}
			}
			return p.calling(func(ctx context.Context, cl *client.Client, _ *cli.Context) error {
				response, err := cl.KV.DeleteRange(ctx, request)
				if err != nil {
					return err
				}
				return p.print(answer{
					message: response,
					simple:  func(t *text) { t.deleted(response) },
					fields:  func(t *text) { t.deletedFields(response) },
				})
			})(c)
		},
	}, answerFormats...)
}

// warnOfRange prints what del is going to delete, and waits.
func (p *program) warnOfRange(ctx context.Context, key, end string) error {
	_, err := fmt.Fprintf(p.stdout, "Warning: Keys between %q and %q will be deleted. Please interrupt the command within next 2 seconds "+
		"to cancel. You can provide `--range` flag to avoid the delay.\n", key, end)
	if err != nil {
		return err
	}
	select {
	case <-time.After(rangeWarning):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// request returns the request for the arguments.
func (o *delOptions) request(args []string) (*pb.DeleteRangeRequest, error) {
	if err := o.keys.check("del", args); err != nil {
		return nil, err
	}
	request := &pb.DeleteRangeRequest{PrevKv: o.prevKV}
	request.Key, request.RangeEnd = o.keys.keyRange(args)
	return request, nil
}

// deleted appends the simple form of the answer to del.
func (t *text) deleted(response *pb.DeleteRangeResponse) {
	t.linef("%d", response.Deleted)
	for _, kv := range response.PrevKvs {
		t.pair(kv)
	}
}

func (t *text) deletedFields(response *pb.DeleteRangeResponse) {
	t.header(response.Header)
	t.field("Deleted", response.Deleted)
	for _, kv := range response.PrevKvs {
		t.keyValue("Prev", kv)
	}
}
