package ctl

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

// defaultEndpoints is used when no flag and no variable names any.
const defaultEndpoints = "http://127.0.0.1:2379,http://127.0.0.1:4001"

// Names of global options that other code looks up.
const (
	endpointsFlag    = "endpoints"
	timeoutFlag      = "timeout"
	totalTimeoutFlag = "total-timeout"
	debugFlag        = "debug"
	outputFlag       = "output"
	usernameFlag     = "username"
	serverNameFlag   = "tls-server-name" // of mounted commands
)

// globals are the options before the command.
type globals struct {
	debug, noSync                   bool
	output                          string
	discovery                       string
	insecureDiscovery               bool
	peers, endpoint, endpoints      string // the same, from the oldest name to the newest
	tls                             client.TLSFiles
	username                        string
	timeout, totalTimeout           time.Duration
	timeoutGiven, totalTimeoutGiven bool // whether the user gave the option
	warnings                        string
	help, version                   bool
}

func (g *globals) flags() []cli.Flag {
	return []cli.Flag{
		boolFlag(&g.debug, "print each request as a curl command to stderr", debugFlag),
		boolFlag(&g.noSync, "use the endpoints as given; don't ask them for the members' URLs first", "no-sync"),
		&cli.StringFlag{Name: outputFlag, Aliases: []string{"o"}, Destination: &g.output, Value: formatSimple,
			Usage: "print answers as simple, extended or json"},
		&cli.StringFlag{Name: "discovery-srv", Aliases: []string{"D"}, Destination: &g.discovery, EnvVars: []string{"ETCDCTL_DISCOVERY_SRV"},
			Usage: "domain whose DNS SRV records name the endpoints"},
		boolFlag(&g.insecureDiscovery, "use SRV records of plain-HTTP endpoints too", "insecure-discovery"),
		&cli.StringFlag{Name: "peers", Aliases: []string{"C"}, Destination: &g.peers, EnvVars: []string{"ETCDCTL_PEERS"},
			Usage: "DEPRECATED: use --endpoints"},
		&cli.StringFlag{Name: "endpoint", Destination: &g.endpoint, EnvVars: []string{"ETCDCTL_ENDPOINT"},
			Usage: "DEPRECATED: use --endpoints"},
		&cli.StringFlag{Name: endpointsFlag, Destination: &g.endpoints, EnvVars: []string{"ETCDCTL_ENDPOINTS"},
			Usage: "comma-separated URLs of members (default: " + defaultEndpoints + ")"},
		&cli.StringFlag{Name: "cert-file", Destination: &g.tls.Cert, EnvVars: []string{"ETCDCTL_CERT_FILE"},
			Usage: "certificate to identify with to HTTPS servers"},
		&cli.StringFlag{Name: "key-file", Destination: &g.tls.Key, EnvVars: []string{"ETCDCTL_KEY_FILE"},
			Usage: "key of that certificate"},
		&cli.StringFlag{Name: "ca-file", Destination: &g.tls.CA, EnvVars: []string{"ETCDCTL_CA_FILE"},
			Usage: "CA bundle to verify HTTPS servers with"},
		&cli.StringFlag{Name: usernameFlag, Aliases: []string{"u"}, Destination: &g.username, EnvVars: []string{"ETCDCTL_USERNAME"},
			Usage: "`user[:password]`; asks for a missing password"},
		&cli.DurationFlag{Name: timeoutFlag, Destination: &g.timeout, Value: 2 * time.Second,
			Usage: "how long one member may take to begin its answer"},
		&cli.DurationFlag{Name: totalTimeoutFlag, Destination: &g.totalTimeout, Value: 5 * time.Second,
			Usage: "how long the whole command may take (commands that read: no limit unless it is given; commands that wait: none)"},
		&cli.StringFlag{Name: "warnings", Destination: &g.warnings, Value: warningsAuto, EnvVars: []string{"ETCDCTL_WARNINGS"},
			Usage: "warn of likely mistakes: auto (only on a terminal), on or off"},
		helpOption(&g.help),
		boolFlag(&g.version, "print the version", "version", "v"),
	}
}

// complete must be called after parsing. An option with an empty text counts as not given: complete sets it from its
// environment variable.
func (g *globals) complete(c *cli.Context) {
	for _, f := range c.App.Flags {
		if s, ok := f.(*cli.StringFlag); ok && *s.Destination == "" && len(s.EnvVars) > 0 {
			*s.Destination = os.Getenv(s.EnvVars[0])
		}
	}
	g.timeoutGiven, g.totalTimeoutGiven = c.IsSet(timeoutFlag), c.IsSet(totalTimeoutFlag)
}

// namedEndpoints returns the endpoints that the user gave by options or variables, as text. The newest name of the option
// takes precedence. It returns an empty text if there are none.
func (g *globals) namedEndpoints() string {
	for _, list := range []string{g.endpoints, g.endpoint, g.peers} {
		if list != "" {
			return list
		}
	}
	return ""
}

// limited returns the context of a command that --total-timeout limits.
func (g *globals) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, g.totalTimeout)
}

// limitedIfSet returns the context of a command that reads: the answer may be long and the link slow, so only a limit that
// the user has given ends it. An answer that does not begin, or stops in the middle, has limits of its own.
func (g *globals) limitedIfSet(ctx context.Context) (context.Context, context.CancelFunc) {
	if g.totalTimeoutGiven {
		return g.limited(ctx)
	}
	return context.WithCancel(ctx)
}

// unlimited returns the context of a command that waits until something happens.
func (g *globals) unlimited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// applyGlobals sets options of a mounted command from the global options of the same names, and --json and --write-out from a
// global --output json. Options that the user gave to the command stay as they are.
func (p *program) applyGlobals(c *cli.Context) error {
	g := &p.globals
	own := c.LocalFlagNames()
	has := func(name string) bool { return findFlag(c.Command.Flags, "--"+name) != nil }
	set := func(name, value string) error {
		if value == "" || !has(name) || slices.Contains(own, name) {
			return nil
		}
		return c.Set(name, value)
	}
	values := map[string]string{"ca-file": g.tls.CA}
	if !slices.Contains(own, "cert-file") && !slices.Contains(own, "key-file") {
		values["cert-file"], values["key-file"] = g.tls.Cert, g.tls.Key
	}
	if has(endpointsFlag) && (g.discovery != "" || g.namedEndpoints() != "") {
		list, err := p.endpointList(c.Context)
		if err != nil {
			return err
		}
		values[endpointsFlag], values[serverNameFlag] = strings.Join(list, ","), g.tls.ServerName
	}
	if g.timeoutGiven { // otherwise the command's own default applies
		values[timeoutFlag] = g.timeout.String()
	}
	if err := p.completeUsername(c); err != nil {
		return err
	}
	if g.output == formatJSON {
		values["json"], values["write-out"] = "true", formatJSON
	}
	for name, value := range values {
		if err := set(name, value); err != nil {
			return err
		}
	}
	return nil
}

// boolFlag returns a flag without a value. names are its name and its aliases.
func boolFlag(destination *bool, usage string, names ...string) cli.Flag {
	return &cli.BoolFlag{Name: names[0], Aliases: names[1:], Destination: destination, Usage: usage, DisableDefaultText: true}
}
