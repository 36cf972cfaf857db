package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"pando/ctl/client"
)

// CompareOptions are the settings of Compare.
type CompareOptions struct {
	Hidden   []string          // paths of hidden keys, beside those that the target has
	Note     func(text string) // is called if Compare has to wait for the target; may be nil
	Progress func(nodes int64) // is called with the number of nodes that were compared; may be nil
}

// Compare compares the source and the target while both change. The target must follow the source meanwhile, unless the source is quiet.
func Compare(ctx context.Context, source *Source, target *Target, o CompareOptions) (*Comparison, error) {
	state, err := checkClusters(ctx, source, target)
	if err != nil {
		return nil, err
	}
	users, err := compareUsers(ctx, source, target)
	if err != nil {
		return nil, err
	}
	note := func(text string) {
		if o.Note != nil {
			o.Note(text + "; is pando migrate running?")
		}
	}
	if err := awaitTarget(ctx, source, target, note); err != nil {
		return nil, err
	}
	list, err := target.listed(ctx, state.Index)
	if err != nil {
		return nil, err
	}
	for _, path := range o.Hidden {
		list.addHidden(path)
	}
	c := &comparer{source: source.read, target: target.read, hidden: list.hiddenPaths(), trackers: &trackers{index: state.Index},
		progress: o.Progress}
	found, err := compareTracked(ctx, source, c)
	if err != nil {
		return nil, err
	}
	result := &Comparison{Nodes: found.nodes, Hidden: len(c.hidden), Changing: len(found.track.paths()),
		Differences: exported(found.differences), Users: users}
	result.Equal = len(found.differences) == 0 && len(users) == 0
	if result.SourceIndex, err = source.Index(ctx, false); err != nil {
		return nil, err
	}
	if state, err = target.State(ctx); err == nil {
		result.TargetIndex = state.Index
	}
	return result, err
}

// compareTracked runs a comparer, whose trackers get the events that are read from the source meanwhile.
func compareTracked(ctx context.Context, source *Source, c *comparer) (*compared, error) {
	done := errors.New("done")
	var found *compared
	group, ctx := errgroup.WithContext(ctx)
	after := c.trackers.position()
	group.Go(func() error { return source.watch(ctx, after, func(s segment) { c.trackers.add(s.events, s.to) }) })
	group.Go(func() (err error) {
		if found, err = c.run(ctx); err == nil {
			c.trackers.end(found.track)
			return done
		}
		return err
	})
	switch err := group.Wait(); {
	case errors.Is(err, done):
		return found, nil
	case errors.Is(err, errWindowLost):
		return nil, fmt.Errorf("%w: more than its last 1000 changes; is pando migrate running? Then compare again", err)
	default:
		return nil, err
	}
}

// noteAfter is the time after which awaitTarget says that it waits.
const noteAfter = time.Second

// awaitTarget waits until the target has reached the index that the source has now. It calls note if that takes longer than noteAfter.
func awaitTarget(ctx context.Context, source *Source, target *Target, note func(text string)) error {
	index, err := source.Index(ctx, true)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, catchUpLimit)
	defer cancel()
	var backoff client.Backoff
	began, noted := time.Now(), false
	for {
		state, err := target.following(limited)
		if err != nil {
			return err
		}
		if state.Index >= index {
			return nil
		}
		if !noted && time.Since(began) > noteAfter {
			noted = true
			note(fmt.Sprintf("waiting at most %s until the target, which is at index %d, has index %d of the source",
				catchUpLimit, state.Index, index))
		}
		if err := backoff.Wait(limited); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%w: it is at index %d, and the source at %d; keep pando migrate running", errStays, state.Index, index)
		}
	}
}
