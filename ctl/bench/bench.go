// Package bench is Pando's load generator: it puts a server that speaks the etcd v2 HTTP API under load and tells how
// many requests it answered and how long each took. It works on any such server, and on two in alternation.
//
// Command is all that it exports; it is mounted as "pando ctl bench". It may be called once or often; each
// command it returns runs on the goroutine that runs the command line, and starts what it needs.
//
// The generator shares the machine with what it measures, so its own cost is kept low, and is printed with every
// result. Requests are built once and only their keys change; answers are read by a parser that knows no more
// of HTTP/1.1 than it needs; a client is one goroutine with one connection; nothing is allocated for a request
// (a benchmark counts). Invariants:
//   - Only a request that succeeded has a latency. Everything else is an error, and the first answer of each
//     kind of error is shown.
//   - A latency ends when the whole answer has been read. It begins when the request is sent, or, with a rate,
//     when it was due.
//   - The same flags make the same requests, in the same order for each client.
package bench

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

const benchHelp = `Puts a server that speaks the etcd v2 API under load, and prints throughput, latency percentiles,
a histogram and the errors. The keys lie in /bench (see --prefix) and stay there afterwards.

Examples:
  bench put --conns 64 --total 100000 --val-size 256
  bench get --quorum --conns 64 --duration 10s
  bench watch --watchers 1000 --total 200
  bench put --conns 64 --compare http://127.0.0.1:23790
  bench put --rate 5000 --duration 5m --timeline seconds.csv

Ctrl-C ends a run early and prints what was measured until then. The exit code is 1 when a request failed.`

// Command returns "bench" with its subcommands put, get, list, watch, mixed and lock. Its actions print results to
// App.Writer, progress bars to App.ErrWriter if that is a terminal, and return an error when the load could
// not be made, or when requests failed. After SIGINT they return a cli.ExitCoder with code 130.
func Command() *cli.Command {
	return &cli.Command{
		Name:        "bench",
		Usage:       "put a server under load and measure it",
		Description: benchHelp,
		Subcommands: []*cli.Command{putCommand(), getCommand(), listCommand(), watchCommand(), mixedCommand(), lockCommand()},
	}
}

// flags joins groups of flags with those that every load has.
func flags(total uint64, own ...cli.Flag) []cli.Flag {
	all := append(serverFlags(), loadFlags(total)...)
	all = append(all, prefixFlag())
	all = append(all, own...)
	return append(all, outputFlags()...)
}

