package migrate

import (
	"context"
	"fmt"
	"time"
)

// WatchStrays watches the source for some time after the target has taken over, and calls found for each change after an index of the
// source. Such a change is lost: its client still writes to the source. It returns the number of changes.
func WatchStrays(ctx context.Context, source *Source, index uint64, limit time.Duration, found func(text string)) (int, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	count := 0
	err := source.watch(limited, index, func(s segment) {
		for i := range s.events {
			e := &s.events[i]
			found(fmt.Sprintf("%s of %s at index %d", e.Action, e.Node.Path, indexOf(e)))
		}
		if s.silent > 0 {
			found(fmt.Sprintf("%d refreshed TTLs or changes of users up to index %d", s.silent, s.to))
		}
		count += len(s.events) + s.silent
	})
	if limited.Err() != nil {
		err = ctx.Err()
	}
	return count, err
}
