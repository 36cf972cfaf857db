package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// WatchStrays watches the source for some time after the target has taken over, and calls found for each change after an index of the
// source. Such a change is lost: its client still writes to the source. It returns the number of changes.
func WatchStrays(ctx context.Context, source *Source, index uint64, limit time.Duration, found func(text string)) (int, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	q := newQueue(queueLimit)
	r := &reader{members: source.feed(), check: source.checkCluster, out: q, observer: silentObserver{}, read: index}
	count := 0
	group, watching := errgroup.WithContext(limited)
	group.Go(func() error { return r.run(watching) })
	group.Go(func() error {
		for {
			s, err := q.pop(watching, queueLimit)
			if err != nil {
				return err
			}
			for i := range s.events {
				e := &s.events[i]
				found(fmt.Sprintf("%s of %s at index %d", e.Action, e.Node.Path, indexOf(e)))
			}
			if s.silent > 0 {
				found(fmt.Sprintf("%d refreshed TTLs or changes of users up to index %d", s.silent, s.to))
			}
			count += len(s.events) + s.silent
		}
	})
	err := group.Wait()
	if limited.Err() != nil && (ctx.Err() == nil || errors.Is(err, context.Canceled)) {
		err = ctx.Err()
	}
	return count, err
}
