package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
	"pando/ctl/terminal"
	"pando/ctl/top"
)

// resizeInterval is the time between two looks at the size of the terminal.
const resizeInterval = 200 * time.Millisecond

// topOptions are the options of top.
type topOptions struct {
	interval time.Duration
	once     bool
	depth    int
}

func (p *program) topCommand() *cli.Command {
	o := &topOptions{}
	return p.command(&cli.Command{
		Name: "top", Usage: "show members, rates and the subtrees that change most, live", ArgsUsage: "[key]",
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "interval", Aliases: []string{"i"}, Destination: &o.interval, Value: 2 * time.Second,
				Usage: "time between two looks at the members"},
			boolFlag(&o.once, "print one report, of the first interval, and end", "once", "1"),
			&cli.IntFlag{Name: "depth", Aliases: []string{"L"}, Destination: &o.depth, Value: 2, Usage: "levels of the keys of subtrees"},
			p.outputOption(),
		},
		Description: `DESCRIPTION:
   Asks all members every two seconds, and draws a screen: q or CTRL+C ends it. READS/S and WRITES/S count the requests to
   each member, with the time in which 99 of 100 were answered; LAG is the number of log entries that a member is behind;
   NODES and SIZE are keys and directories, and the bytes of their paths and values. A member that does not respond is
   "down". Below are the directories with the most events in the last ten seconds, from a stream of [key] or of all keys.
   Hidden keys have no events in a stream.
   etcd reports neither latencies nor sizes, and its WRITES/S are what a member has applied. So does a Pando with
   --metrics-on-client-urls=false. With auth enabled, the events and the indexes need the right to read [key] and /.
   With --once or -o json, nothing is drawn. With -o json alone, there is a line for each interval until CTRL+C.

` + p.examples(
			`top`, "the whole cluster",
			`top /services --depth 3`, "the busy directories of a part",
			`top --once`, "one report, for a mail or a log",
			`top -o json | jq .eventsPerSecond`, "for programs"),
		Action: p.inFormats(func(c *cli.Context) error {
			args := c.Args().Slice()
			switch {
			case len(args) > 1:
				return badArguments("top takes one key; it watches everything below it")
			case o.interval < 100*time.Millisecond:
				return badArguments("--interval is %s; it must be 100ms or more", o.interval)
			case o.depth < 1:
				return badArguments("--depth counts levels: 1 or more")
			case !o.once && p.globals.output == formatSimple && (!terminal.Is(p.stdin) || !terminal.Is(p.stdout)):
				return badArguments("top needs a terminal; --once prints one report, -o json a line for each interval")
			}
			cl, err := p.newClient(c.Context)
			if err != nil {
				return bareFailure(err)
			}
			return p.top(c.Context, cl, cleanKey(keysOrRoot(args)[0]), o)
		}, formatSimple, formatJSON),
	})
}

// top reports until the user ends it, or once.
func (p *program) top(ctx context.Context, cl *client.Client, key string, o *topOptions) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGHUP) // the terminal must be given back
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reports := make(chan *top.Report)
	go observe(ctx, cl, key, p.globals.noSync, o, reports)
	if o.once || p.globals.output == formatJSON {
		return p.printReports(ctx, key, o, reports)
	}
	screen, err := terminal.OpenScreen(p.stdin, p.stdout)
	if err != nil {
		return failWith(exitBadArguments, err)
	}
	err = p.drawReports(ctx, key, screen, reports)
	if closed := screen.Close(); err == nil {
		err = closed
	}
	return err
}

// observe sends a report for each interval until ctx ends. The first one has no rates, and is left out if nobody would draw it.
func observe(ctx context.Context, cl *client.Client, key string, fixed bool, o *topOptions, reports chan<- *top.Report) {
	heat := top.NewHeat(o.depth)
	go heat.Run(ctx, cl, key)
	const slowest = 3 * time.Second // for a member that is down
	sampler := top.NewSampler(cl, fixed, max(o.interval, slowest))
	tick := time.NewTicker(o.interval)
	defer tick.Stop()
	var before *top.Sample
	for ctx.Err() == nil {
		sample := sampler.Sample(ctx)
		report := top.NewReport(before, sample)
		report.AddHeat(heat)
		before = sample
		select {
		case reports <- report:
		case <-ctx.Done():
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// printReports prints the reports that have rates: one with --once, or one a line until ctx ends.
func (p *program) printReports(ctx context.Context, key string, o *topOptions, reports <-chan *top.Report) error {
	for first := true; ; first = false {
		var r *top.Report
		select {
		case r = <-reports:
		case <-ctx.Done():
			if o.once {
				return ctx.Err()
			}
			return nil
		}
		if first {
			continue
		}
		if p.globals.output == formatJSON {
			if err := json.NewEncoder(p.stdout).Encode(r); err != nil {
				return err
			}
		} else if _, err := fmt.Fprintln(p.stdout, strings.Join(r.Lines(key, terminal.Palette{}, 0, 0), "\n")); err != nil {
			return err
		}
		switch {
		case !o.once:
		case r.Up == 0:
			return serverFailure(fmt.Errorf("no member responds at %s", strings.Join(endpointsOf(r), ", ")))
		default:
			return nil
		}
	}
}

func endpointsOf(r *top.Report) []string {
	var all []string
	for _, m := range r.Members {
		all = append(all, m.Endpoint)
	}
	return all
}

// drawReports draws the last report again when it is replaced, and when the size of the screen changes. It returns when ctx ends, or after
// q or CTRL+C.
func (p *program) drawReports(ctx context.Context, key string, screen *terminal.Screen, reports <-chan *top.Report) error {
	const interrupt = 3 // CTRL+C
	colors := terminal.Colors(p.stdout)
	resized := time.NewTicker(resizeInterval)
	defer resized.Stop()
	var last *top.Report
	var width, height int
	draw := func() error {
		width, height = screen.Size()
		if last == nil {
			return screen.Draw([]string{"asking the members ..."})
		}
		return screen.Draw(last.Lines(key, colors, width, height))
	}
	if err := draw(); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case key, ok := <-screen.Keys():
			if !ok || key == 'q' || key == 'Q' || key == interrupt {
				return nil
			}
		case last = <-reports:
			if err := draw(); err != nil {
				return err
			}
		case <-resized.C:
			if w, h := screen.Size(); w != width || h != height {
				if err := draw(); err != nil {
					return err
				}
			}
		}
	}
}
