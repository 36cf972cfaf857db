package v3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"pando/ctl/v3/client"
)

// endpointHealth is the answer of one endpoint to endpoint health.
type endpointHealth struct {
	Endpoint string `json:"endpoint"`
	Health   bool   `json:"health"`
	Took     string `json:"took"`
	Error    string `json:"error,omitempty"`
}

func (p *program) endpointHealthCommand() *cli.Command {
	options := endpointOptions{}
	return p.command(&cli.Command{
		Name: "health", Usage: "check whether each endpoint answers", ArgsUsage: " ",
		Flags: []cli.Flag{options.flag()},
		Description: p.explain(`An endpoint is healthy if it answers a read that the cluster has to agree to, and reports no alarm. All
			endpoints are asked at once. The exit code is 1 if one is not healthy.`),
		Action: p.waiting(func(ctx context.Context, cl *client.Client, _ *cli.Context) error {
			endpoints, err := p.endpoints(ctx, cl, options)
			if err != nil {
				return err
			}
			list := make([]endpointHealth, len(endpoints))
			var group sync.WaitGroup
			for i, endpoint := range endpoints {
				group.Go(func() { list[i] = p.checkEndpoint(ctx, cl, endpoint) })
			}
			group.Wait()
			if err := p.print(p.healthAnswer(list)); err != nil {
				return err
			}
			for _, h := range list {
				if h.Error != "" {
					return fail(exitError, "unhealthy cluster")
				}
			}
			return nil
		}),
	}, tableFormats...)
}

// checkEndpoint checks one endpoint.
func (p *program) checkEndpoint(ctx context.Context, cl *client.Client, endpoint string) endpointHealth {
	h := endpointHealth{Endpoint: endpoint}
	at, err := cl.At(endpoint)
	if err != nil {
		h.Error = err.Error()
		return h
	}
	defer at.Close()
	ctx, cancel := p.limited(ctx)
	defer cancel()
	began := time.Now()
	_, err = at.KV.Range(ctx, &pb.RangeRequest{Key: []byte("health")})
	h.Took = time.Since(began).String()
	// A refusal because of the rights of the user is an answer, and the cluster had to agree to the read.
	if err != nil && !errors.Is(err, rpctypes.ErrPermissionDenied) {
		h.Error = err.Error()
		return h
	}
	h.Health = true
	alarms, err := at.Maintenance.Alarm(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_GET})
	switch {
	case errors.Is(err, rpctypes.ErrPermissionDenied):
	case err != nil:
		h.Health, h.Error = false, "Unable to fetch the alarm list"
	case len(alarms.Alarms) > 0:
		h.Health, h.Error = false, "Active Alarm(s): "
		var names []string
		for _, a := range alarms.Alarms {
			names = append(names, a.Alarm.String())
		}
		h.Error += strings.Join(names, ", ")
	}
	return h
}

func (p *program) healthAnswer(list []endpointHealth) answer {
	var rows [][]string
	for _, h := range list {
		rows = append(rows, []string{h.Endpoint, fmt.Sprint(h.Health), h.Took, h.Error})
	}
	return answer{
		json: list,
		simple: func(t *text) {
			for _, h := range list {
				if h.Error == "" {
					t.linef("%s is healthy: successfully committed proposal: took = %s", h.Endpoint, h.Took)
				} else {
					fmt.Fprintf(p.stderr, "%s is unhealthy: failed to commit proposal: %s\n", h.Endpoint, h.Error)
				}
			}
		},
		table: func() *table { return &table{[]string{"ENDPOINT", "HEALTH", "TOOK", "ERROR"}, rows} },
		fields: func(t *text) {
			for _, h := range list {
				t.field("Endpoint", h.Endpoint)
				t.field("Health", h.Health)
				t.linef("%q : %s", "Took", h.Took)
				t.linef("%q : %s", "Error", h.Error)
				t.linef("")
			}
		},
	}
}
