package ctl

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"
)

// Names of the global flags.
const (
	debugFlag             = "debug"
	noSyncFlag            = "no-sync"
	outputFlag            = "output"
	discoveryFlag         = "discovery-srv"
	insecureDiscoveryFlag = "insecure-discovery"
	peersFlag             = "peers"
	endpointFlag          = "endpoint"
	endpointsFlag         = "endpoints"
	certFlag              = "cert-file"
	keyFlag               = "key-file"
	caFlag                = "ca-file"
	userFlag              = "username"
	timeoutFlag           = "timeout"
	totalTimeoutFlag      = "total-timeout"
	versionFlag           = "version"
	helpFlag              = "help"
)

// defaultEndpoints is used when no flag and no variable names any.
const defaultEndpoints = "http://127.0.0.1:2379,http://127.0.0.1:4001"

// versionText is what scripts that look at the legacy client's version see.
const versionText = "etcdctl version: 3.4.23\nAPI version: 2\n"

// app lays out the command structure.
func (p *program) app() *cli.App {
	app := &cli.App{
		Name:                  p.name,
		HelpName:              p.name,
		Usage:                 "the command-line client for the etcd v2 API",
		Writer:                p.stdout,
		ErrWriter:             p.stderr,
		Flags:                 globalFlags(),
		HideVersion:           true,
		HideHelp:              true, // --help and help are ours: they also work behind arguments
		CustomAppHelpTemplate: appHelp,
		ExitErrHandler:        func(*cli.Context, error) {},
		OnUsageError: func(c *cli.Context, err error, _ bool) error {
			fmt.Fprintf(p.stdout, "Incorrect Usage. %v\n\n", err)
			cli.ShowAppHelp(c)
			return &failure{code: exitBadArguments, text: err.Error() + "\n"}
		},
		Before: p.globalAnswers,
		Action: p.withoutCommand,
	}
	app.Commands = p.commands()
	return app
}

func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: debugFlag, Usage: "print each request as a curl command to stderr", DisableDefaultText: true},
		&cli.BoolFlag{Name: noSyncFlag, Usage: "use the endpoints as given; don't ask them for the members' URLs first", DisableDefaultText: true},
		&cli.StringFlag{Name: outputFlag, Aliases: []string{"o"}, Value: formatSimple, Usage: "print answers as simple, extended or json"},
		&cli.StringFlag{Name: discoveryFlag, Aliases: []string{"D"}, EnvVars: []string{"ETCDCTL_DISCOVERY_SRV"}, Usage: "domain whose DNS SRV records name the endpoints"},
		&cli.BoolFlag{Name: insecureDiscoveryFlag, Usage: "use SRV records of plain-HTTP endpoints too", DisableDefaultText: true},
		&cli.StringFlag{Name: peersFlag, Aliases: []string{"C"}, EnvVars: []string{"ETCDCTL_PEERS"}, Usage: "DEPRECATED: use --endpoints"},
		&cli.StringFlag{Name: endpointFlag, EnvVars: []string{"ETCDCTL_ENDPOINT"}, Usage: "DEPRECATED: use --endpoints"},
		&cli.StringFlag{Name: endpointsFlag, EnvVars: []string{"ETCDCTL_ENDPOINTS"}, Usage: "comma-separated URLs of members (default: " + defaultEndpoints + ")"},
		&cli.StringFlag{Name: certFlag, EnvVars: []string{"ETCDCTL_CERT_FILE"}, Usage: "certificate to identify with to HTTPS servers"},
		&cli.StringFlag{Name: keyFlag, EnvVars: []string{"ETCDCTL_KEY_FILE"}, Usage: "key of that certificate"},
		&cli.StringFlag{Name: caFlag, EnvVars: []string{"ETCDCTL_CA_FILE"}, Usage: "CA bundle to verify HTTPS servers with"},
		&cli.StringFlag{Name: userFlag, Aliases: []string{"u"}, EnvVars: []string{"ETCDCTL_USERNAME"}, Usage: "`user[:password]`; asks for a missing password"},
		&cli.DurationFlag{Name: timeoutFlag, Value: 2 * time.Second, Usage: "how long one member may take to begin its answer"},
		&cli.DurationFlag{Name: totalTimeoutFlag, Value: 5 * time.Second, Usage: "how long the whole command may take (watches and what reads: no limit unless it is given)"},
		helpOption(),
		&cli.BoolFlag{Name: versionFlag, Aliases: []string{"v"}, Usage: "print the version", DisableDefaultText: true},
	}
}

// setting is the text of a global option. One that is given empty counts as not given: then its variable counts.
func setting(c *cli.Context, name string) string {
	if value := c.String(name); value != "" {
		return value
	}
	for _, f := range globalFlags() {
		if s, ok := f.(*cli.StringFlag); ok && s.Name == name && len(s.EnvVars) > 0 {
			return os.Getenv(s.EnvVars[0])
		}
	}
	return ""
}

// helpOption is the library's own, except that it is accepted behind arguments too.
func helpOption() cli.Flag {
	return &cli.BoolFlag{Name: helpFlag, Aliases: []string{"h"}, Usage: "show this", DisableDefaultText: true}
}

// globalAnswers answers --help and --version before any command, and refuses what would be wrong with each.
func (p *program) globalAnswers(c *cli.Context) error {
	if c.Bool(helpFlag) {
		cli.HelpPrinter(p.stdout, appHelp, c.App)
		return errAnswered
	}
	if c.Bool(versionFlag) {
		if _, err := io.WriteString(p.stdout, versionText); err != nil {
			return err
		}
		return errAnswered
	}
	return checkFormat(c.String(outputFlag))
}

// withoutCommand runs when the first operand is no command.
func (p *program) withoutCommand(c *cli.Context) error {
	if name := c.Args().First(); name != "" {
		return unknownCommand(name, c.App.Commands)
	}
	return cli.ShowAppHelp(c)
}

// command completes a leaf: what is the same for all of them.
func (p *program) command(c *cli.Command) *cli.Command {
	c.HideHelp = true
	c.Flags = append(c.Flags, helpOption())
	c.CustomHelpTemplate = commandHelp
	c.OnUsageError = func(ctx *cli.Context, err error, _ bool) error {
		fmt.Fprintf(p.stdout, "Incorrect Usage: %v\n\n", err)
		cli.HelpPrinter(p.stdout, commandHelp, ctx.Command)
		return &failure{code: exitBadArguments, text: err.Error() + "\n"}
	}
	return c
}

// group completes a command that only holds others.
func (p *program) group(c *cli.Command) *cli.Command {
	c.HideHelp = true
	c.Flags = append(c.Flags, helpOption())
	c.CustomHelpTemplate = groupHelp
	c.OnUsageError = func(ctx *cli.Context, err error, _ bool) error {
		fmt.Fprintf(p.stdout, "Incorrect Usage. %v\n\n", err)
		cli.HelpPrinter(p.stdout, groupHelp, ctx.Command)
		return &failure{code: exitBadArguments, text: err.Error() + "\n"}
	}
	c.Action = func(ctx *cli.Context) error {
		args := ctx.Args().Slice()
		if len(args) > 0 && (args[0] == "help" || args[0] == "h") {
			return p.explain(ctx.Command, args[1:])
		}
		return p.explain(ctx.Command, args)
	}
	return c
}
