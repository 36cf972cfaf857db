package stream

import (
	"context"
	"time"

	"pando/tree"
)

// Await waits in the calling goroutine for the first event of a watch whose response has no header yet. It returns nil if there is none
// after watch.Timeout, which must not be 0. The errors are those of Watcher.Poll, and ErrClientGone when ctx ends. Close ends the watch
// with tree.ErrWatcherClosed. Otherwise Await leaves the Watcher open, and the caller must close it or pass it to Serve.
func (d *Dispatcher) Await(ctx context.Context, watch Watch) (*tree.Event, error) {
	if watch.First != nil {
		return watch.First, nil
	}
	woken := make(chan struct{}, 1)
	d.add(watch.Watcher)
	defer d.remove(watch.Watcher)
	watch.Watcher.Notify(func() {
		select {
		case woken <- struct{}{}:
		default: // the last one was not received yet
		}
	})
	timeout := time.NewTimer(watch.Timeout - time.Since(watch.Start))
	defer timeout.Stop()
	for {
		event, err := watch.Watcher.Poll()
		if event != nil || err != nil {
			return event, err
		}
		select {
		case <-woken:
		case <-timeout.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ErrClientGone
		}
	}
}
