package v3

import (
	"context"
	"strconv"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/ctl/v3/client"
)

// putOptions are the flags of put, which is also an operation of txn.
type putOptions struct {
	lease                            string
	prevKV, ignoreValue, ignoreLease bool
}

func (o *putOptions) flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "lease", Destination: &o.lease, Value: "0", Usage: "`ID` of a lease, in hexadecimal: the key ends with it"},
		boolFlag(&o.prevKV, "prev-kv", "print the key and the value before the change, too"),
		boolFlag(&o.ignoreValue, "ignore-value", "keep the value of the key, and change its lease"),
		boolFlag(&o.ignoreLease, "ignore-lease", "keep the lease of the key, and change its value"),
	}
}

func (p *program) putCommand() *cli.Command {
	o := &putOptions{}
	return p.command(&cli.Command{
		Name: "put", Usage: "write a key", ArgsUsage: "<key> <value>",
		Flags: o.flags(),
		Description: `DESCRIPTION:
   Without <value>, the value is read from stdin up to its end; a line break at the end is part of it. A value that begins with
   a dash follows a "--".

` + p.examples(
			`put message "Hello world"`, "write a key",
			`put config < app.yml`, "write a file",
			`put session/7 up --lease 694d8251ba5ab20c`, "a key that ends with its lease",
			`put temperature -- -5`, "a value that begins with a dash"),
		Action: p.calling(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
			args, err := p.valueFromInput(c.Context, o, c.Args().Slice())
			if err != nil {
				return err
			}
			request, err := o.request(args)
			if err != nil {
				return err
			}
			response, err := cl.KV.Put(ctx, request)
			if err != nil {
				return err
			}
			return p.print(answer{
				message: response,
				simple:  func(t *text) { t.put(response) },
				fields:  func(t *text) { t.putFields(response) },
			})
		}),
	}, answerFormats...)
}

// valueFromInput adds the value from stdin to the arguments of put, if it is missing and wanted.
func (p *program) valueFromInput(ctx context.Context, o *putOptions, args []string) ([]string, error) {
	if len(args) != 1 || o.ignoreValue {
		return args, nil
	}
	value, err := p.readInput(ctx, "the value")
	if err != nil || len(value) == 0 {
		return args, err
	}
	return append(args, string(value)), nil
}

// request returns the request for the arguments.
func (o *putOptions) request(args []string) (*pb.PutRequest, error) {
	lease, err := strconv.ParseInt(o.lease, 16, 64)
	if err != nil {
		return nil, badArguments("bad lease ID (%w), expecting ID in Hex", err)
	}
	request := &pb.PutRequest{Lease: lease, PrevKv: o.prevKV, IgnoreValue: o.ignoreValue, IgnoreLease: o.ignoreLease}
	switch {
	case o.ignoreValue && len(args) == 1:
		request.Key = []byte(args[0])
	case o.ignoreValue && len(args) > 1:
		return nil, badArguments("put command needs only 1 argument when 'ignore-value' is set")
	case len(args) != 2:
		return nil, badArguments("put command needs 1 argument and input from stdin or 2 arguments")
	default:
		request.Key, request.Value = []byte(args[0]), []byte(args[1])
	}
	return request, nil
}

// put appends the simple form of the answer to put.
func (t *text) put(response *pb.PutResponse) {
	t.linef("OK")
	if response.PrevKv != nil {
		t.pair(response.PrevKv)
	}
}

func (t *text) putFields(response *pb.PutResponse) {
	t.header(response.Header)
	if response.PrevKv != nil {
		t.keyValue("Prev", response.PrevKv)
	}
}
