package ctl

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

// watchOptions are the options of watch and exec-watch.
type watchOptions struct {
	forever, recursive bool
	afterIndex         int
}

func (o *watchOptions) flags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "after-index", Destination: &o.afterIndex,
			Usage: "changes after this index, as far as the history of the server goes back"},
		boolFlag(&o.recursive, "changes of everything below the key too", "recursive", "r"),
	}
}

func (o *watchOptions) watch(p *program, cl *client.Client, key string) *client.Watcher {
	w := client.WatchOptions{Recursive: o.recursive, Reread: o.forever, Notes: p.stderr}
	if o.afterIndex != 0 {
		w.Index = uint64(o.afterIndex) + 1
	}
	return cl.Watch(key, w)
}

func (p *program) watchCommand() *cli.Command {
	o := &watchOptions{}
	return p.command(&cli.Command{
		Name: "watch", Usage: "watch a key for changes", ArgsUsage: "<key>",
		Flags: append([]cli.Flag{boolFlag(&o.forever, "continue after the first change, until CTRL+C", "forever", "f")}, o.flags()...),
		Description: p.examples(
			`watch /message`, "wait for the next change and print the value",
			`watch --recursive --forever /`, "print every change of every key",
			`watch --after-index 1047 /message`, "also changes that happened since index 1047"),
		Action: p.waiting(func(ctx context.Context, cl *client.Client, args []string) error {
			key, err := keyArgument(args)
			if err != nil {
				return err
			}
			return p.watch(ctx, o, o.watch(p, cl, key))
		}),
	})
}

// watch prints the first change, or with --forever all changes until ctx is done.
func (p *program) watch(ctx context.Context, o *watchOptions, w *client.Watcher) error {
	for {
		e, err := w.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return serverFailure(err)
		}
		if e.Node.Dir {
			continue
		}
		if o.recursive {
			if _, err := fmt.Fprintf(p.stdout, "[%s] %s\n", e.Action, e.Node.Key); err != nil {
				return err
			}
		}
		if err := p.printEvent(e); err != nil {
			return err
		}
		if !o.forever {
			return nil
		}
	}
}
