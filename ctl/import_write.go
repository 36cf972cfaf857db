package ctl

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"pando/ctl/client"
	"pando/tree"
)

const (
	// importWriters is the number of keys that are written at the same time, so that a server can commit them together.
	importWriters = 16
	// writeTimeout is how long a member may take to write one key, unless --timeout is shorter.
	writeTimeout = 30 * time.Second
)

// write writes the directories one after the other, then the keys in parallel. It stops at the first failure.
func (im *importing) write(ctx context.Context, entries []*entry, bar *progressbar.ProgressBar) error {
	im.client = im.client.WithHeaderTimeout(min(im.client.HeaderTimeout(), writeTimeout))
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
	for range importWriters {
		workers.Go(func() {
			for r := range todo {
				if err := im.writeKey(ctx, r); err != nil {
					cancel(fmt.Errorf("%s: %w", r.Key, err)) // the first cause counts
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

// progress returns how many entries were written, for the message of an import that failed.
func (im *importing) progress(total int) string {
	return fmt.Sprintf("%d of %d were written, import again to continue", im.written.Load(), total)
}

func (im *importing) count(bar *progressbar.ProgressBar) {
	im.written.Add(1)
	_ = bar.Add(1)
}

// putOptions returns the options of the request that writes r. Without --force the key must not exist.
func (im *importing) putOptions(r *entry) client.PutOptions {
	o := client.PutOptions{TTL: im.seconds(r, time.Now()), Existence: client.MustNotExist}
	if im.options.force {
		o.Existence = client.AnyExistence
	}
	return o
}

func (im *importing) writeKey(ctx context.Context, r *entry) error {
	_, err := im.client.Put(ctx, r.Key, *r.Value, im.putOptions(r))
	return err
}

// writeDirectory makes a directory. With --force it replaces a key, or sets the TTL of an existing directory. It tries to
// make the directory first, because the update of a key to a directory would remove the value of the key.
func (im *importing) writeDirectory(ctx context.Context, r *entry) error {
	o := im.putOptions(r)
	_, err := im.client.PutDir(ctx, r.Key, o)
	if im.options.force && client.HasCode(err, tree.CodeNotFile) {
		o.Existence = client.MustExist
		_, err = im.client.PutDir(ctx, r.Key, o)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.Key, err)
	}
	return nil
}
