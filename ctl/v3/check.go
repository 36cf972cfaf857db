package v3

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/ctl/v3/client"
)

// checkOptions are the flags of the commands of check.
type checkOptions struct {
	load, prefix            string
	autoCompact, autoDefrag bool
}

func (o *checkOptions) flags(prefix string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "load", Destination: &o.load, Value: "s", Usage: "the workload: s, m, l or xl"},
		&cli.StringFlag{Name: "prefix", Destination: &o.prefix, Value: prefix, Usage: "the keys that it writes begin with this"},
		boolFlag(&o.autoCompact, "auto-compact", "remove the history up to the last revision afterwards"),
		boolFlag(&o.autoDefrag, "auto-defrag", "defragment the endpoints afterwards"),
	}
}

// workload is what a check does.
type workload struct {
	clients  int
	rate     int           // of perf: writes in a second
	duration time.Duration // of perf
	keys     int           // of datascale
}

// workloads are the values of --load, with their longer names.
var workloads = map[string]workload{
	"s": {50, 150, time.Minute, 10_000}, "m": {200, 1000, time.Minute, 100_000},
	"l": {500, 8000, time.Minute, 1_000_000}, "xl": {1000, 15_000, time.Minute, 3_000_000},
}

// workload returns the workload of --load.
func (o *checkOptions) workload() (workload, error) {
	name := strings.ToLower(o.load)
	if short, ok := map[string]string{"small": "s", "medium": "m", "large": "l", "xlarge": "xl"}[name]; ok {
		name = short
	}
	w, known := workloads[name]
	if !known {
		return w, fail(exitBadFeature, "unknown load option %v", o.load)
	}
	return w, nil
}

func (p *program) checkCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "check", Usage: "check a cluster under load: perf, datascale",
		Subcommands: []*cli.Command{p.checkPerfCommand(), p.checkDataScaleCommand()},
		Description: p.explain("Both write keys, and delete them afterwards. The history keeps them until it is compacted.",
			`check perf`, "a minute of small writes",
			`check datascale --load m --auto-compact --auto-defrag`, "how much memory 100,000 keys take"),
	})
}

// checking returns the action of a check: it connects, and runs the check with its workload.
func (p *program) checking(o *checkOptions, run func(ctx context.Context, cl *client.Client, w workload) error) cli.ActionFunc {
	return p.waiting(func(ctx context.Context, cl *client.Client, _ *cli.Context) error {
		w, err := o.workload()
		if err == nil {
			err = o.prepare(ctx, cl)
		}
		if err != nil {
			return err
		}
		return run(ctx, cl, w)
	})
}

// prepare returns an error if there are keys with the prefix already: the check would delete them.
func (o *checkOptions) prepare(ctx context.Context, cl *client.Client) error {
	request := &pb.RangeRequest{Limit: 1}
	request.Key, request.RangeEnd = prefixRange(o.prefix)
	r, err := cl.KV.Range(ctx, request)
	if err != nil {
		return err
	}
	if len(r.Kvs) > 0 {
		return fail(exitInvalidInput, "prefix %q has keys. Delete with etcdctl del --prefix %s first", o.prefix, o.prefix)
	}
	return nil
}

// cleanUp deletes the keys, and compacts and defragments if that was asked for.
func (p *program) cleanUp(ctx context.Context, cl *client.Client, o *checkOptions) error {
	request := &pb.DeleteRangeRequest{}
	request.Key, request.RangeEnd = prefixRange(o.prefix)
	r, err := cl.KV.DeleteRange(ctx, request)
	if err != nil {
		return err
	}
	if o.autoCompact {
		revision := r.Header.GetRevision()
		fmt.Fprintf(p.stdout, "Compacting with revision %d\n", revision)
		if _, err := cl.KV.Compact(ctx, &pb.CompactionRequest{Revision: revision, Physical: true}); err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "Compacted with revision %d\n", revision)
	}
	if !o.autoDefrag {
		return nil
	}
	for _, endpoint := range cl.Endpoints() {
		fmt.Fprintf(p.stdout, "Defragmenting %q\n", endpoint)
		at, err := cl.At(endpoint)
		if err != nil {
			return err
		}
		_, err = at.Maintenance.Defragment(ctx, &pb.DefragmentRequest{})
		at.Close()
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "Defragmented %q\n", endpoint)
	}
	return nil
}

