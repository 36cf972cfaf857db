package v3

import (
	"context"

	"pando/httpapi/service"
	"pando/tree"
)

// keyChanges waits for changes of keys in some ranges. It is used by one goroutine. Callers must close it.
type keyChanges struct {
	queue
	wake    chan struct{} // has a value if a watch may have events
	watches []*service.KeyWatch
}

// keyChangeBytes is about the size of the events that next returns.
const keyChangeBytes = 64 << 10

func newKeyChanges(q queue) *keyChanges { return &keyChanges{queue: q, wake: make(chan struct{}, 1)} }

// watch adds the changes of a range from a revision on. The errors are those of service.WatchKeys.
func (c *keyChanges) watch(ctx context.Context, keys tree.KeyRange, from uint64) error {
	w, _, err := c.server.cfg.Service.WatchKeys(ctx, c.who, keys, from)
	if err != nil {
		return err
	}
	c.watches = append(c.watches, w)
	w.Notify(func() {
		select {
		case c.wake <- struct{}{}:
		default: // the last one was not received yet
		}
	})
	return nil
}

// next waits for the next events of any range. The errors are those of service.KeyWatch, and that of ctx.
func (c *keyChanges) next(ctx context.Context) ([]tree.KeyEvent, error) {
	for {
		for _, w := range c.watches {
			batch, err := w.Poll(keyChangeBytes)
			if err != nil || len(batch.Events) > 0 {
				return batch.Events, err
			}
		}
		select {
		case <-c.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *keyChanges) close() {
	for _, w := range c.watches {
		w.Close()
	}
}
