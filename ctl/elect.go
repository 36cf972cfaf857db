package ctl

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"
)

// electionsDirectory is where elections lie that have a name and no path. It is hidden.
const electionsDirectory = "/_elections"

const listenFlag = "listen"

func (p *program) electCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "elect", Usage: "take part in an election, or follow who leads", ArgsUsage: "<name> <value> [-- <command> [args...]]",
		Action: inFormats(p.elect, formatSimple),
		Flags: append(holdOptions(),
			&cli.BoolFlag{Name: listenFlag, Aliases: []string{"l"}, Usage: "print the leader's value now and whenever another leads, until CTRL+C", DisableDefaultText: true}),
		Description: `DESCRIPTION:
   Stands for election with a value, an address say, and waits. When elected, it prints the key and the fencing index on
   one line, or runs the command, and leads until that ends, or until CTRL+C or SIGTERM. The candidates are elected in the
   order in which they came. All else is as with lock: see help lock. Elections lie in /_elections, or at <name> if
   that begins with a slash.
   With --listen, it prints the value of whoever leads, one a line; an empty line when nobody does.

` + holdCodes + "\n" + p.examples(
			`elect scheduler http://10.0.0.1:8080 -- ./scheduler`, "a standby that takes over",
			`elect scheduler $(hostname)`, "lead by hand until CTRL+C",
			`elect --listen scheduler`, "follow who leads"),
	})
}

func (p *program) elect(c *cli.Context) error {
	name := c.Args().First()
	if name == "" {
		return badArguments("the election needs a name: elect NAME VALUE [-- COMMAND], or elect --listen NAME")
	}
	queue := queueOf(electionsDirectory, name)
	if c.Bool(listenFlag) {
		if c.NArg() > 1 {
			return badArguments("elect --listen takes a name alone: with a value it would not stand for election")
		}
		if c.IsSet(ttlFlag) || c.IsSet(waitFlag) {
			return badArguments("--ttl and --wait are for candidates: elect --listen takes neither")
		}
		return p.listen(c, queue)
	}
	if c.NArg() < 2 {
		return badArguments("a candidate needs a value: elect NAME VALUE [-- COMMAND]")
	}
	return p.hold(c, &holding{queue: queue, value: c.Args().Get(1), command: commandOf(c.Args().Slice()[2:])})
}

// listen prints who leads until the user ends it. Changes of candidates that don't lead print nothing.
func (p *program) listen(c *cli.Context, queue string) error {
	cl, err := p.connect(c)
	if err != nil {
		return err
	}
	told := ""
	first := true
	for {
		leader, index, err := p.leaderOf(c, cl, queue)
		if c.Context.Err() != nil {
			return nil
		}
		if err != nil {
			return serverFailure(err)
		}
		if first || leader.Key != told {
			if _, err := fmt.Fprintln(p.stdout, leader.Value); err != nil {
				return err
			}
		}
		first, told = false, leader.Key
		w := &watcher{client: cl, key: queue, recursive: true, next: index + 1, began: true, notes: p.stderr}
		_, err = w.wait(c.Context)
		if c.Context.Err() != nil {
			return nil
		}
		if err != nil && !hasCode(err, codeHistoryCleared) {
			return serverFailure(err)
		}
	}
}

// leaderOf returns the oldest key of a queue, an empty one if there is none, and the index at which that was so. It tries
// again while no member answers.
func (p *program) leaderOf(c *cli.Context, cl *client, queue string) (*node, uint64, error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		e, err := cl.read(c.Context, queue, readOptions{quorum: true})
		if refusal, refused := errors.AsType[*apiError](err); refused && refusal.Code == codeKeyNotFound {
			return &node{}, refusal.Index, nil
		}
		if err == nil {
			return oldest(e.Node.Nodes), e.index, nil
		}
		if _, silent := errors.AsType[*clusterError](err); !silent {
			return nil, 0, err
		}
		if pause == firstPause {
			fmt.Fprintf(p.stderr, "can't read %s, trying again (%s)\n", queue, oneLine(err))
		}
		select {
		case <-c.Context.Done():
			return nil, 0, c.Context.Err()
		case <-time.After(pause):
		}
	}
}

func oldest(nodes []*node) *node {
	first := &node{}
	for _, n := range nodes {
		if !n.Dir && (first.CreatedIndex == 0 || n.CreatedIndex < first.CreatedIndex) {
			first = n
		}
	}
	return first
}
