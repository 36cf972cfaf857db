package ctl

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// write writes directories one after the other, then the keys side by side. It stops at the first failure.
func (im *importing) write(ctx context.Context, entries []*entry, bar *progressbar.ProgressBar) error {
	im.client.transport = im.client.transport.Clone()
	im.client.transport.MaxIdleConnsPerHost = importers
	im.client.headerTimeout = min(im.client.headerTimeout, writePatience)
	var keys []*entry
	for _, r := range entries {
		if !r.Dir {
			keys = append(keys, r)
			continue
		}
		if err := im.writeDirectory(ctx, r); err != nil {
			return err
		}
		im.count(bar)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan *entry)
	var workers sync.WaitGroup
	for range importers {
		own := *im.client
		workers.Go(func() {
			for r := range todo {
				if err := im.writeKey(ctx, &own, r); err != nil {
					cancel(fmt.Errorf("%s: %w", r.Key, err)) // the first is the one that stays
					continue
				}
				im.count(bar)
			}
		})
	}
	for _, r := range keys {
		if ctx.Err() != nil {
			break
		}
		todo <- r
	}
	close(todo)
	workers.Wait()
	return context.Cause(ctx)
}

// progress tells how far an import came that did not end well.
func (im *importing) progress(total int) string {
	return fmt.Sprintf("%d of %d were written, import again to go on", im.written.Load(), total)
}

func (im *importing) count(bar *progressbar.ProgressBar) {
	im.written.Add(1)
	_ = bar.Add(1) // a bar that can't be drawn does no harm
}

// writeKey creates a key; only with force it may be there.
func (im *importing) writeKey(ctx context.Context, cl *client, r *entry) error {
	o := conditions{prevExist: "false"}
	if im.force {
		o = conditions{}
	}
	_, err := cl.put(ctx, r.Key, r.Value, im.seconds(r, time.Now()), o)
	return err
}

// writeDirectory makes a directory. With force it may replace a key, or set the TTL of a directory; an update of what
// might be a key is not tried first, because it would empty that key.
func (im *importing) writeDirectory(ctx context.Context, r *entry) error {
	ttl := im.seconds(r, time.Now())
	o := conditions{dir: true, prevExist: "false"}
	if im.force {
		o.prevExist = ""
	}
	_, err := im.client.put(ctx, r.Key, nil, ttl, o)
	if im.force && hasCode(err, codeNotAFile) {
		_, err = im.client.put(ctx, r.Key, nil, ttl, conditions{dir: true, prevExist: "true"})
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.Key, err)
	}
	return nil
}

// importBar shows the progress on a terminal, and nothing elsewhere.
func (p *program) importBar(total int) *progressbar.ProgressBar {
	out := io.Discard
	if f, ok := p.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		out = f
	}
	return progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("importing"),
		progressbar.OptionShowCount(), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(),
		progressbar.OptionThrottle(100*time.Millisecond))
}
