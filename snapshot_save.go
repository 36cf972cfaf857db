package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/urfave/cli/v2"

	"pando/ctl"
	"pando/storage"
)

func saveCommand(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name: "save", Usage: "save a running cluster's state to a file", ArgsUsage: "FILE",
		Description: `Any member will do, and clients notice nothing. The file has all that was acknowledged before; one that is
there already is replaced when the new one is whole and its checksum right.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "endpoint", Value: defaultClientURL, Usage: "client `URL` of a member"},
			&cli.BoolFlag{Name: "local", Usage: "take what the member has without asking the others, for a cluster that has lost its quorum"},
		},
		Action: withFile(func(c *cli.Context, file string) error {
			s := &saving{file: file, endpoint: c.String("endpoint"), progress: stderr}
			if c.Bool("local") {
				s.query = "?local=true"
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
	file, endpoint, query string
	progress              io.Writer // shows a bar if it is a terminal
}

// save writes the file, and tells what is in it.
func (s *saving) save(ctx context.Context) (info *storage.SnapshotInfo, err error) {
	base, err := url.Parse(s.endpoint)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, &usageError{fmt.Errorf("--endpoint %q is no URL of a member; write it as http://HOST:2379", s.endpoint)}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.endpoint, "/")+"/v2/snapshot"+s.query, nil)
	if err != nil {
		return nil, err
	}
	d := &ctl.Download{File: s.file, Transport: http.DefaultTransport, Progress: s.progress, Check: func(path string) error {
		info, err = storage.InspectSnapshot(path)
		return err
	}}
	_, err = d.Save(req)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		err = fmt.Errorf("%w; is a member running there? --endpoint says where", err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.endpoint, err)
	}
	return info, nil
}
