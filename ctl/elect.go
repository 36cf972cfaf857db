package ctl

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
	"pando/tree"
)

// electionsDirectory holds the elections that have a name and no path. It is hidden.
const electionsDirectory = "/_elections"

func (p *program) electCommand() *cli.Command {
	o := &queueOptions{}
	var listen bool
	return p.command(&cli.Command{
		Name: "elect", Usage: "be a candidate in an election, or print who leads", ArgsUsage: "<name> <value> [-- <command> [args...]]",
		Flags: append(o.flags(), boolFlag(&listen, "print the leader's value now and whenever another leads, until CTRL+C", "listen", "l")),
		Description: `DESCRIPTION:
   Becomes a candidate with a value, for example an address, and waits until it is elected. Then it prints the key and the
   fencing index on one line and leads until CTRL+C or SIGTERM, or it runs the command and leads until that ends.
   Candidates are elected in the order in which they came. The rest is as with lock: see help lock. Elections are in
   /_elections, or at <name> if that begins with a slash.
   With --listen, it prints the value of the leader on a line, and an empty line while there is no leader.

` + queueExitCodes + "\n" + p.examples(
			`elect scheduler http://10.0.0.1:8080 -- ./scheduler`, "a standby that takes over",
			`elect scheduler $(hostname)`, "lead by hand until CTRL+C",
			`elect --listen scheduler`, "print who leads"),
		Before: o.check,
		Action: p.inFormats(func(c *cli.Context) error {
			name := c.Args().First()
			if name == "" {
				return badArguments("the election needs a name: elect NAME VALUE [-- COMMAND], or elect --listen NAME")
			}
			queue := queueDirectory(electionsDirectory, name)
			switch {
			case listen && c.NArg() > 1:
				return badArguments("elect --listen takes a name alone: it is no candidate, and has no value")
			case listen && (c.IsSet("ttl") || c.IsSet("wait")):
				return badArguments("--ttl and --wait are for candidates: elect --listen takes neither")
			case listen:
				return p.waiting(func(ctx context.Context, cl *client.Client, _ []string) error { return p.listen(ctx, cl, queue) })(c)
			case c.NArg() < 2:
				return badArguments("a candidate needs a value: elect NAME VALUE [-- COMMAND]")
			}
			return p.runInQueue(c, &acquisition{options: o, queue: queue, value: c.Args().Get(1), command: withoutDashes(c.Args().Slice()[2:])})
		}, formatSimple),
	})
}

// listen prints the value of the leader, and again whenever another candidate leads, until ctx is done.
func (p *program) listen(ctx context.Context, cl *client.Client, queue string) error {
	printed, first := "", true
	for {
		leader, index, err := p.leaderOf(ctx, cl, queue)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return serverFailure(err)
		}
		if first || leader.Key != printed {
			if _, err := fmt.Fprintln(p.stdout, leader.Value); err != nil {
				return err
			}
		}
		first, printed = false, leader.Key
		w := cl.Watch(queue, client.WatchOptions{Recursive: true, Index: index + 1, Begun: true, Notes: p.stderr})
		_, err = w.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !client.HasCode(err, tree.CodeHistoryCleared) {
			return serverFailure(err)
		}
	}
}

// leaderOf returns the oldest key of a queue, an empty node if there is none, and the index of the store at that time. It
// tries again while no member answers.
func (p *program) leaderOf(ctx context.Context, cl *client.Client, queue string) (*client.Node, uint64, error) {
	backoff := client.Backoff{}
	for {
		e, err := cl.Get(ctx, queue, client.GetOptions{Quorum: true})
		if refusal, refused := errors.AsType[*client.APIError](err); refused && refusal.Code == tree.CodeKeyNotFound {
			return &client.Node{}, refusal.Index, nil
		}
		if err == nil {
			return oldest(e.Node.Nodes), e.Index, nil
		}
		if !client.IsUnavailable(err) {
			return nil, 0, err
		}
		if backoff.First() {
			fmt.Fprintf(p.stderr, "can't read %s, trying again (%s)\n", queue, client.OneLine(err))
		}
		if err := backoff.Wait(ctx); err != nil {
			return nil, 0, err
		}
	}
}

func oldest(nodes []*client.Node) *client.Node {
	first := &client.Node{}
	for _, n := range nodes {
		if !n.Dir && (first.CreatedIndex == 0 || n.CreatedIndex < first.CreatedIndex) {
			first = n
		}
	}
	return first
}
