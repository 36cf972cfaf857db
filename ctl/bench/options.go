package bench

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

// errUsage is wrapped by every error about the value of a flag.
var errUsage = errors.New("wrong usage")

// Defaults of flags.
const (
	defaultRounds   = 5
	defaultKeySize  = 8
	defaultKeySpace = 10000
	compareWarmup   = 500 * time.Millisecond
)

// options are the options of one command. Its flags set them.
type options struct {
	phase        // what is measured
	conns        int
	clients      int
	warmup       time.Duration
	rounds       int
	endpoints    cli.StringSlice
	compare      cli.StringSlice
	targetLeader bool
	user         string
	tls          client.TLSFiles
	timeout      time.Duration // of one request
	valSize      int
	space        keySpace
	sequential   bool
	quorum       bool
	readRatio    float64
	locks        int
	watchers     int
	watchedKeys  uint64
	watchMode    string
	window       int
	skipPrepare  bool
	json         bool
	timeline     string // file name

	// These follow from the flags.
	target *target
	other  *target // nil without --compare
	lines  *timeline
	stdout io.Writer
	stderr io.Writer
}

// newOptions returns options with values for the flags that a command may lack.
func newOptions() *options {
	return &options{valSize: 1, space: keySpace{size: defaultKeySize, count: 1, dirs: 1}}
}

// complete checks the flags that every load has, and sets the fields that follow from them.
func (o *options) complete(c *cli.Context) error {
	if c.NArg() > 0 {
		return fmt.Errorf("%w: %q is no flag; %s takes only flags, see --help", errUsage, c.Args().First(), c.Command.Name)
	}
	o.stdout, o.stderr = c.App.Writer, c.App.ErrWriter
	o.fillIn(c)
	o.space.prefix = "/" + strings.Trim(o.space.prefix, "/")
	if o.sequential {
		o.space.order = sequentialKeys
	}
	if err := o.check(); err != nil {
		return err
	}
	return o.makeTargets(c)
}

// fillIn sets flags that follow from other flags: --clients and --conns from each other, no --total if only --duration is given,
// and a --warmup for comparisons.
func (o *options) fillIn(c *cli.Context) {
	if !c.IsSet("clients") && c.IsSet("conns") {
		o.clients = o.conns
	}
	if !c.IsSet("conns") && c.IsSet("clients") {
		o.conns = max(o.clients, 1)
	}
	if c.IsSet("duration") && !c.IsSet("total") {
		o.total = 0
	}
	if c.IsSet("compare") && !c.IsSet("warmup") {
		o.warmup = compareWarmup
	}
}

func (o *options) check() error {
	largest := uint64(1)
	for range min(o.space.size, 19) {
		largest *= 10
	}
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{o.conns < 1, "--conns: at least 1"},
		{o.clients < 0, "--clients: not below 0"},
		{o.total == 0 && o.duration <= 0, "give --total or --duration, otherwise the load never ends"},
		{o.duration < 0 || o.warmup < 0 || o.timeout < 0, "--duration, --warmup and --timeout: not below 0"},
		{o.rate < 0, "--rate: not below 0"},
		{o.rounds < 1, "--rounds: at least 1"},
		{o.valSize < 1, "--val-size: at least 1"},
		{o.space.prefix == "/", "--prefix: name a directory, such as /bench"},
		{o.space.size < 1 || o.space.size > 1024, "--key-size: 1 to 1024"},
		{o.space.count < 1, "--key-space-size: at least 1"},
		{o.space.dirs < 1, "--directories: at least 1"},
		{o.space.count > largest, fmt.Sprintf("--key-space-size %d: these keys need more digits than --key-size %d", o.space.count,
			o.space.size)},
	} {
		if rule.broken {
			return fmt.Errorf("%w: %s", errUsage, rule.text)
		}
	}
	return nil
}

// makeTargets sets the targets of --endpoints and --compare.
func (o *options) makeTargets(c *cli.Context) error {
	config, err := o.tls.Config()
	if err != nil {
		return fmt.Errorf("--cert, --key and --cacert: %w", err)
	}
	cred := credential{tls: config, user: o.user}
	if o.target, err = newTarget(o.endpoints.Value(), cred); err != nil {
		return err
	}
	if c.IsSet("rounds") && !c.IsSet("compare") {
		return fmt.Errorf("%w: --rounds counts the runs of a comparison; give --compare too", errUsage)
	}
	if c.IsSet("compare") {
		if o.timeline != "" {
			return fmt.Errorf("%w: --timeline is of one run; give it without --compare, once for each server", errUsage)
		}
		if o.other, err = newTarget(o.compare.Value(), cred); err != nil {
			return fmt.Errorf("--compare: %w", err)
		}
	}
	if !o.targetLeader {
		return nil
	}
	if o.target, err = o.target.leader(c.Context, cred); err != nil {
		return err
	}
	if o.other != nil {
		o.other, err = o.other.leader(c.Context, cred)
	}
	return err
}

// observer returns the observer of a run.
func (o *options) observer(label string) observer {
	return observer{label: label, stderr: o.stderr, timeline: o.lines}
}

// settingOf returns the values of the flags in names, and of those that determine the amount of load.
func settingOf(c *cli.Context, o *options, names ...string) map[string]string {
	setting := map[string]string{}
	for _, name := range names {
		if f := lookupValue(c, name); f != "" {
			setting[name] = f
		}
	}
	setting["conns"] = fmt.Sprint(o.conns)
	setting["clients"] = fmt.Sprint(o.clients)
	for _, item := range []struct {
		name  string
		unset bool
		value any
	}{
		{"total", o.total == 0, o.total},
		{"duration", o.duration == 0, o.duration},
		{"rate", o.rate == 0, o.rate},
		{"warmup", o.warmup == 0, o.warmup},
	} {
		if !item.unset {
			setting[item.name] = fmt.Sprint(item.value)
		}
	}
	return setting
}

// lookupValue returns the value of a flag as text. It is empty if the command has no such flag, or if the flag is false.
func lookupValue(c *cli.Context, name string) string {
	v := c.Value(name)
	if v == nil || v == false {
		return ""
	}
	return fmt.Sprint(v)
}
