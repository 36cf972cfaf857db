package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"pando/ctl/client"
	"pando/tree"
)

const (
	// refreshInterval is the least time between the ends of two reads of the nodes with a TTL.
	refreshInterval = time.Second
	// refreshRate is the largest number of requests in a second for these reads.
	refreshRate = 500
	// repairInterval is the least time between two comparisons of the whole trees. It is also at least repairShare times their duration.
	repairInterval = time.Minute
	repairShare    = 20
	// fenceLimit is how long a fence may stand before a Follower ends it. A switch ends its own fence much earlier.
	fenceLimit = 30 * time.Second
)

// maintain reads what no event shows, until ctx ends: refreshed TTLs, and the phase of the target. It must not run twice at the same time.
func (f *Follower) maintain(ctx context.Context) error {
	m := &f.maintenance
	m.fenced = time.Time{} // while it did not run, the fence may have been replaced by another
	for {
		if err := pause(ctx, refreshInterval); err != nil {
			return err
		}
		if err := f.watchFence(ctx, &m.fenced); err != nil {
			return err
		}
		if err := f.readSilent(ctx, m); err != nil && !f.isDeferred(ctx, "reading refreshed TTLs", err) {
			return err
		}
		if m.repair && time.Now().After(m.nextRepair) {
			began := time.Now()
			if err := f.repair(ctx); err == nil {
				m.repair = false
			} else if !f.isDeferred(ctx, "comparing all keys", err) {
				return err
			}
			m.nextRepair = time.Now().Add(max(repairInterval, repairShare*time.Since(began)))
		}
	}
}

// maintenance is the state of maintain. It outlives an interruption: what was read before need not be read again.
type maintenance struct {
	limit      *rate.Limiter
	seen       uint64    // Progress.Silent at the last read of the nodes with a TTL
	repair     bool      // the whole trees have to be compared
	nextRepair time.Time // not before
	fenced     time.Time // since when the target is fenced; zero if it is not
}

func newMaintenance() maintenance { return maintenance{limit: rate.NewLimiter(refreshRate, walkWidth)} }

// readSilent reads the nodes with a TTL if the source has indexes without an event. If they explain less than these, a TTL was set by a
// refresh, or users were changed: then the whole trees have to be compared.
func (f *Follower) readSilent(ctx context.Context, m *maintenance) error {
	silent := f.progress.get().Silent
	if silent == m.seen {
		return nil
	}
	changed, err := f.refresh(ctx, m.limit)
	if err != nil {
		return err
	}
	if changed == 0 {
		f.progress.update(func(p *Progress) { p.Unexplained += silent - m.seen })
	}
	m.repair = m.repair || uint64(changed) < silent-m.seen
	m.seen = silent
	return nil
}

// isDeferred reports whether what failed is done again later. It makes a note unless the reason is an ordinary one.
func (f *Follower) isDeferred(ctx context.Context, what string, err error) bool {
	if ctx.Err() != nil || errors.Is(err, ErrNotFollowing) {
		return false
	}
	if !errors.Is(err, errMoved) && !errors.Is(err, errWindowLost) {
		f.o.Note(what + ": " + err.Error() + "; trying again")
	}
	return true
}

// watchFence ends a fence that stands for too long: its switch was killed.
func (f *Follower) watchFence(ctx context.Context, since *time.Time) error {
	state, err := f.target.following(ctx)
	if err != nil {
		if f.isDeferred(ctx, "reading the phase of the target", err) {
			return nil
		}
		return err
	}
	f.progress.update(func(p *Progress) { p.Phase = state.Phase })
	switch {
	case state.Phase != tree.PhaseFenced || f.o.KeepFence:
		*since = time.Time{}
	case since.IsZero():
		*since = time.Now()
	case time.Since(*since) > fenceLimit:
		f.o.Note(fmt.Sprintf("the target is fenced for %s: its switch was killed; returning to following", fenceLimit))
		*since = time.Time{}
		return f.setPhase(ctx, tree.PhaseFollowing)
	}
	return nil
}

