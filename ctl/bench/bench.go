// Package bench is Pando's load generator: it puts a server that speaks the etcd v2 HTTP API under load and measures how
// many requests the server answers and how long each takes. It can also run the same load on two servers in alternation.
//
// Command is the only exported function; package ctl mounts the command as "pando ctl bench". Command may be called any number of
// times. Each command runs on the goroutine that runs the command line, and starts the goroutines that it needs.
//
// The generator shares the machine with what it measures, so its own cost is kept low, and is printed with every result.
// Requests are built once and only their keys change. Answers are read by a parser for the part of HTTP/1.1 that servers send.
// A client is one goroutine with one connection. A request allocates nothing, which a benchmark counts. Package client is used
// only for what happens once: URLs, certificates, and the search for the leader.
//
// Invariants:
//   - Only a request that succeeded has a latency. Everything else is an error; the first answer of each kind of error is
//     printed.
//   - A latency ends when the whole answer has been read. It begins when the request is sent or, with a rate, when the request
//     was due.
//   - The same flags make the same requests, in the same order for each client.
//
// The files:
//   - bench.go, flags.go, options.go: the commands, their flags, and the options that the flags are bound to
//   - scenario.go, compare.go: one run of a load with its exit code, and runs on two servers in alternation
//   - load.go, pace.go: the clients of a load, and when each makes its next request
//   - workload.go, lock.go: what the requests are; request.go builds them
//   - watch.go, watcher.go: the load of watchers and writers
//   - target.go, conn.go, response.go: a server, a connection to it, and its answers
//   - record.go, result.go, report.go: latencies as they are counted, summarized and printed
//   - observe.go: the progress bar and the timeline during a run
package bench

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

const benchHelp = `Puts a server that speaks the etcd v2 API under load, and prints throughput, latency percentiles,
a histogram and the errors. The keys are in /bench (see --prefix) and stay there afterwards.

CTRL+C ends a run early and prints what was measured until then. The exit code is 1 when a request failed.

Examples:
  bench put --conns 64 --total 100000 --val-size 256
  bench get --quorum --conns 64 --duration 10s
  bench watch --watchers 1000 --total 200
  bench put --conns 64 --compare http://127.0.0.1:23790
  bench put --rate 5000 --duration 5m --timeline seconds.csv`

// Command returns "bench" with its subcommands put, get, list, watch, mixed and lock. Its actions print results to
// App.Writer, progress bars to App.ErrWriter if that is a terminal, and return an error if the load could
// not be made, or if requests failed. After SIGINT they return a cli.ExitCoder with code 130.
func Command() *cli.Command {
	return &cli.Command{
		Name:        "bench",
		Usage:       "put a server under load and measure it",
		Description: benchHelp,
		Subcommands: []*cli.Command{putCommand(), getCommand(), listCommand(), watchCommand(), mixedCommand(), lockCommand()},
	}
}

func putCommand() *cli.Command {
	o := newOptions()
	return &cli.Command{
		Name:  "put",
		Usage: "write values to keys",
		Description: `Each request is PUT /v2/keys/bench/KEY with a value; 200 and 201 are success.

Examples:
  bench put --conns 64 --total 100000 --val-size 256
  bench put --sequential-keys --key-space-size 500000 --total 500000 --conns 64 --val-size 100
      loads 500,000 keys, each once
  bench put --conns 64 --total 100000 --compare http://127.0.0.1:23790 --rounds 5
  bench put --rate 5000 --conns 64 --duration 5m --timeline seconds.csv
      shows the effect of a checkpoint on latency`,
		Flags:  o.flags(10000, append(o.keyFlags(defaultKeySpace, "number of different keys"), o.choiceFlags()...)...),
		Action: o.requestAction("put", func() (workload, error) { return o.puts(), nil }),
	}
}

func getCommand() *cli.Command {
	o := newOptions()
	own := append(o.keyFlags(defaultKeySpace, "number of different keys"), o.quorumFlag(), o.prepareFlag())
	return &cli.Command{
		Name:  "get",
		Usage: "read keys, plainly or with --quorum",
		Description: `Writes the keys first, then each request is GET /v2/keys/bench/KEY; 200 is success.

Examples:
  bench get --conns 64 --total 200000 --val-size 256
  bench get --quorum --conns 64 --total 100000 --val-size 256
  bench get --skip-prepare --conns 64 --duration 30s`,
		Flags:  o.flags(10000, append(own, o.choiceFlags()...)...),
		Action: o.requestAction("get", func() (workload, error) { return o.gets(), nil }),
	}
}

func listCommand() *cli.Command {
	o := newOptions()
	return &cli.Command{
		Name:  "list",
		Usage: "read a whole directory, recursive and sorted",
		Description: `Writes a directory of --key-space-size keys, checks that a listing shows them all, then each request is
GET /v2/keys/bench/list-...?recursive=true&sorted=true; 200 is success.

Examples:
  bench list --key-space-size 100 --conns 16 --total 20000 --val-size 256
  bench list --key-space-size 10000 --conns 2 --duration 10s`,
		Flags: o.flags(1000, append(o.keyFlags(100, "keys in the directory"), o.prepareFlag())...),
		Action: o.requestAction("list", func() (workload, error) {
			return newListLoad(o.space, newValue(o.valSize)), nil
		}),
	}
}

