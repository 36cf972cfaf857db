package v3

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	v2client "pando/ctl/client"
	"pando/ctl/terminal"
	"pando/ctl/v3/client"
)

// clusterCommand is the part of a command after it has connected.
type clusterCommand func(ctx context.Context, cl *client.Client, c *cli.Context) error

// calling returns the action of a short command: it connects and runs the command, which --command-timeout limits.
func (p *program) calling(run clusterCommand) cli.ActionFunc {
	return p.waiting(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
		ctx, cancel := p.limited(ctx)
		defer cancel()
		return run(ctx, cl, c)
	})
}

// withArguments is calling, for a command that takes a number of arguments. wrong is the error for another number.
func (p *program) withArguments(number int, wrong string,
	run func(ctx context.Context, cl *client.Client, args []string) error) cli.ActionFunc {
	return p.calling(func(ctx context.Context, cl *client.Client, c *cli.Context) error {
		if c.NArg() != number {
			return badArguments("%s", wrong)
		}
		return run(ctx, cl, c.Args().Slice())
	})
}

// waiting returns the action of a command without a time limit.
func (p *program) waiting(run clusterCommand) cli.ActionFunc {
	return func(c *cli.Context) error {
		cl, err := p.connect(c.Context)
		if err != nil {
			return err
		}
		defer cl.Close()
		return run(c.Context, cl, c)
	}
}

// limited returns the context of a short command.
func (p *program) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, p.globals.commandTimeout)
}

// connect returns a client for the endpoints that the user gave. A user logs in at once, so that a wrong password is an error of its own.
func (p *program) connect(ctx context.Context) (*client.Client, error) {
	config, err := p.config(ctx)
	if err != nil {
		return nil, err
	}
	return p.open(ctx, config)
}

// open returns a client with a config that has logged in.
func (p *program) open(ctx context.Context, config client.Config) (*client.Client, error) {
	cl, err := client.New(config)
	if err != nil {
		return nil, &failure{exitBadArguments, err}
	}
	limited, cancel := p.limited(ctx)
	defer cancel()
	if err := cl.Login(limited); err != nil {
		cl.Close()
		return nil, &failure{exitBadConnection, err}
	}
	return cl, nil
}

// config returns the settings of the client from the global flags. Its errors are about them.
func (p *program) config(ctx context.Context) (client.Config, error) {
	g := &p.globals
	endpoints, err := p.discover(ctx)
	if err != nil {
		return client.Config{}, err
	}
	tlsConfig, err := g.tlsConfig(g.tls)
	if err != nil {
		return client.Config{}, &failure{exitBadArguments, err}
	}
	config := client.Config{
		Endpoints: endpoints, TLS: tlsConfig, Token: g.token,
		DialTimeout: g.dialTimeout, KeepAliveTime: g.keepAliveTime, KeepAliveTimeout: g.keepAliveTimeout,
		MaxSendBytes: g.maxSendBytes, MaxRecvBytes: g.maxRecvBytes,
	}
	if g.token == "" {
		config.User, config.Password, err = p.credentials(ctx, g.user, g.password)
	}
	if g.debug {
		config.Debug = p.stderr
	}
	return config, err
}

// tlsConfig returns the TLS settings for files, or nil for plain connections.
func (g *globals) tlsConfig(files v2client.TLSFiles) (*tls.Config, error) {
	config, err := files.Config()
	if err != nil {
		return nil, err
	}
	if config == nil && (!g.insecureTransport || g.insecureVerify) {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if config != nil {
		config.InsecureSkipVerify = g.insecureVerify
	}
	return config, nil
}

// credentials returns the user and the password of --user and --password. It asks for a password that is missing.
func (p *program) credentials(ctx context.Context, user, password string) (string, string, error) {
	if user == "" {
		return "", "", nil
	}
	if password != "" {
		return user, password, nil
	}
	name, password, found := strings.Cut(user, ":")
	if !found {
		var err error
		if password, err = p.askPassword(ctx, "Password: "); err != nil {
			return "", "", err
		}
	}
	return name, password, nil
}

// askPassword reads a password from the terminal without echo, or a line from any other input.
func (p *program) askPassword(ctx context.Context, prompt string) (string, error) {
	return terminal.AskPassword(ctx, p.stdin, p.stdout, prompt)
}

// discover returns the endpoints of --discovery-srv, or those of --endpoints.
func (p *program) discover(ctx context.Context) ([]string, error) {
	g := &p.globals
	if g.discovery == "" {
		return g.endpointList(), nil
	}
	secure, plain, err := v2client.Discover(ctx, g.discovery, g.discoveryName)
	if err != nil {
		return nil, err
	}
	if !g.insecureDiscovery {
		for _, e := range plain {
			fmt.Fprintf(p.stderr, "ignoring discovered insecure endpoint %q\n", e)
		}
		plain = nil
	}
	endpoints := slices.Concat(secure, plain)
	if len(endpoints) == 0 {
		return nil, fail(exitError, "the DNS has no endpoint with TLS for %s; --insecure-discovery accepts the others", g.discovery)
	}
	if len(plain) == 0 {
		g.tls.ServerName = g.discovery // so forged DNS records can't lead to a server of another domain
	}
	return endpoints, nil
}

// readInput reads stdin to its end. It says on a terminal that the command waits for input.
func (p *program) readInput(ctx context.Context, what string) ([]byte, error) {
	p.announceInput(what)
	return terminal.Interruptible(ctx, func() ([]byte, error) { return io.ReadAll(p.stdin) })
}

// announceInput prints that the command waits for input, if stdin is a terminal.
func (p *program) announceInput(what string) {
	if terminal.Is(p.stdin) {
		fmt.Fprintf(p.stderr, "reading %s from the terminal; CTRL+D on an empty line ends it\n", what)
	}
}
