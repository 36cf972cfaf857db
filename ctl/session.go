package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
	"pando/ctl/terminal"
)

// subtreeTimeout is how long a member may take to begin an answer that holds a whole subtree, unless the user gave --timeout.
const subtreeTimeout = 5 * time.Minute

// clusterCommand is the part of a command after it has connected. ctx ends with the time limit of the command.
type clusterCommand func(ctx context.Context, cl *client.Client, args []string) error

// connected returns the action of a command that needs the cluster: it connects, sets the time limit, and calls run.
func (p *program) connected(limit func(context.Context) (context.Context, context.CancelFunc), run clusterCommand) cli.ActionFunc {
	return func(c *cli.Context) error {
		cl, err := p.connect(c.Context)
		if err != nil {
			return err
		}
		ctx, cancel := limit(c.Context)
		defer cancel()
		return run(ctx, cl, c.Args().Slice())
	}
}

// writing returns the action of a command that writes: --total-timeout or its default limits the command.
func (p *program) writing(run clusterCommand) cli.ActionFunc {
	return p.connected(p.globals.limited, run)
}

// reading returns the action of a command that reads: only a --total-timeout that the user gave limits the command.
func (p *program) reading(run clusterCommand) cli.ActionFunc {
	return p.connected(p.globals.limitedIfSet, run)
}

// readingSubtrees is reading, for a command that reads whole subtrees, which may take a server long.
func (p *program) readingSubtrees(run clusterCommand) cli.ActionFunc {
	return p.reading(func(ctx context.Context, cl *client.Client, args []string) error {
		if !p.globals.timeoutGiven {
			cl = cl.WithHeaderTimeout(subtreeTimeout)
		}
		return run(ctx, cl, args)
	})
}

// waiting returns the action of a command without a time limit.
func (p *program) waiting(run clusterCommand) cli.ActionFunc {
	return p.connected(p.globals.unlimited, run)
}

// connect returns the client of a command. Without --no-sync it asks the first endpoint that answers for the members' URLs.
func (p *program) connect(ctx context.Context) (*client.Client, error) {
	cl, err := p.newClient(ctx)
	if err != nil {
		return nil, bareFailure(err)
	}
	if !p.globals.noSync {
		if err := p.sync(ctx, cl); err != nil {
			return nil, err
		}
	}
	p.debugEndpoints(cl)
	return cl, nil
}

// newClient returns a client for the endpoints that the user gave, in random order. Its errors are about the user's settings.
func (p *program) newClient(ctx context.Context) (*client.Client, error) {
	g := &p.globals
	names, err := p.endpointList(ctx)
	if err != nil {
		return nil, err
	}
	tlsConfig, err := g.tls.Config()
	if err != nil {
		return nil, err
	}
	user, password, err := p.credentials(ctx)
	if err != nil {
		return nil, err
	}
	endpoints, err := client.ParseEndpoints(names...)
	if err != nil {
		return nil, err
	}
	client.Shuffle(endpoints)
	config := client.Config{
		Endpoints: endpoints, TLS: tlsConfig, User: user, Password: password, HeaderTimeout: g.timeout,
		// Longer than the limit of the command, so that the limit of the command is the one in the error.
		DialTimeout: max(g.totalTimeout, 0) + 100*time.Millisecond,
	}
	if g.debug {
		config.Debug = p.stderr
	}
	return client.New(config), nil
}

func (p *program) debugEndpoints(cl *client.Client) {
	cl.Debugf("Cluster-Endpoints: %s\n", strings.Join(cl.Endpoints(), ", "))
}

// sync replaces the client's endpoints by the URLs that the members publish. If an endpoint answers with anything but a list
// of members, the endpoints stay as they are.
func (p *program) sync(ctx context.Context, cl *client.Client) error {
	given := strings.Join(cl.Endpoints(), ",")
	cl.Debugf("start to sync cluster using endpoints(%s)\n", given)
	limited, cancel := p.globals.limited(ctx)
	defer cancel()
	err := cl.Sync(limited)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	cluster, unavailable := errors.AsType[*client.ClusterError](err)
	switch {
	case errors.Is(err, client.ErrUnpublished):
		fmt.Fprintf(p.stderr, "etcd cluster has no published client endpoints.\n"+
			"Try '--no-sync' if you want to access non-published client endpoints(%s).\n", given)
		return serverFailure(err)
	case unavailable && cluster.Unconnected(), err != nil && limited.Err() != nil:
		return failWith(exitBadConnection, err)
	}
	cl.Debugf("got endpoints(%s) after sync\n", strings.Join(cl.Endpoints(), ","))
	return nil
}

// endpointList returns the endpoints that the user gave: from DNS if a domain was named and has any, else from the other
// options, else the default ones. The certificates of endpoints from DNS must have the name of the domain, as in the legacy client.
func (p *program) endpointList(ctx context.Context) ([]string, error) {
	g := &p.globals
	if g.discovery != "" {
		secure, plain, err := client.Discover(ctx, g.discovery, "")
		if err != nil {
			return nil, bareFailure(err)
		}
		if g.insecureDiscovery {
			secure = append(secure, plain...)
		} else {
			for _, e := range plain {
				fmt.Fprintf(p.stderr, "ignoring discovered insecure endpoint %q\n", e)
			}
		}
		if len(secure) > 0 {
			g.tls.ServerName = g.discovery // so forged DNS records can't lead to a server of another domain
			return secure, nil
		}
	}
	list := g.namedEndpoints()
	if list == "" {
		list = defaultEndpoints
	}
	return strings.Split(list, ","), nil
}

// announceStdin prints that the command waits for input, if stdin is a terminal.
func (p *program) announceStdin(what string) {
	if terminal.Is(p.stdin) {
		fmt.Fprintf(p.stderr, "reading %s from the terminal; CTRL+D on an empty line ends it\n", what)
	}
}

// readStdin reads standard input to its end.
func (p *program) readStdin(ctx context.Context, what string) ([]byte, error) {
	p.announceStdin(what)
	return terminal.Interruptible(ctx, func() ([]byte, error) { return io.ReadAll(p.stdin) })
}