func mixedCommand() *cli.Command {
	o := newOptions()
	own := append(o.keyFlags(defaultKeySpace, "number of different keys"),
		&cli.Float64Flag{Name: "read-ratio", Category: categoryLoad, Destination: &o.readRatio, Value: 0.9, Usage: "share of reads, 0 to 1"},
		o.quorumFlag(), o.prepareFlag())
	return &cli.Command{
		Name:  "mixed",
		Usage: "read and write the same keys",
		Description: `Writes the keys first, then each request is a GET or a PUT of one of them.

Examples:
  bench mixed --read-ratio 0.9 --conns 64 --total 200000 --val-size 256
  bench mixed --read-ratio 0.5 --quorum --conns 64 --duration 10s`,
		Flags: o.flags(10000, append(own, o.choiceFlags()...)...),
		Action: o.requestAction("mixed", func() (workload, error) {
			if o.readRatio < 0 || o.readRatio > 1 {
				return nil, fmt.Errorf("%w: --read-ratio %v: it is a share, 0 to 1", errUsage, o.readRatio)
			}
			return mixedLoad{get: o.gets(), put: o.puts(), reads: o.readRatio}, nil
		}),
	}
}

func lockCommand() *cli.Command {
	o := newOptions()
	return &cli.Command{
		Name:  "lock",
		Usage: "take and free locks",
		Description: `A lock is a key created with prevExist=false and a TTL, and deleted with prevIndex. A client that finds the key
there waits until it changes. One request in the result is taking and freeing a lock, with the wait.

Examples:
  bench lock --clients 16 --total 10000            each client has a lock of its own
  bench lock --clients 16 --locks 1 --total 10000  all clients want the same lock`,
		Flags: o.flags(10000, &cli.IntFlag{Name: "locks", Category: categoryKeys, Destination: &o.locks,
			Usage: "number of locks; 0: one for each client"}),
		Action: o.requestAction("lock", func() (workload, error) {
			if o.locks < 0 {
				return nil, fmt.Errorf("%w: --locks: not below 0", errUsage)
			}
			locks := o.locks
			if locks == 0 {
				locks = max(o.clients, 1)
			}
			return lockLoad{prefix: o.space.prefix, locks: locks}, nil
		}),
	}
}

func watchCommand() *cli.Command {
	o := newOptions()
	return &cli.Command{
		Name:  "watch",
		Usage: "watch keys from many connections while writing to them",
		Description: `Opens the watches, then --clients writers make --total writes. Counts the events that arrive, and the time from
the write to each of its events. Every event is waited for; one that never comes is an error.

Examples:
  bench watch --watchers 1000 --total 200              1000 streams on one key
  bench watch --watchers 1000 --mode poll --total 200  the same with long polls
  bench watch --watchers 1000 --watched-keys 1000 --clients 4 --total 20000
  bench watch --watchers 10000 --mode poll --clients 0 --duration 1m
      holds 10,000 idle long polls, to look at the memory of the server`,
		Flags: o.flags(1000, o.valSizeFlag(64),
			&cli.IntFlag{Name: "watchers", Category: categoryLoad, Destination: &o.watchers, Value: 100, Usage: "connections that watch"},
			&cli.StringFlag{Name: "mode", Category: categoryLoad, Destination: &o.watchMode, Value: string(streamWatch),
				Usage: "stream (one request for all events) or poll (a long poll for each event)"},
			&cli.Uint64Flag{Name: "watched-keys", Category: categoryKeys, Destination: &o.watchedKeys, Value: 1,
				Usage: "keys that the watchers are spread over"},
			&cli.IntFlag{Name: "window", Category: categoryLoad, Destination: &o.window, Value: 16,
				Usage: "how many writes the watchers may be behind before the writers wait for them; 0: no limit"},
		),
		Action: o.watchAction,
	}
}

func (o *options) puts() putLoad { return putLoad{space: o.space, value: newValue(o.valSize)} }

func (o *options) gets() getLoad {
	mode := plainGet
	if o.quorum {
		mode = quorumGet
	}
	return getLoad{space: o.space, value: newValue(o.valSize), mode: mode}
}

// requestAction returns the action of a command whose load consists of requests and answers.
func (o *options) requestAction(name string, build func() (workload, error)) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := o.complete(c); err != nil {
			return interruptedOr(c.Context, err)
		}
		work, err := build()
		if err != nil {
			return err
		}
		setting := settingOf(c, o, "locks", "quorum", "read-ratio", "key-size", "val-size", "key-space-size", "directories", "sequential-keys")
		return execute(c, o, &requestLoad{o: o, name: name, work: work, setting: setting})
	}
}

func (o *options) watchAction(c *cli.Context) error {
	if err := o.complete(c); err != nil {
		return interruptedOr(c.Context, err)
	}
	mode, err := parseWatchMode(o.watchMode)
	if err != nil {
		return err
	}
	l := &watchLoad{
		o: o, watchers: o.watchers, mode: mode, window: o.window, valSize: max(o.valSize, stampDigits),
		lossTimeout: eventTimeout,
		space:       keySpace{prefix: o.space.prefix + "/watched", size: defaultKeySize, count: o.watchedKeys, dirs: 1},
		setting:     settingOf(c, o, "watchers", "mode", "watched-keys", "window", "val-size"),
	}
	switch {
	case l.watchers < 1 || l.space.count < 1 || l.space.count > uint64(l.watchers):
		return fmt.Errorf("%w: --watchers and --watched-keys: at least 1, and no more keys than watchers", errUsage)
	case l.window < 0:
		return fmt.Errorf("%w: --window: not below 0", errUsage)
	case o.clients == 0 && o.duration == 0:
		return fmt.Errorf("%w: --clients 0 holds idle watches; say for how long with --duration", errUsage)
	}
	return execute(c, o, l)
}
