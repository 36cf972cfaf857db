package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

const foreverFlag = "forever"

// healthInterval is the pause of cluster-health --forever.
const healthInterval = 10 * time.Second

func (p *program) healthCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "cluster-health", Usage: "check the health of the etcd cluster", Action: p.clusterHealth,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: foreverFlag, Aliases: []string{"f"}, Usage: "again every 10 seconds until CTRL+C", DisableDefaultText: true},
		},
		Description: p.examples(
			`cluster-health`, "ask every member; exit code 5 if one is not healthy",
			`cluster-health && deploy`, "go on only with a healthy cluster"),
	})
}

func (p *program) clusterHealth(c *cli.Context) error {
	cl, err := p.newClient(c)
	if err != nil {
		if f, ok := errors.AsType[*failure](err); ok {
			return f
		}
		return failWith(exitServer, err)
	}
	cl.debugf("Cluster-Endpoints: %s\n", strings.Join(cl.endpointNames(), ", "))
	for {
		err := p.checkHealth(c, cl)
		if !c.Bool(foreverFlag) {
			return err
		}
		if c.Context.Err() != nil {
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
		case <-c.Context.Done():
			return nil
		case <-time.After(healthInterval):
		}
	}
}

// checkHealth asks all members once. Not all healthy is a failure.
func (p *program) checkHealth(c *cli.Context, cl *client) error {
	members, err := cl.members(c.Context)
	if c.Context.Err() != nil {
		return c.Context.Err()
	}
	if err != nil {
		fmt.Fprintln(p.stdout, "cluster may be unhealthy: failed to list members")
		return serverFailure(err)
	}
	healthy := 0
	for _, m := range members {
		good, err := p.memberHealth(c, cl, m)
		if err != nil {
			return err
		}
		if good {
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

// memberHealth asks one member at its URLs in turn, and prints what it found. The error is one of printing.
func (p *program) memberHealth(c *cli.Context, cl *client, m member) (bool, error) {
	if len(m.ClientURLs) == 0 {
		_, err := fmt.Fprintf(p.stdout, "member %s is unreachable: no available published client urls\n", m.ID)
		return false, err
	}
	for _, u := range m.ClientURLs {
		good, err := cl.health(c.Context, u)
		if c.Context.Err() != nil {
			return false, c.Context.Err()
		}
		if err != nil {
			if _, err := fmt.Fprintf(p.stdout, "failed to check the health of member %s on %s: %v\n", m.ID, u, err); err != nil {
				return false, err
			}
			continue
		}
		word := "unhealthy"
		if good {
			word = "healthy"
		}
		_, err = fmt.Fprintf(p.stdout, "member %s is %s: got %s result from %s\n", m.ID, word, word, u)
		return good, err
	}
	_, err := fmt.Fprintf(p.stdout, "member %s is unreachable: %v are all unreachable\n", m.ID, m.ClientURLs)
	return false, err
}

// health asks the member at a client URL whether it is well. Both {"health":"true"} and {"health":true} say yes.
func (cl *client) health(ctx context.Context, clientURL string) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, clientURL+"/health", nil)
	if err != nil {
		return false, err
	}
	h := http.Client{Transport: cl.transport, Timeout: cl.headerTimeout}
	response, err := h.Do(req)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	var body struct {
		Health any `json:"health"`
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return false, err
	}
	return body.Health == true || body.Health == "true", nil
}