// The limits of check perf.
const (
	perfShare   = 0.9 // of the rate
	perfSlowest = 500 * time.Millisecond
	perfStddev  = 100 * time.Millisecond
)

func (p *program) checkPerfCommand() *cli.Command {
	o := &checkOptions{}
	return p.command(&cli.Command{
		Name: "perf", Usage: "check whether the cluster is fast enough for a workload", ArgsUsage: " ",
		Flags: o.flags("/etcdctl-check-perf/"),
		Description: p.explain(`For a minute, clients write keys of 256 bytes with values of 1 KiB: 150 in a second by 50 clients (s), 1000 by
			200 (m), 8000 by 500 (l) or 15,000 by 1000 (xl). The check fails, with exit code 1, below nine tenths of that rate, if a
			write takes longer than half a second, or if the standard deviation of the times is more than 0.1 s.`),
		Action: p.checking(o, func(ctx context.Context, cl *client.Client, w workload) error {
			l := &load{client: cl, prefix: o.prefix, clients: w.clients, rate: w.rate, duration: w.duration}
			result := l.run(ctx, p.stderr, w.rate*int(w.duration/time.Second))
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := p.cleanUp(ctx, cl, o); err != nil {
				return err
			}
			return p.judge(w, result)
		}),
	})
}

// judge prints whether a load was carried fast enough.
func (p *program) judge(w workload, r loadResult) error {
	passed := true
	verdict := func(good bool, pass, failure string, value any) {
		passed = passed && good
		if good {
			failure = pass
		}
		fmt.Fprintf(p.stdout, failure+"\n", value)
	}
	for text, n := range r.errors {
		passed = false
		fmt.Fprintf(p.stdout, "FAIL: too many errors\nFAIL: ERROR(%v) -> %d\n", text, n)
	}
	// Two of the texts have no FAIL in etcdctl, either.
	rate := float64(r.done) / r.took.Seconds()
	verdict(rate > perfShare*float64(w.rate), "PASS: Throughput is %d writes/s", "FAIL: Throughput too low: %d writes/s", int(rate)+1)
	verdict(r.slowest <= perfSlowest, "PASS: Slowest request took %fs", "Slowest request took too long: %fs", r.slowest.Seconds())
	verdict(r.stddev <= perfStddev, "PASS: Stddev is %fs", "Stddev too high: %fs", r.stddev.Seconds())
	if !passed {
		fmt.Fprintln(p.stdout, "FAIL")
		return silent(exitError)
	}
	_, err := fmt.Fprintln(p.stdout, "PASS")
	return err
}

func (p *program) checkDataScaleCommand() *cli.Command {
	o := &checkOptions{}
	return p.command(&cli.Command{
		Name: "datascale", Usage: "check how much memory a member needs for many keys", ArgsUsage: " ",
		Flags: o.flags("/etcdctl-check-datascale/"),
		Description: p.explain(`It writes 10,000 (s), 100,000 (m), a million (l) or three million (xl) keys with values of 1 KiB, and prints how
			much more memory the process at the first endpoint has afterwards, as its metrics say.`),
		Action: p.checking(o, func(ctx context.Context, cl *client.Client, w workload) error {
			before, err := p.processMemory(ctx, cl)
			if err != nil {
				return fmt.Errorf("the memory of the server is unknown: %w", err)
			}
			fmt.Fprintf(p.stdout, "Start data scale check for work load [%d key-value pairs, %d bytes per key-value, %d concurrent clients].\n",
				w.keys, loadValueSize, w.clients)
			l := &load{client: cl, prefix: o.prefix, clients: w.clients, total: w.keys}
			result := l.run(ctx, p.stderr, w.keys)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			after, err := p.processMemory(ctx, cl)
			if err != nil {
				return fmt.Errorf("the memory of the server is unknown: %w", err)
			}
			if err := p.cleanUp(ctx, cl, o); err != nil {
				return err
			}
			if len(result.errors) > 0 {
				fmt.Fprintln(p.stdout, "FAIL: too many errors")
				for text, n := range result.errors {
					fmt.Fprintf(p.stdout, "FAIL: ERROR(%v) -> %d\n", text, n)
				}
				return silent(exitError)
			}
			_, err = fmt.Fprintf(p.stdout, "PASS: Approximate system memory used : %.2f MB.\n", float64(after-before)/(1<<20))
			return err
		}),
	})
}
