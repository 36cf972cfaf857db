package v3

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"pando/ctl/v3/client"
)

// getOptions are the flags of get, which is also an operation of txn.
type getOptions struct {
	consistency, order, sortBy string
	limit, revision            int64
	minCreate, maxCreate       int64
	minMod, maxMod             int64
	keys                       keyFlags
	keysOnly, count            bool
	valueOnly, stream          bool
}

func (o *getOptions) flags() []cli.Flag {
	number := func(to *int64, name, usage string) cli.Flag {
		return &cli.Int64Flag{Name: name, Destination: to, Usage: usage, DefaultText: "none"}
	}
	return append(o.keys.flags(),
		number(&o.limit, "limit", "print at most so many keys"),
		number(&o.revision, "rev", "read the keys as of this revision"),
		&cli.StringFlag{Name: "sort-by", Destination: &o.sortBy, Usage: "sort by CREATE, KEY, MODIFY, VALUE or VERSION"},
		&cli.StringFlag{Name: "order", Destination: &o.order, Usage: "sort in this order: ASCEND or DESCEND"},
		boolFlag(&o.keysOnly, "keys-only", "print the keys without their values"),
		boolFlag(&o.count, "count-only", "print the number of keys; with -w fields"),
		boolFlag(&o.valueOnly, "print-value-only", "print the values without their keys"),
		&cli.StringFlag{Name: "consistency", Destination: &o.consistency, Value: "l",
			Usage: "l: the newest state of the cluster; s: the state of one member, which may be older"},
		number(&o.minCreate, "min-create-rev", "only keys that were created at this revision or later"),
		number(&o.maxCreate, "max-create-rev", "only keys that were created at this revision or before"),
		number(&o.minMod, "min-mod-rev", "only keys that were changed last at this revision or later"),
		number(&o.maxMod, "max-mod-rev", "only keys that were changed last at this revision or before"),
		boolFlag(&o.stream, "stream", "receive many keys in parts; needs a server that has the call RangeStream"),
	)
}

func (p *program) getCommand() *cli.Command {
	o := &getOptions{}
	return p.command(&cli.Command{
		Name: "get", Usage: "read a key or a range of keys", ArgsUsage: "<key> [<end of the range>]",
		Flags: o.flags(),
		Description: `DESCRIPTION:
   With an end, it reads the keys from <key> on that are before the end, in byte order. It prints a line with the key and a line
   with the value, and nothing for a key that does not exist.

` + p.examples(
			`get message --print-value-only`, "a value alone",
			`get --prefix app/ --keys-only`, "the names of all keys that begin with app/",
			`get --prefix "" --limit 10 --sort-by MODIFY --order DESCEND`, "the ten keys that were changed last",
			`get message --rev 42 -w json`, "the key as it was at revision 42, with its revisions and its lease",
			`get --prefix app/ --count-only -w fields`, "how many keys there are"),
		Action: p.calling(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
			request, err := o.request(c.Args().Slice())
			if err != nil {
				return err
			}
			if err := o.checkOutput(p.globals.output); err != nil {
				return err
			}
			response, err := o.read(ctx, cl, request)
			if err != nil {
				return err
			}
			a := rangeAnswer(response)
			if o.valueOnly {
				a.simple = func(t *text) { t.values(response) }
			}
			return p.print(a)
		}),
	}, append(answerFormats, formatTable)...)
}

// checkOutput returns an error for a --write-out that the flags exclude.
func (o *getOptions) checkOutput(format string) error {
	switch {
	case o.count && format != formatFields:
		return badArguments("--count-only is only for `--write-out=fields`")
	case o.valueOnly && format != formatSimple:
		return badArguments("print-value-only is only for `--write-out=simple`")
	case format == formatTable:
		return fail(exitBadFeature, "table not supported as output format")
	}
	return nil
}

// request returns the request for the arguments.
func (o *getOptions) request(args []string) (*pb.RangeRequest, error) {
	if err := o.keys.check("get", args); err != nil {
		return nil, err
	}
	if o.keysOnly && o.count {
		return nil, badArguments("`--keys-only` and `--count-only` cannot be set at the same time, choose one")
	}
	request := &pb.RangeRequest{
		Limit: o.limit, Revision: o.revision, KeysOnly: o.keysOnly, CountOnly: o.count,
		MinCreateRevision: o.minCreate, MaxCreateRevision: o.maxCreate, MinModRevision: o.minMod, MaxModRevision: o.maxMod,
	}
	request.Key, request.RangeEnd = o.keys.keyRange(args)
	switch cmp.Or(o.consistency, "l") {
	case "l":
	case "s":
		request.Serializable = true
	default:
		return nil, fail(exitBadFeature, "unknown consistency flag %q", o.consistency)
	}
	return request, o.sort(request)
}

// sort sets the order of a request.
func (o *getOptions) sort(request *pb.RangeRequest) error {
	switch strings.ToUpper(o.order) {
	case "":
	case "ASCEND":
		request.SortOrder = pb.RangeRequest_ASCEND
	case "DESCEND":
		request.SortOrder = pb.RangeRequest_DESCEND
	default:
		return fail(exitBadFeature, "bad sort order %v", o.order)
	}
	switch strings.ToUpper(o.sortBy) {
	case "", "KEY":
	case "CREATE":
		request.SortTarget = pb.RangeRequest_CREATE
	case "MODIFY":
		request.SortTarget = pb.RangeRequest_MOD
	case "VALUE":
		request.SortTarget = pb.RangeRequest_VALUE
	case "VERSION":
		request.SortTarget = pb.RangeRequest_VERSION
	default:
		return fail(exitBadFeature, "bad sort target %v", o.sortBy)
	}
	if request.SortTarget == pb.RangeRequest_KEY && request.SortOrder == pb.RangeRequest_ASCEND {
		request.SortOrder = pb.RangeRequest_NONE // that is the order of the server; sorting would make it read all keys first
	} else if request.SortTarget != pb.RangeRequest_KEY && request.SortOrder == pb.RangeRequest_NONE {
		request.SortOrder = pb.RangeRequest_ASCEND
	}
	return nil
}

// read sends the request, and merges the parts of the answer with --stream.
func (o *getOptions) read(ctx context.Context, cl *client.Client, request *pb.RangeRequest) (*pb.RangeResponse, error) {
	if !o.stream {
		return cl.KV.Range(ctx, request)
	}
	stream, err := cl.KV.RangeStream(ctx, request)
	if err != nil {
		return nil, err
	}
	merged := &pb.RangeResponse{}
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return merged, nil
		}
		if err != nil {
			return nil, client.Error(ctx, err)
		}
		proto.Merge(merged, part.RangeResponse)
	}
}

// rangeAnswer is the answer to get.
func rangeAnswer(response *pb.RangeResponse) answer {
	return answer{
		message: response,
		simple:  func(t *text) { t.keys(response) },
		fields:  func(t *text) { t.keysFields(response) },
	}
}

// keys appends the simple form of the answer to get.
func (t *text) keys(response *pb.RangeResponse) {
	for _, kv := range response.Kvs {
		t.pair(kv)
	}
}

// values appends the simple form of the answer to get with --print-value-only.
func (t *text) values(response *pb.RangeResponse) {
	for _, kv := range response.Kvs {
		t.bytesLine(kv.Value)
	}
}

func (t *text) keysFields(response *pb.RangeResponse) {
	t.header(response.Header)
	for _, kv := range response.Kvs {
		t.keyValue("", kv)
	}
	t.field("More", response.More)
	t.field("Count", response.Count)
}
