package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

const localFlag = "local"

// errNoSnapshots: another server than Pando answered.
var errNoSnapshots = errors.New("it has no snapshots, it is no Pando; export reads any v2 server")

// snapshotCommands is the snapshot group. What needs no running server is not the client's.
func (p *program) snapshotCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "snapshot", Usage: "save the state of a running Pando to a file",
		Description: "SEE ALSO:\n   pando snapshot status FILE     what a snapshot holds, and whether it is whole\n" +
			"   pando snapshot restore FILE    a new data directory from it",
		Subcommands: []*cli.Command{
			p.command(&cli.Command{
				Name: "save", Usage: "save all keys, hidden ones too, as they are at one moment", ArgsUsage: "<file>", Action: p.saveSnapshot,
				Flags: []cli.Flag{&cli.BoolFlag{Name: localFlag, Usage: "what one member has, without asking the others, when the cluster has lost its quorum", DisableDefaultText: true}},
				Description: `DESCRIPTION:
   Any member will do. The file has all that was acknowledged before; one that is there already is replaced when the new one
   has come whole. Works with Pando only.

` + p.examples(
					`snapshot save backup.snap`, "then: pando snapshot status backup.snap",
					`--no-sync --endpoints http://10.0.0.1:2379 snapshot save --local rescue.snap`, "from a member that is left alone"),
			}),
		},
	})
}

func (p *program) saveSnapshot(c *cli.Context) error {
	file := c.Args().First()
	if file == "" {
		return badArguments("snapshot save needs the name of a file")
	}
	cl, err := p.connect(c)
	if err != nil {
		return err
	}
	query := url.Values{}
	if c.Bool(localFlag) {
		query.Set("local", "true")
	}
	var failed error
	for _, endpoint := range cl.endpoints {
		size, err := p.saveFrom(c.Context, cl, endpoint, &request{method: http.MethodGet, path: "/v2/snapshot", query: query}, file)
		if err == nil {
			_, err = fmt.Fprintf(p.stdout, "saved %s: %s from %s\n", file, byteCount(uint64(size)), endpoint)
			return err
		}
		if c.Context.Err() != nil {
			return c.Context.Err()
		}
		failed = errors.Join(failed, fmt.Errorf("%s: %w", endpoint, err))
	}
	return failWith(exitServer, fmt.Errorf("%s was not saved: %w", file, failed))
}

// saveFrom writes what one member sends beside the file, and gives it the file's name when it is whole and durable.
func (p *program) saveFrom(ctx context.Context, cl *client, endpoint *url.URL, r *request, file string) (size int64, err error) {
	req, err := cl.httpRequest(ctx, requestURL(endpoint, r), r)
	if err != nil {
		return 0, err
	}
	response, err := cl.transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if err := snapshotRefusal(response); err != nil {
		return 0, err
	}
	out, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".part-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name()) // the error that counts is told
		}
	}()
	bar := p.byteBar(response.ContentLength)
	size, err = io.Copy(io.MultiWriter(out, bar), response.Body)
	_ = bar.Clear() // a bar that stays does no harm
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return 0, err
	}
	if err := os.Rename(out.Name(), file); err != nil {
		return 0, err
	}
	return size, syncDirectory(filepath.Dir(file))
}

// snapshotRefusal is the error of an answer without a snapshot.
func snapshotRefusal(response *http.Response) error {
	if response.StatusCode == http.StatusNotFound {
		return errNoSnapshots
	}
	if response.StatusCode == http.StatusOK && response.Header.Get("Content-Type") == "application/octet-stream" {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return err
	}
	return readMembers(&answer{response.StatusCode, response.Header, body}, http.StatusNoContent, nil,
		http.StatusServiceUnavailable, http.StatusInternalServerError, http.StatusUnauthorized, http.StatusForbidden)
}

// byteBar shows the progress on a terminal, and nothing elsewhere.
func (p *program) byteBar(size int64) *progressbar.ProgressBar {
	out := io.Discard
	if f, ok := p.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		out = f
	}
	return progressbar.NewOptions64(size, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("saving"),
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
