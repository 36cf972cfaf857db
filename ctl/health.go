package ctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"pando/ctl/client"
)

// healthInterval is the time between two checks of cluster-health --forever.
const healthInterval = 10 * time.Second

func (p *program) healthCommand() *cli.Command {
	var forever bool
	return p.command(&cli.Command{
		Name: "cluster-health", Usage: "check the health of the etcd cluster",
		Flags: []cli.Flag{boolFlag(&forever, "again every 10 seconds until CTRL+C", "forever", "f")},
		Description: p.examples(
			`cluster-health`, "ask every member; exit code 5 if one is not healthy",
			`cluster-health && deploy`, "continue only with a healthy cluster"),
		Action: func(c *cli.Context) error {
			cl, err := p.newClient(c.Context)
			if err != nil {
				return serverFailure(err)
			}
			p.debugEndpoints(cl)
			if forever {
				return p.checkHealthForever(c.Context, cl)
			}
			return p.checkHealth(c.Context, cl)
		},
	})
}

// checkHealthForever checks again and again until ctx is done.
func (p *program) checkHealthForever(ctx context.Context, cl *client.Client) error {
	for {
		err := p.checkHealth(ctx, cl)
		if ctx.Err() != nil {
			return nil
		}
		if f, ok := errors.AsType[*failure](err); ok {
			fmt.Fprint(p.stderr, f.text)
		} else if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(p.stdout, "\nnext check after 10 second...\n\n"); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(healthInterval):
		}
	}
}

// checkHealth asks all members once. It returns a failure if one is not healthy.
func (p *program) checkHealth(ctx context.Context, cl *client.Client) error {
	members, err := cl.Members(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		fmt.Fprintln(p.stdout, "cluster may be unhealthy: failed to list members")
		return serverFailure(err)
	}
	healthy := 0
	for _, m := range members {
		ok, err := p.memberHealth(ctx, cl, m)
		if err != nil {
			return err
		}
		if ok {
			healthy++
		}
	}
	verdict := "cluster is degraded"
	switch healthy {
	case len(members):
		_, err := fmt.Fprintln(p.stdout, "cluster is healthy")
		return err
	case 0:
		verdict = "cluster is unavailable"
	}
	if _, err := fmt.Fprintln(p.stdout, verdict); err != nil {
		return err
	}
	return &failure{code: exitUnhealthy}
}

// memberHealth asks one member at its URLs in turn until one answers, and prints the result. The error is one of printing,
// or that of ctx.
func (p *program) memberHealth(ctx context.Context, cl *client.Client, m client.Member) (healthy bool, err error) {
	if len(m.ClientURLs) == 0 {
		_, err := fmt.Fprintf(p.stdout, "member %s is unreachable: no available published client urls\n", m.ID)
		return false, err
	}
	for _, u := range m.ClientURLs {
		healthy, err := cl.Health(ctx, u)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil {
			if _, err := fmt.Fprintf(p.stdout, "failed to check the health of member %s on %s: %v\n", m.ID, u, err); err != nil {
				return false, err
			}
			continue
		}
		word := "unhealthy"
		if healthy {
			word = "healthy"
		}
		_, err = fmt.Fprintf(p.stdout, "member %s is %s: got %s result from %s\n", m.ID, word, word, u)
		return healthy, err
	}
	_, err = fmt.Fprintf(p.stdout, "member %s is unreachable: %v are all unreachable\n", m.ID, m.ClientURLs)
	return false, err
}
