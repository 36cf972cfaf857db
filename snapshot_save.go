package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

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
			_, err = fmt.Fprintf(stdout, "saved %s: %d keys at index %d, %s\n", file, info.Nodes, info.Index, byteSize(info.Size))
			return err
		}),
	}
}

// saving is one snapshot on its way to a file.
type saving struct {
	file, endpoint, query string
	progress              io.Writer // shows a bar if it is a terminal
}

// save writes the file under another name beside its own, checks it, and then gives it its name, durably.
func (s *saving) save(ctx context.Context) (info *storage.SnapshotInfo, err error) {
	out, err := os.CreateTemp(filepath.Dir(s.file), filepath.Base(s.file)+".part-*")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name()) // the error that counts is told
		}
	}()
	if err := errors.Join(s.download(ctx, out), out.Sync(), out.Close()); err != nil {
		return nil, err
	}
	if info, err = storage.InspectSnapshot(out.Name()); err != nil {
		return nil, fmt.Errorf("what came is no whole snapshot, try again: %w", err)
	}
	if err := os.Rename(out.Name(), s.file); err != nil {
		return nil, err
	}
	return info, syncDirectory(filepath.Dir(s.file))
}

func (s *saving) download(ctx context.Context, out io.Writer) error {
	base, err := url.Parse(s.endpoint)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return &usageError{fmt.Errorf("--endpoint %q is no URL of a member; write it as http://HOST:2379", s.endpoint)}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.endpoint, "/")+"/v2/snapshot"+s.query, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%w; is a member running there? --endpoint says where", err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if resp.StatusCode != http.StatusOK {
		return refusedSnapshot(s.endpoint, resp)
	}
	bar := s.bar(resp.ContentLength)
	defer func() { _ = bar.Clear() }() // a bar that stays does no harm
	if _, err := io.Copy(io.MultiWriter(out, bar), resp.Body); err != nil {
		return fmt.Errorf("the connection to %s broke: %w", s.endpoint, err)
	}
	return nil
}

// refusedSnapshot is the error for an answer without a snapshot.
func refusedSnapshot(endpoint string, resp *http.Response) error {
	var body struct {
		Message string `json:"message"`
	}
	if resp.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%s has no snapshots: it is no pando, or an older one", endpoint)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&body); err != nil || body.Message == "" {
		return fmt.Errorf("%s answered %s", endpoint, resp.Status)
	}
	return fmt.Errorf("%s answered %s: %s", endpoint, resp.Status, body.Message)
}

// bar shows the progress on a terminal, and nothing elsewhere.
func (s *saving) bar(size int64) *progressbar.ProgressBar {
	out := io.Discard
	if f, ok := s.progress.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		out = f
	}
	return progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("saving"),
		progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
}

// syncDirectory makes the names in a directory durable.
func syncDirectory(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// byteSize writes a number of bytes for people.
func byteSize(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefix := float64(n)/unit, 0
	for value >= unit && prefix < len("KMGTP")-1 {
		value, prefix = value/unit, prefix+1
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[prefix])
}
