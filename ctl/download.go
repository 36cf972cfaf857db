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
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// errNoSnapshots: another server than Pando answered.
var errNoSnapshots = errors.New("it has no snapshots, it is no pando; pando ctl export reads any v2 server")

// Download is a snapshot on its way from a member to a file.
type Download struct {
	// File gets its name when it is whole; one that is there already is replaced.
	File string
	// Transport carries the request.
	Transport http.RoundTripper
	// Progress shows a bar if it is a terminal.
	Progress io.Writer
	// Begin is how long the member may take until it sends; zero means for ever.
	Begin time.Duration
	// Pause is how long it may then send nothing; zero means half a minute.
	Pause time.Duration
	// Check, unless nil, looks at what came before it gets the file's name.
	Check func(path string) error
}

// SnapshotRequest makes the request for a snapshot to one endpoint.
type SnapshotRequest func(ctx context.Context, endpoint *url.URL) (*http.Request, error)

// SaveFrom saves from the first endpoint that has a whole snapshot, and returns which one that was and the size in bytes.
func (d *Download) SaveFrom(ctx context.Context, endpoints []*url.URL, request SnapshotRequest) (from *url.URL, size int64, err error) {
	var failed error
	for _, endpoint := range endpoints {
		r, err := request(ctx, endpoint)
		if err != nil {
			return nil, 0, err
		}
		if size, err = d.Save(r); err == nil {
			return endpoint, size, nil
		}
		failed = errors.Join(failed, fmt.Errorf("%s: %w", endpoint, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, 0, failed
}

// Save sends the request and writes the answer beside the file, checks it, and then gives it the file's name, durably. It
// returns its size in bytes. After an error nothing is left and a file that was there is as it was.
func (d *Download) Save(r *http.Request) (size int64, err error) {
	limits := startDeadline(r.Context(), d.Begin, fmt.Errorf("no answer began within %s", d.Begin))
	defer limits.stop()
	response, err := d.Transport.RoundTrip(r.WithContext(limits.ctx))
	if err != nil {
		return 0, limits.explain(err)
	}
	pause := d.Pause
	if pause == 0 {
		pause = bodyPatience
	}
	response.Body = limits.body(response.Body, pause, fmt.Errorf("nothing more came for %s", pause))
	defer response.Body.Close()
	if err := snapshotRefusal(response); err != nil {
		return 0, err
	}
	out, err := os.CreateTemp(filepath.Dir(d.File), filepath.Base(d.File)+".part-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name()) // the error that counts is told
		}
	}()
	size, err = d.receive(out, response)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return 0, err
	}
	if d.Check != nil {
		if err := d.Check(out.Name()); err != nil {
			return 0, fmt.Errorf("what came is no whole snapshot, try again: %w", err)
		}
	}
	if err := os.Rename(out.Name(), d.File); err != nil {
		return 0, err
	}
	return size, syncDirectory(filepath.Dir(d.File))
}

func (d *Download) receive(out io.Writer, response *http.Response) (int64, error) {
	bar := byteBar(d.Progress, response.ContentLength)
	defer func() { _ = bar.Clear() }() // a bar that stays does no harm
	size, err := io.Copy(io.MultiWriter(out, bar), response.Body)
	if err != nil {
		err = fmt.Errorf("the transfer broke off after %s: %w", ByteCount(uint64(size)), err)
	}
	return size, err
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
func byteBar(progress io.Writer, size int64) *progressbar.ProgressBar {
	out := io.Discard
	if f, ok := progress.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
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
