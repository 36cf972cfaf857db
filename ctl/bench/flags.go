package bench

import (
	"time"

	"github.com/urfave/cli/v2"
)

const (
	categoryServer = "Server"
	categoryLoad   = "Load"
	categoryKeys   = "Keys and values"
	categoryOutput = "Output"
)

// flags returns the flags of one command: those of every load, and its own. Each sets a field of o.
func (o *options) flags(total uint64, own ...cli.Flag) []cli.Flag {
	all := append(o.serverFlags(), o.loadFlags(total)...)
	all = append(all, o.prefixFlag())
	all = append(all, own...)
	return append(all, o.outputFlags()...)
}

// serverFlags returns the flags for the servers that get the load.
func (o *options) serverFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "endpoints", Category: categoryServer, Destination: &o.endpoints,
			Value: cli.NewStringSlice("http://127.0.0.1:2379"),
			Usage: "base URLs of the server or cluster; connections are spread over them"},
		&cli.BoolFlag{Name: "target-leader", Category: categoryServer, Destination: &o.targetLeader, Usage: "send everything to the leader"},
		&cli.StringSliceFlag{Name: "compare", Category: categoryServer, Destination: &o.compare,
			Usage: "base URLs of a second server: run the same load on both in alternation and print the ratios"},
		&cli.StringFlag{Name: "user", Aliases: []string{"username"}, Category: categoryServer, Destination: &o.user,
			Usage: "`NAME[:PASSWORD]` of a user; asks for a missing password"},
		&cli.StringFlag{Name: "cacert", Aliases: []string{"ca-file"}, Category: categoryServer, Destination: &o.tls.CA,
			Usage: "PEM `FILE` of the authorities to trust (https)"},
		&cli.StringFlag{Name: "cert", Aliases: []string{"cert-file"}, Category: categoryServer, Destination: &o.tls.Cert,
			Usage: "PEM `FILE` of the client certificate (https)"},
		&cli.StringFlag{Name: "key", Aliases: []string{"key-file"}, Category: categoryServer, Destination: &o.tls.Key,
			Usage: "PEM `FILE` of the client key (https)"},
		&cli.StringFlag{Name: "tls-server-name", Category: categoryServer, Destination: &o.tls.ServerName,
			Usage: "a `NAME` that the certificates of the servers must have, in place of the host in the URL (https)"},
		&cli.DurationFlag{Name: "timeout", Category: categoryServer, Destination: &o.timeout, Value: 10 * time.Second,
			Usage: "how long one request may take; 0: no limit"},
	}
}

// loadFlags returns the flags for the amount of load.
func (o *options) loadFlags(total uint64) []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "conns", Category: categoryLoad, Destination: &o.conns, Value: 1,
			Usage: "connections; as many as clients if only --clients is given"},
		&cli.IntFlag{Name: "clients", Category: categoryLoad, Destination: &o.clients, Value: 1,
			Usage: "requests in flight at once; as many as connections if only --conns is given. " +
				"Clients that share a connection wait for each other"},
		&cli.Uint64Flag{Name: "total", Category: categoryLoad, Destination: &o.total, Value: total,
			Usage: "requests in all; 0: until --duration ends"},
		&cli.DurationFlag{Name: "duration", Category: categoryLoad, Destination: &o.duration,
			Usage: "length of the load; with --total, the limit that is reached first ends it"},
		&cli.Float64Flag{Name: "rate", Category: categoryLoad, Destination: &o.rate,
			Usage: "requests per second over all clients; 0: as fast as they are answered. " +
				"With a rate, latency counts from the time at which a request was due, even if an earlier one delayed it"},
		&cli.DurationFlag{Name: "warmup", Category: categoryLoad, Destination: &o.warmup,
			Usage: "load before the measurement that is not counted (default: none; 500ms before each run of --compare)"},
		&cli.IntFlag{Name: "rounds", Category: categoryLoad, Destination: &o.rounds, Value: defaultRounds,
			Usage: "runs on each server with --compare"},
	}
}

// prefixFlag returns the flag for the directory of the keys.
func (o *options) prefixFlag() cli.Flag {
	return &cli.StringFlag{Name: "prefix", Category: categoryKeys, Destination: &o.space.prefix, Value: "/bench",
		Usage: "directory of all keys of the load"}
}

func (o *options) valSizeFlag(size int) cli.Flag {
	return &cli.IntFlag{Name: "val-size", Category: categoryKeys, Destination: &o.valSize, Value: size, Usage: "bytes of a value"}
}

// keyFlags returns the flags for the number and the sizes of keys and values.
func (o *options) keyFlags(count uint64, usage string) []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "key-size", Category: categoryKeys, Destination: &o.space.size, Value: defaultKeySize,
			Usage: "bytes of a key's last component"},
		o.valSizeFlag(8),
		&cli.Uint64Flag{Name: "key-space-size", Category: categoryKeys, Destination: &o.space.count, Value: count, Usage: usage},
	}
}

// choiceFlags returns the flags for the choice of the key of each request.
func (o *options) choiceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Uint64Flag{Name: "directories", Category: categoryKeys, Destination: &o.space.dirs, Value: 1,
			Usage: "directories below the prefix that the keys are spread over"},
		&cli.BoolFlag{Name: "sequential-keys", Category: categoryKeys, Destination: &o.sequential,
			Usage: "use the keys one after the other instead of at random"},
	}
}

func (o *options) quorumFlag() cli.Flag {
	return &cli.BoolFlag{Name: "quorum", Category: categoryLoad, Destination: &o.quorum, Usage: "linearizable reads"}
}

// prepareFlag returns the flag for loads that write their keys before they read.
func (o *options) prepareFlag() cli.Flag {
	return &cli.BoolFlag{Name: "skip-prepare", Category: categoryKeys, Destination: &o.skipPrepare,
		Usage: "don't write the keys first, because they exist already"}
}

// outputFlags returns the flags for the output.
func (o *options) outputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "json", Category: categoryOutput, Destination: &o.json, Usage: "print JSON; latencies are in microseconds"},
		&cli.StringFlag{Name: "timeline", Category: categoryOutput, Destination: &o.timeline,
			Usage: "write a line of CSV for each second to `FILE`: second, operations, p99.9 and maximum in microseconds"},
	}
}
