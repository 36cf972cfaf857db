package v3

import (
	"cmp"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

// The names of global flags that other code looks up.
const (
	endpointsFlag = "endpoints"
	writeOutFlag  = "write-out"
	passwordFlag  = "password"
	tokenFlag     = "auth-jwt-token"
)

// defaultEndpoint is used when nothing names any.
const defaultEndpoint = "127.0.0.1:2379"

// globals are the flags of every command.
type globals struct {
	endpoints, output                 string
	hex, debug, help                  bool
	dialTimeout, commandTimeout       time.Duration
	keepAliveTime, keepAliveTimeout   time.Duration
	insecureTransport, insecureVerify bool
	tls                               client.TLSFiles
	user, password, token             string
	discovery, discoveryName          string
	insecureDiscovery                 bool
	maxSendBytes, maxRecvBytes        int
}

func (g *globals) flags() []cli.Flag {
	text := func(to *string, name, value, usage string, short ...string) cli.Flag {
		return &cli.StringFlag{Name: name, Aliases: short, Destination: to, Value: value, Usage: usage}
	}
	wait := func(to *time.Duration, name string, value time.Duration, usage string) cli.Flag {
		return &cli.DurationFlag{Name: name, Destination: to, Value: value, Usage: usage}
	}
	return []cli.Flag{
		text(&g.endpoints, endpointsFlag, defaultEndpoint, "comma-separated endpoints: HOST:PORT, or URLs with http, https, unix or unixs"),
		text(&g.output, writeOutFlag, formatSimple, "print answers as fields, json, protobuf, simple or table", "w"),
		boolFlag(&g.hex, "hex", "print keys and values as \\x and hexadecimal digits"),
		wait(&g.commandTimeout, "command-timeout", 5*time.Second, "how long a short command may take"),
		wait(&g.dialTimeout, "dial-timeout", 2*time.Second, "how long an attempt to connect may take"),
		wait(&g.keepAliveTime, "keepalive-time", 2*time.Second, "probe a connection that has been quiet for so long"),
		wait(&g.keepAliveTimeout, "keepalive-timeout", 6*time.Second, "close a connection that does not answer a probe for so long"),
		text(&g.user, "user", "", "`name[:password]`; asks for a missing password"),
		text(&g.password, passwordFlag, "", "password of --user, which then is the name alone"),
		text(&g.token, tokenFlag, "", "token to authenticate with, in place of --user"),
		text(&g.tls.CA, "cacert", "", "`file` with the CAs to verify servers with"),
		text(&g.tls.Cert, "cert", "", "`file` with the certificate to identify with"),
		text(&g.tls.Key, "key", "", "`file` with the key of that certificate"),
		&cli.BoolFlag{Name: "insecure-transport", Destination: &g.insecureTransport, Value: true,
			Usage: "HOST:PORT without certificates means a plain connection; with =false it means TLS"},
		boolFlag(&g.insecureVerify, "insecure-skip-tls-verify", "accept any certificate of a server: only for tests"),
		text(&g.discovery, "discovery-srv", "", "`domain` whose DNS SRV records name the endpoints", "d"),
		text(&g.discoveryName, "discovery-srv-name", "", "`suffix` of the service in the DNS: etcd-client-SUFFIX"),
		&cli.BoolFlag{Name: "insecure-discovery", Destination: &g.insecureDiscovery, Value: true,
			Usage: "use SRV records of endpoints without TLS, too"},
		&cli.IntFlag{Name: "max-request-bytes", Destination: &g.maxSendBytes, DefaultText: "2 MiB", Usage: "largest request that is sent"},
		&cli.IntFlag{Name: "max-recv-bytes", Destination: &g.maxRecvBytes, DefaultText: "no limit", Usage: "largest answer that is accepted"},
		boolFlag(&g.debug, "debug", "print the settings and each call to stderr"),
		helpFlag(&g.help),
	}
}

// boolFlag returns a flag without a value.
func boolFlag(to *bool, name, usage string, short ...string) cli.Flag {
	return &cli.BoolFlag{Name: name, Aliases: short, Destination: to, Usage: usage, DisableDefaultText: true}
}

// helpFlag returns the flag --help.
func helpFlag(to *bool) cli.Flag { return boolFlag(to, "help", "show this", "h") }

// applyEnvironment sets the global flags that the command line does not have from their variables: ETCDCTL_WRITE_OUT is --write-out. A
// variable beside its flag is an error, as in etcdctl: one of the two is a mistake.
func (p *program) applyEnvironment(c *cli.Context) error {
	for _, flag := range c.App.Flags {
		name := flag.Names()[0]
		variable := "ETCDCTL_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		value, set := p.variable(variable)
		switch {
		case !set || name == "help":
			continue
		case c.IsSet(name):
			return fail(exitError, "conflicting environment variable %q is shadowed by corresponding command-line flag "+
				"(either unset environment variable or disable flag)", variable)
		}
		if err := check(flag, value); err != nil {
			return badArguments("invalid value %q for %s: %w", value, variable, err)
		}
		if err := c.Set(name, value); err != nil {
			return badArguments("invalid value %q for %s: %w", value, variable, err)
		}
	}
	return nil
}

// endpointList returns the endpoints that the user gave, without blanks.
func (g *globals) endpointList() []string {
	var list []string
	for endpoint := range strings.SplitSeq(cmp.Or(g.endpoints, defaultEndpoint), ",") {
		if endpoint = strings.TrimSpace(endpoint); endpoint != "" {
			list = append(list, endpoint)
		}
	}
	return list
}
