package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pando/ctl/diff"
)

const (
	// settleRounds is how often the paths that changed during a comparison are compared again.
	settleRounds = 4
	// settledPaths is the number of such paths that need not be compared again.
	settledPaths = 100
	// confirmations is how often a difference is looked at again before it counts: a refreshed TTL arrives later than events.
	confirmations = 12
	// confirmPause is the time between two of them.
	confirmPause = 250 * time.Millisecond
	// catchUpLimit is how long the target may take to reach an index of the source.
	catchUpLimit = 20 * time.Second
)

// errStays is returned if the target does not reach an index of the source in time.
var errStays = errors.New("the target stays behind the source")

// comparer compares the trees of the source and the target while both change.
type comparer struct {
	source, target readFunc
	hidden         []string          // paths of the hidden nodes to compare
	trackers       *trackers         // get the events of the source
	progress       func(nodes int64) // may be nil
}

// compared is the result of a comparer. A path that is neither in differences nor in track is the same in both trees.
type compared struct {
	nodes       int64
	differences []difference // in the order of their paths
	track       *tracker     // collects the paths that changed during all comparisons, until the caller ends it
}

// run compares the whole trees. Paths that change meanwhile are compared again, until there are few.
func (c *comparer) run(ctx context.Context) (*compared, error) {
	track := c.trackers.begin()
	w := &walk{source: c.source, target: c.target, progress: c.progress, sinceSource: track.position(), sinceTarget: track.position()}
	err := w.run(ctx, c.hidden)
	result := &compared{nodes: w.nodes}
	last, found := w.last, w.differences
	for round := 0; err == nil; round++ {
		if err = await(ctx, track, last); err != nil {
			break
		}
		for _, d := range found {
			if track.touches(d.path) {
				track.include(d.path) // an event of a directory above it says nothing about it
			} else {
				result.differences = append(result.differences, d)
			}
		}
		changed := len(track.paths())
		if changed == 0 || round == settleRounds || round > 0 && changed <= settledPaths {
			break
		}
		next := c.trackers.begin() // before paths are taken from the other, so that none is missing in both
		open := track.paths()
		c.trackers.end(track)
		track = next
		found, last, err = c.paths(ctx, open, track.position())
	}
	if err == nil {
		err = c.confirm(ctx, result, track.position())
	}
	if err != nil {
		c.trackers.end(track)
		return nil, err
	}
	result.track = track
	return result, nil
}

// await waits until a tracker has the events up to an index.
func await(ctx context.Context, track *tracker, index uint64) error {
	limited, cancel := context.WithTimeout(ctx, catchUpLimit)
	defer cancel()
	err := track.await(limited, index)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: it is at index %d, the source at %d; is pando migrate running?", errStays, track.position(), index)
	}
	return err
}

// paths compares the nodes at some paths, without those below them. It returns the largest index of a response, too.
func (c *comparer) paths(ctx context.Context, paths []string, since uint64) ([]difference, uint64, error) {
	source, sourceIndex, err := readNodes(ctx, c.source, paths, since, nil)
	if err != nil {
		return nil, 0, err
	}
	target, targetIndex, err := readNodes(ctx, c.target, paths, since, nil)
	if err != nil {
		return nil, 0, err
	}
	var found []difference
	for _, path := range paths {
		if s, t := source[path], target[path]; !diff.Exact.Equal(s, t) {
			found = append(found, difference{path, s, t})
		}
	}
	return found, max(sourceIndex, targetIndex), nil
}

// confirm looks again at the differences of a result, at indexes of since or above, and leaves out those that have gone.
func (c *comparer) confirm(ctx context.Context, result *compared, since uint64) error {
	for range confirmations {
		if len(result.differences) == 0 {
			break
		}
		if err := pause(ctx, confirmPause); err != nil {
			return err
		}
		var paths []string
		for _, d := range result.differences {
			paths = append(paths, d.path)
		}
		var err error
		if result.differences, _, err = c.paths(ctx, paths, since); err != nil {
			return err
		}
	}
	slices.SortFunc(result.differences, func(a, b difference) int { return strings.Compare(a.path, b.path) })
	result.differences = slices.CompactFunc(result.differences, func(a, b difference) bool { return a.path == b.path })
	return nil
}

// pause waits, unless d is negative. It returns the error of ctx if ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
