package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pando/ctl"
	"pando/ctl/baseurl"
	"pando/members/config"
	"pando/storage"
)

func saveCommand(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name: "save", Usage: "save a running cluster's state to a file", ArgsUsage: "FILE",
		Description: `Any member will do, and clients notice nothing. The file has all that was acknowledged before; one that is
there already is replaced when the new one is whole and its checksum right.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "endpoint", Aliases: []string{"endpoints"}, Value: config.DefaultClientURL,
				Usage: "client `URL` of a member, or several, separated by commas: the first that answers"},
			&cli.DurationFlag{Name: "timeout", Value: ctl.SnapshotPatience,
				Usage: "how long one member may take to begin; then it may pause for half a minute"},
			&cli.BoolFlag{Name: "local", Usage: "take what the member has without asking the others, for a cluster that has lost its quorum"},
		},
		Action: withFile(func(c *cli.Context, file string) error {
			s := &saving{file: file, patience: c.Duration("timeout"), progress: stderr}
			var err error
			if s.endpoints, err = baseurl.ParseList(strings.Split(c.String("endpoint"), ",")); err != nil {
				return config.AsUsage(fmt.Errorf("--endpoint: %w", err))
			}
			if s.patience <= 0 {
				return config.AsUsage(errors.New("--timeout: give a time above 0, for example --timeout=30s"))
			}
			if c.Bool("local") {
				s.query = "local=true"
			}
			info, err := s.save(c.Context)
			if err != nil {
				return fmt.Errorf("%s was not saved: %w", file, err)
			}
			_, err = fmt.Fprintf(stdout, "saved %s: %d keys at index %d, %s\n", file, info.Nodes, info.Index, ctl.ByteCount(uint64(info.Size)))
			return err
		}),
	}
}

// saving is one snapshot on its way to a file.
type saving struct {
	file      string
	endpoints []*url.URL
	query     string
	patience  time.Duration
	progress  io.Writer // shows a bar if it is a terminal
}

// save writes the file, and tells what is in it.
func (s *saving) save(ctx context.Context) (info *storage.SnapshotInfo, err error) {
	d := &ctl.Download{
		File: s.file, Transport: http.DefaultTransport, Progress: s.progress, Begin: s.patience,
		Check: func(path string) error {
			info, err = storage.InspectSnapshot(path)
			return err
		},
	}
	_, _, err = d.SaveFrom(ctx, s.endpoints, s.request)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		err = fmt.Errorf("%w; is a member running there? --endpoint says where", err)
	}
	return info, err
}

func (s *saving) request(ctx context.Context, endpoint *url.URL) (*http.Request, error) {
	target := endpoint.JoinPath("/v2/snapshot")
	target.RawQuery = s.query
	return http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
}
