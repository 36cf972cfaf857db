package v3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"pando/ctl/v3/client"
)

// watchOptions are the flags of watch, which is also a line of watch -i.
type watchOptions struct {
	revision                       int64
	prefix, prevKV, progressNotify bool
}

func (o *watchOptions) flags() []cli.Flag {
	return []cli.Flag{
		boolFlag(&o.prefix, "prefix", "all keys that begin with <key>"),
		&cli.Int64Flag{Name: "rev", Destination: &o.revision, Usage: "begin with the changes of this revision", DefaultText: "the next change"},
		boolFlag(&o.prevKV, "prev-kv", "print the key and the value before each change, too"),
		boolFlag(&o.progressNotify, "progress-notify", "ask the server to say now and then up to which revision all changes were sent"),
	}
}

func (p *program) watchCommand() *cli.Command {
	o, interactive := &watchOptions{}, false
	return p.command(&cli.Command{
		Name: "watch", Usage: "print the changes of a key, or run a command for each",
		ArgsUsage: "<key> [<end of the range>] [-- <command> [args...]]",
		Flags:     append(o.flags(), boolFlag(&interactive, "interactive", "read watches from stdin, one on each line", "i")),
		Description: `DESCRIPTION:
   For each change it prints PUT or DELETE, the key and the value, each on a line, until CTRL+C. After a lost connection it continues
   with the change after the last one. ETCDCTL_WATCH_KEY and ETCDCTL_WATCH_RANGE_END have the key and the end if no argument has.

   A command runs once for each change, one at a time, with ETCD_WATCH_REVISION, ETCD_WATCH_EVENT_TYPE, ETCD_WATCH_KEY and
   ETCD_WATCH_VALUE in its environment; key and value are in quotes. If it fails, watch ends with exit code 1.

   With --interactive, each line is watch with its options and arguments, or progress, which asks up to which revision all changes
   have been printed.

` + p.examples(
			`watch --prefix app/`, "all changes of keys that begin with app/",
			`watch message --rev 1200 --prev-kv`, "what changed since revision 1200, with the values before",
			`watch config -- ./reload`, "run a command for each change"),
		Action: p.waiting(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
			if interactive {
				return p.watchInteractive(ctx, cl)
			}
			w := p.newWatching(ctx, cl)
			args, command := splitCommand(c.Args().Slice())
			err := w.add(o, args, command)
			for err == nil {
				err = w.next()
			}
			if errors.Is(err, errCanceled) {
				return fail(exitInterrupted, "watch is canceled by the server")
			}
			return err
		}),
	}, answerFormats[:2]...)
}

// splitCommand splits arguments at the first "--".
func splitCommand(args []string) (before, command []string) {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i], args[i+1:]
	}
	return args, nil
}

// watching is the watches of one run.
type watching struct {
	program *program
	watcher *client.Watcher

	mu       sync.Mutex
	commands map[int][]string // that run for each change, by the number of the watch
}

func (p *program) newWatching(ctx context.Context, cl *client.Client) *watching {
	return &watching{program: p, watcher: cl.NewWatcher(ctx), commands: map[int][]string{}}
}

// errCanceled is the error of a watch that the server has canceled. What was wrong has been printed.
var errCanceled = errors.New("the server has canceled the watch")

// add adds the watch of the arguments.
func (w *watching) add(o *watchOptions, args, command []string) error {
	args, err := w.program.watchArguments(args)
	if err != nil {
		return err
	}
	request := &pb.WatchCreateRequest{StartRevision: o.revision, PrevKv: o.prevKV, ProgressNotify: o.progressNotify}
	request.Key, request.RangeEnd = keyFlags{prefix: o.prefix}.keyRange(args)
	w.mu.Lock()
	defer w.mu.Unlock()
	number, err := w.watcher.Add(request)
	if err != nil {
		return w.canceled(err.Error())
	}
	w.commands[number] = command
	return nil
}

// watchArguments returns the key and the end: from the arguments, or from the variables.
func (p *program) watchArguments(args []string) ([]string, error) {
	key, hasKey := p.variable("ETCDCTL_WATCH_KEY")
	end, hasEnd := p.variable("ETCDCTL_WATCH_RANGE_END")
	switch {
	case hasKey && len(args) > 0:
		return nil, badArguments("bad number of arguments (found conflicting environment key)")
	case hasEnd && len(args) > 1:
		return nil, badArguments("bad number of arguments (found conflicting environment range end)")
	case hasKey && hasEnd:
		return []string{key, end}, nil
	case hasKey:
		return []string{key}, nil
	case len(args) == 0 || len(args) > 2:
		return nil, badArguments("bad number of arguments")
	case hasEnd && len(args) == 1:
		return append(args, end), nil
	}
	return args, nil
}

// canceled prints why the server has canceled a watch.
func (w *watching) canceled(reason string) error {
	fmt.Fprintf(w.program.stderr, "watch was canceled (%s)\n", reason)
	return errCanceled
}

// next prints the next response, and runs the command of its watch. errCanceled is the end of one watch.
func (w *watching) next() error {
	response, err := w.watcher.Next()
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case err != nil:
		return w.canceled(err.Error())
	case response.Canceled:
		return w.canceled(cancelReason(response.WatchResponse))
	case len(response.Events) == 0:
		_, err := fmt.Fprintf(w.program.stdout, "progress notify: %d\n", response.Header.GetRevision())
		return err
	}
	if err := w.program.print(watchAnswer(response.WatchResponse)); err != nil {
		return err
	}
	w.mu.Lock()
	command := w.commands[response.Watch]
	w.mu.Unlock()
	return w.program.runForEvents(response.WatchResponse, command)
}

// cancelReason returns why the server has canceled a watch.
func cancelReason(response *pb.WatchResponse) string {
	switch {
	case response.CompactRevision != 0:
		return rpctypes.ErrCompacted.Error()
	case response.CancelReason != "":
		return response.CancelReason
	}
	return rpctypes.ErrFutureRev.Error()
}

// watchAnswer is the answer of changes.
func watchAnswer(response *pb.WatchResponse) answer {
	return answer{
		message: response,
		json: struct {
			Header          *pb.ResponseHeader
			Events          []*mvccpb.Event
			CompactRevision int64
			Canceled        bool
			Created         bool
			CancelReason    string
		}{response.Header, response.Events, response.CompactRevision, response.Canceled, response.Created, response.CancelReason},
		simple: func(t *text) {
			for _, event := range response.Events {
				t.linef("%s", event.Type)
				if event.PrevKv != nil {
					t.pair(event.PrevKv)
				}
				t.pair(event.Kv)
			}
		},
		fields: func(t *text) {
			t.header(response.Header)
			for _, event := range response.Events {
				t.field("Type", event.Type)
				if event.PrevKv != nil {
					t.keyValue("Prev", event.PrevKv)
				}
				t.keyValue("", event.Kv)
			}
		},
	}
}