// setPhase changes the phase of the target.
func (f *Follower) setPhase(ctx context.Context, phase tree.MirrorPhase) error {
	err := f.retryChange(ctx, func(index uint64) *tree.MirrorChange {
		return &tree.MirrorChange{After: index, To: index, Phase: phase}
	})
	if err == nil {
		f.progress.update(func(p *Progress) { p.Phase = phase })
	}
	return err
}

// refresh reads the nodes with a TTL from the source, and changes those of the target whose TTL was refreshed. It returns their number.
func (f *Follower) refresh(ctx context.Context, limit *rate.Limiter) (changed int, err error) {
	track := f.trackers.begin()
	defer f.trackers.end(track)
	f.listMu.Lock()
	known := maps.Clone(f.list.expiring)
	f.listMu.Unlock()
	found, last, err := readNodes(ctx, f.source.read, slices.Collect(maps.Keys(known)), track.position(), limit)
	if err != nil {
		return 0, err
	}
	if err := await(ctx, track, last); err != nil {
		return 0, err
	}
	var nodes []tree.NodeFields
	var gone []string
	for path, before := range known {
		n := found[path]
		if n == nil {
			gone = append(gone, path)
			continue
		}
		if now := fieldsOf(n); before != (nodeState{now.Expires, now.Modified, now.Dir}) {
			nodes = append(nodes, now)
		}
	}
	changed, err = f.applyNodes(ctx, nodes, nil, track.changes)
	f.forget(gone, track)
	return changed, err
}

// forget removes paths from the list, unless there were events of them.
func (f *Follower) forget(paths []string, track *tracker) {
	f.listMu.Lock()
	defer f.listMu.Unlock()
	for _, path := range paths {
		if !track.changes(path) {
			delete(f.list.expiring, path)
		}
	}
}

// applyNodes stores nodes in the target and removes paths from it, without events, except for those that were touched by an event after
// the source was read. It returns the number of both.
//
// touched must know all events up to the index of the target. The target may be ahead of the trackers, because another process
// follows the same source. Then applyNodes waits for the events. A node that was read before such an event would otherwise replace a
// newer one.
func (f *Follower) applyNodes(
	ctx context.Context, nodes []tree.NodeFields, removed []string, touched func(path string) bool,
) (int, error) {
	if err := f.lockTracked(ctx); err != nil {
		return 0, err
	}
	defer f.mu.Unlock() // not before the end, so that no event comes between the check and the change
	nodes = slices.DeleteFunc(nodes, func(n tree.NodeFields) bool { return touched(n.Path) })
	removed = slices.DeleteFunc(removed, touched)
	for changes := range batches(nodes, removed) {
		changes.After, changes.To = f.index, f.index
		if err := f.target.change(ctx, changes); err != nil {
			if _, moved := errors.AsType[*client.MirrorIndexError](err); moved {
				err = fmt.Errorf("%w: %w", errMoved, err)
			}
			return 0, err
		}
	}
	f.listMu.Lock()
	defer f.listMu.Unlock()
	for i := range nodes {
		n := &nodes[i]
		f.list.addHidden(n.Path)
		f.list.set(n.Path, nodeState{n.Expires, n.Modified, n.Dir})
	}
	if len(nodes) > 0 {
		f.refreshed = refreshes{time.Now(), nodes}
	}
	return len(nodes) + len(removed), nil
}

// lockTracked locks mu when the trackers have all events up to the index of the target.
func (f *Follower) lockTracked(ctx context.Context) error {
	track := f.trackers.begin()
	defer f.trackers.end(track)
	for {
		f.mu.Lock()
		index := f.index
		if track.position() >= index {
			return nil
		}
		f.mu.Unlock()
		if err := await(ctx, track, index); err != nil {
			return err
		}
	}
}

// refreshes are the nodes that were changed without an event at a time.
type refreshes struct {
	at    time.Time
	nodes []tree.NodeFields
}

// refreshedSince returns the paths of the nodes that were changed last without an event, if that was after a time.
func (f *Follower) refreshedSince(t time.Time) []string {
	f.listMu.Lock()
	defer f.listMu.Unlock()
	var paths []string
	if f.refreshed.at.After(t) {
		for i := range f.refreshed.nodes {
			paths = append(paths, f.refreshed.nodes[i].Path)
		}
	}
	return paths
}
