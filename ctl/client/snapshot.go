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

// DefaultSnapshotTimeout is a suitable Config.HeaderTimeout for SaveSnapshot: the member writes a checkpoint before it
// responds.
const DefaultSnapshotTimeout = time.Minute

// errNoSnapshots is returned for a server that is not Pando.
var errNoSnapshots = errors.New("the server has no snapshots, it is not Pando; pando ctl export reads any v2 server")

// SnapshotOptions are the parameters of SaveSnapshot.
type SnapshotOptions struct {
	// Local requests the state that the member itself has applied. It works without a quorum.
	Local bool
	// Progress returns a writer that receives every byte as it arrives. size is the length of the snapshot, or -1 if it is
	// not known. Progress may be nil.
	Progress func(size int64) io.Writer
	// Check checks the file before it is renamed to its final name. If it returns an error, the file is deleted. It may be
	// nil.
	Check func(path string) error
}

// SaveSnapshot saves a snapshot to a file. It tries the members in turn, and returns the URL of the member that has sent the
// snapshot, and the size in bytes. The file appears, or replaces an older file, when it is complete, checked and synced.
// After an error there is no new file, and an older file is unchanged.
//
// Config.HeaderTimeout and Config.BodyTimeout apply to each member.
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

// saveSnapshotFrom saves the snapshot of one member.
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
		return 0, ExplainTLS(limits.explain(err), c.config.TLS)
	}
	response.Body = limits.limitBody(response.Body, pause, fmt.Errorf("the member sent nothing for %s", pause))
	defer response.Body.Close()
	if err := snapshotRefusal(response); err != nil {
		return 0, err
	}
	return writeFile(file, response, o)
}

// writeFile writes the body of a response to a temporary file beside file, syncs and checks it, and renames it to file.
func writeFile(file string, response *http.Response, o SnapshotOptions) (size int64, err error) {
	out, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".part-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name()) // return the first error, not this one
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

// snapshotRefusal returns the error for a response that is not a snapshot, or nil.
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
	if refusesPlainHTTP(response.StatusCode, body) {
		return errPlainHTTP
	}
	a := &answer{response.StatusCode, response.Header, body}
	return a.decode(http.StatusNoContent, nil,
		http.StatusServiceUnavailable, http.StatusInternalServerError, http.StatusUnauthorized, http.StatusForbidden)
}

// syncDirectory syncs a directory, so that a rename in it is durable.
func syncDirectory(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
