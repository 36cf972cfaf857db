package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
)

// DefaultSnapshotTimeout is how long a member should be given to begin a snapshot: it writes a checkpoint first.
const DefaultSnapshotTimeout = time.Minute

// errNoSnapshots: a server that is not Pando answered.
var errNoSnapshots = errors.New("the server has no snapshots, it is not Pando; pando ctl export reads any v2 server")

// SnapshotOptions are the parameters of SaveSnapshot.
type SnapshotOptions struct {
	// Local asks for what one member has applied, without asking the other members. It works without a quorum.
	Local bool
	// Progress returns a writer that is given every byte as it arrives; size is the length of the snapshot, -1 if the
	// member does not say. Nil: nothing is shown.
	Progress func(size int64) io.Writer
	// Check looks at the file before it gets its name; an error of it discards the file. It may be nil.
	Check func(path string) error
}

// SaveSnapshot saves a snapshot to a file, from the first member that sends a whole one, and returns that member's URL and
// the size in bytes. The file appears, or replaces an older one, when it is complete, checked and synced. After an error
// nothing is left behind, and an older file is as it was.
//
// Config.HeaderTimeout limits how long each member may take to begin, Config.BodyTimeout how long it may pause.
func (c *Client) SaveSnapshot(ctx context.Context, file string, o SnapshotOptions) (from *url.URL, size int64, err error) {
	var failed error
	for _, endpoint := range c.config.Endpoints {
		if size, err = c.saveSnapshotFrom(ctx, endpoint, file, o); err == nil {
			return endpoint, size, nil
		}
		failed = errors.Join(failed, fmt.Errorf("%s: %w", endpoint, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, 0, failed
}

// saveSnapshotFrom asks one member.
func (c *Client) saveSnapshotFrom(ctx context.Context, endpoint *url.URL, file string, o SnapshotOptions) (size int64, err error) {
	begin, pause := c.config.HeaderTimeout, c.config.BodyTimeout
	limits := startDeadline(ctx, begin, fmt.Errorf("no answer began within %s", begin))
	defer limits.stop()
	r := &request{method: http.MethodGet, path: "/v2/snapshot"}
	if o.Local {
		r.query = url.Values{"local": {"true"}}
	}
	req, err := c.httpRequest(limits.ctx, requestURL(endpoint, r), r)
	if err != nil {
		return 0, err
	}
	response, err := c.transport.RoundTrip(req)
	if err != nil {
		return 0, limits.explain(err)
	}
	response.Body = limits.body(response.Body, pause, fmt.Errorf("the member sent nothing for %s", pause))
	defer response.Body.Close()
	if err := snapshotRefusal(response); err != nil {
		return 0, err
	}
	return writeFile(file, response, o)
}

// writeFile writes an answer to a new file beside file, checks it, and gives it its name, durably.
func writeFile(file string, response *http.Response, o SnapshotOptions) (size int64, err error) {
	out, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".part-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name()) // err is the error that counts
		}
	}()
	to := io.Writer(out)
	if o.Progress != nil {
		to = io.MultiWriter(out, o.Progress(response.ContentLength))
	}
	size, err = io.Copy(to, response.Body)
	if err != nil {
		err = fmt.Errorf("the transfer broke off after %s: %w", humanize.IBytes(uint64(size)), err)
	}
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return 0, err
	}
	if o.Check != nil {
		if err := o.Check(out.Name()); err != nil {
			return 0, fmt.Errorf("the snapshot that arrived is damaged, try again: %w", err)
		}
	}
	if err := os.Rename(out.Name(), file); err != nil {
		return 0, err
	}
	return size, syncDirectory(filepath.Dir(file))
}

// snapshotRefusal is the error of an answer that holds no snapshot.
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
	a := &answer{response.StatusCode, response.Header, body}
	return a.decode(http.StatusNoContent, nil,
		http.StatusServiceUnavailable, http.StatusInternalServerError, http.StatusUnauthorized, http.StatusForbidden)
}

// syncDirectory makes the names in a directory durable.
func syncDirectory(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