func putCommand() *cli.Command {
	own := append([]cli.Flag{keySizeFlag(), valSizeFlag(8), keySpaceFlag(defaultKeySpace, "number of different keys")}, choiceFlags()...)
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
      shows what a checkpoint does to latency`,
		Flags:  flags(10000, own...),
		Action: requestAction("put", func(_ *cli.Context, o *options) (workload, error) { return o.puts(), nil }),
	}
}

func getCommand() *cli.Command {
	own := append([]cli.Flag{keySizeFlag(), valSizeFlag(8), keySpaceFlag(defaultKeySpace, "number of different keys"),
		&cli.BoolFlag{Name: "quorum", Category: categoryLoad, Usage: "linearizable reads"}, prepareFlag()}, choiceFlags()...)
	return &cli.Command{
		Name:  "get",
		Usage: "read keys, plainly or with --quorum",
		Description: `Writes the keys first, then each request is GET /v2/keys/bench/KEY; 200 is success.

Examples:
  bench get --conns 64 --total 200000 --val-size 256
  bench get --quorum --conns 64 --total 100000 --val-size 256
  bench get --skip-prepare --conns 64 --duration 30s`,
		Flags:  flags(10000, own...),
		Action: requestAction("get", func(c *cli.Context, o *options) (workload, error) { return o.gets(modeOf(c)), nil }),
	}
}

func listCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "read a whole directory, recursive and sorted",
		Description: `Writes a directory of --key-space-size keys, checks that a listing shows them all, then each request is
GET /v2/keys/bench/list-...?recursive=true&sorted=true; 200 is success.

Examples:
  bench list --key-space-size 100 --conns 16 --total 20000 --val-size 256
  bench list --key-space-size 10000 --conns 2 --duration 10s`,
		Flags: flags(1000, keySizeFlag(), valSizeFlag(8), keySpaceFlag(100, "keys in the directory"), prepareFlag()),
		Action: requestAction("list", func(_ *cli.Context, o *options) (workload, error) {
			return newListLoad(o.space, newValue(o.valSize)), nil
		}),
	}
}

func mixedCommand() *cli.Command {
	own := append([]cli.Flag{keySizeFlag(), valSizeFlag(8), keySpaceFlag(defaultKeySpace, "number of different keys"),
		&cli.Float64Flag{Name: "read-ratio", Category: categoryLoad, Value: 0.9, Usage: "share of reads, 0 to 1"},
		&cli.BoolFlag{Name: "quorum", Category: categoryLoad, Usage: "linearizable reads"}, prepareFlag()}, choiceFlags()...)
	return &cli.Command{
		Name:  "mixed",
		Usage: "read and write the same keys",
		Description: `Writes the keys first, then each request is a GET or a PUT of one of them.

Examples:
  bench mixed --read-ratio 0.9 --conns 64 --total 200000 --val-size 256
  bench mixed --read-ratio 0.5 --quorum --conns 64 --duration 10s`,
		Flags: flags(10000, own...),
		Action: requestAction("mixed", func(c *cli.Context, o *options) (workload, error) {
			reads := c.Float64("read-ratio")
			if reads < 0 || reads > 1 {
				return nil, fmt.Errorf("%w: --read-ratio %v: it is a share, 0 to 1", errUsage, reads)
			}
			return mixedLoad{get: o.gets(modeOf(c)), put: o.puts(), reads: reads}, nil
		}),
	}
}

func lockCommand() *cli.Command {
	return &cli.Command{
		Name:  "lock",
		Usage: "take and free locks",
		Description: `A lock is a key created with prevExist=false and a TTL, and deleted with prevIndex. Who finds it taken
waits for it to change. One request in the result is taking and freeing, with the wait.

Examples:
  bench lock --clients 16 --total 10000            each client its own lock
  bench lock --clients 16 --locks 1 --total 10000  all want the same one`,
		Flags: flags(10000, &cli.IntFlag{Name: "locks", Category: categoryKeys, Usage: "number of locks; 0 means one for each client"}),
		Action: requestAction("lock", func(c *cli.Context, o *options) (workload, error) {
			locks := c.Int("locks")
			if locks < 0 {
				return nil, fmt.Errorf("%w: --locks: not below 0", errUsage)
			}
			if locks == 0 {
				locks = max(o.clients, 1)
			}
			return lockLoad{prefix: o.space.prefix, locks: locks}, nil
		}),
	}
}

func watchCommand() *cli.Command {
	own := []cli.Flag{valSizeFlag(64),
		&cli.IntFlag{Name: "watchers", Category: categoryLoad, Value: 100, Usage: "connections that watch"},
		&cli.StringFlag{Name: "mode", Category: categoryLoad, Value: string(streamWatch),
			Usage: "stream (one request for all events) or poll (a long poll for each event)"},
		&cli.Uint64Flag{Name: "watched-keys", Category: categoryKeys, Value: 1, Usage: "keys that the watchers are spread over"},
		&cli.IntFlag{Name: "window", Category: categoryLoad, Value: 16,
			Usage: "writes that the watchers may be behind before the writers wait for them; 0 means that they don't"},
	}
	return &cli.Command{
		Name:  "watch",
		Usage: "watch keys from many connections while writing to them",
		Description: `Opens the watches, then --clients writers make --total writes. Counts the events that arrive, and how long
after its write was sent each did. Every event is waited for; one that never comes is an error.

Examples:
  bench watch --watchers 1000 --total 200              1000 streams on one key
  bench watch --watchers 1000 --mode poll --total 200  the same with long polls
  bench watch --watchers 1000 --watched-keys 1000 --clients 4 --total 20000
  bench watch --watchers 10000 --mode poll --clients 0 --duration 1m
      holds 10,000 idle long polls, for looking at the server's memory`,
		Flags:  flags(1000, own...),
		Action: watchAction,
	}
}

// modeOf reads --quorum.
func modeOf(c *cli.Context) getMode {
	if c.Bool("quorum") {
		return quorumGet
	}
	return plainGet
}

func (o *options) puts() putLoad { return putLoad{space: o.space, value: newValue(o.valSize)} }

func (o *options) gets(mode getMode) getLoad {
	return getLoad{space: o.space, value: newValue(o.valSize), mode: mode}
}

// requestAction is the action of a command whose load is made of requests and answers.
func requestAction(name string, build func(*cli.Context, *options) (workload, error)) cli.ActionFunc {
	return func(c *cli.Context) error {
		o, err := readOptions(c)
		if err != nil {
			return interruptedOr(c.Context, err)
		}
		work, err := build(c, o)
		if err != nil {
			return err
		}
		setting := settingOf(c, o, "locks", "quorum", "read-ratio", "key-size", "val-size", "key-space-size", "directories", "sequential-keys")
		return execute(c, o, &requestLoad{o: o, name: name, work: work, setting: setting})
	}
}

func watchAction(c *cli.Context) error {
	o, err := readOptions(c)
	if err != nil {
		return interruptedOr(c.Context, err)
	}
	mode, err := parseWatchMode(c.String("mode"))
	if err != nil {
		return err
	}
	l := &watchLoad{
		o: o, watchers: c.Int("watchers"), mode: mode, window: c.Int("window"), valSize: max(o.valSize, stampDigits),
		patience: eventPatience,
		space:    keySpace{prefix: o.space.prefix + "/watched", size: defaultKeySize, count: c.Uint64("watched-keys"), dirs: 1},
		setting:  settingOf(c, o, "watchers", "mode", "watched-keys", "window", "val-size"),
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
