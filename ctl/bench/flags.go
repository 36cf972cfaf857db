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

// serverFlags name the servers and how to reach them.
func serverFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "endpoints", Category: categoryServer, Value: cli.NewStringSlice("http://127.0.0.1:2379"),
			Usage: "base URLs of the server or cluster; connections are spread over them"},
		&cli.BoolFlag{Name: "target-leader", Category: categoryServer, Usage: "send everything to the leader"},
		&cli.StringSliceFlag{Name: "compare", Category: categoryServer,
			Usage: "base URLs of a second server: run the same load on both in alternation and print the ratios"},
		&cli.StringFlag{Name: "user", Category: categoryServer, Usage: "`NAME:PASSWORD` for basic authentication"},
		&cli.StringFlag{Name: "cacert", Category: categoryServer, Usage: "PEM `FILE` of the authorities to trust (https)"},
		&cli.StringFlag{Name: "cert", Category: categoryServer, Usage: "PEM `FILE` of the client certificate (https)"},
		&cli.StringFlag{Name: "key", Category: categoryServer, Usage: "PEM `FILE` of the client key (https)"},
		&cli.DurationFlag{Name: "timeout", Category: categoryServer, Value: 10 * time.Second,
			Usage: "how long one request may take; 0 means for ever"},
	}
}

// loadFlags say how much load is made.
func loadFlags(total uint64) []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "conns", Category: categoryLoad, Value: 1,
			Usage: "connections; as many as clients when only --clients is given"},
		&cli.IntFlag{Name: "clients", Category: categoryLoad, Value: 1,
			Usage: "requests under way at once; as many as connections when only --conns is given. " +
				"More clients than connections wait for each other"},
		&cli.Uint64Flag{Name: "total", Category: categoryLoad, Value: total, Usage: "requests in all; 0 means until --duration ends"},
		&cli.DurationFlag{Name: "duration", Category: categoryLoad, Usage: "how long to go on; alone, or with --total whichever ends first"},
		&cli.Float64Flag{Name: "rate", Category: categoryLoad,
			Usage: "requests per second over all clients; 0 means as fast as they are answered. " +
				"With a rate, a request delayed by the one before is charged from when it was due"},
		&cli.DurationFlag{Name: "warmup", Category: categoryLoad,
			Usage: "load before the measurement that is not counted (500ms before each run of a comparison)"},
		&cli.IntFlag{Name: "rounds", Category: categoryLoad, Value: defaultRounds, Usage: "runs on each server with --compare"},
	}
}

// prefixFlag says where the keys lie.
func prefixFlag() cli.Flag {
	return &cli.StringFlag{Name: "prefix", Category: categoryKeys, Value: "/bench", Usage: "directory that all keys of the load lie in"}
}

func keySizeFlag() cli.Flag {
	return &cli.IntFlag{Name: "key-size", Category: categoryKeys, Value: defaultKeySize, Usage: "bytes of a key's last component"}
}

func valSizeFlag(size int) cli.Flag {
	return &cli.IntFlag{Name: "val-size", Category: categoryKeys, Value: size, Usage: "bytes of a value"}
}

func keySpaceFlag(count uint64, usage string) cli.Flag {
	return &cli.Uint64Flag{Name: "key-space-size", Category: categoryKeys, Value: count, Usage: usage}
}

// choiceFlags say which keys a request takes.
func choiceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Uint64Flag{Name: "directories", Category: categoryKeys, Value: 1, Usage: "directories below the prefix that the keys are spread over"},
		&cli.BoolFlag{Name: "sequential-keys", Category: categoryKeys, Usage: "take the keys one after the other instead of at random"},
	}
}

// prepareFlag is for the loads that read.
func prepareFlag() cli.Flag {
	return &cli.BoolFlag{Name: "skip-prepare", Category: categoryKeys, Usage: "the keys are there already: don't write them first"}
}

// outputFlags say what is printed and written.
func outputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "json", Category: categoryOutput, Usage: "print JSON; latencies are in microseconds"},
		&cli.StringFlag{Name: "timeline", Category: categoryOutput,
			Usage: "write a line of CSV for each second to `FILE`: second, operations, p99.9 and maximum in microseconds"},
	}
}
