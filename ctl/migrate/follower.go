package migrate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"pando/ctl/client"
	"pando/tree"
)

const (
	// changeLimit is the largest size of the events in one change of the target, in bytes, unless one event is larger.
	changeLimit = 512 << 10
	// queueLimit is the size of the events that are read ahead, in bytes.
	queueLimit = 16 << 20
)

// errMoved is returned if another process has changed the target.
var errMoved = errors.New("migrate: another process follows the same source")

// Options are the settings of a Follower.
type Options struct {
	// ForwardWrites says whether the target forwards writes to the source. Nil leaves the setting of the target as it is.
	ForwardWrites *bool
	// Hidden are paths of hidden keys, beside those that the target has.
	Hidden []string
	// KeepFence leaves a fence that stands for long. Otherwise the Follower takes its switch for killed, and ends it.
	KeepFence bool
	// Note receives a line about each interruption and each unusual event. It must not block, and may be called by several goroutines at
	// the same time.
	Note func(text string)
}

// Follower makes the target follow the source. Run must be called once. Any goroutine may call the other methods.
type Follower struct {
	source   *Source
	target   *Target
	o        Options
	trackers trackers // get all events that were applied
	progress progress

	maintenance maintenance // used by maintain, and by Run while maintain does not run

	mu    sync.Mutex // held during a change of the target
	index uint64     // of the target; guarded by mu

	ready     chan struct{} // closed when the Follower has read the list of the target
	readyOnce sync.Once

	listMu    sync.Mutex // guards the fields below
	list      *list      // of the target
	refreshed refreshes
}

// NewFollower returns a Follower. It sends no request.
func NewFollower(source *Source, target *Target, o Options) *Follower {
	if o.Note == nil {
		o.Note = func(string) {}
	}
	return &Follower{source: source, target: target, o: o, list: newList(nil), ready: make(chan struct{}), maintenance: newMaintenance()}
}

// Progress returns how far the target has followed the source.
func (f *Follower) Progress() Progress { return f.progress.get() }

// Run follows the source until ctx ends, until the target has taken over, or until an error occurs that another attempt can't change. It
// returns nil if the target has taken over. Run may be interrupted at any point: the next Run goes on.
func (f *Follower) Run(ctx context.Context) error {
	if err := f.begin(ctx); err != nil {
		return err
	}
	var backoff client.Backoff
	lost := false
	for {
		before := f.progress.get().Index
		err := f.follow(ctx, lost)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrNotFollowing):
			return nil
		case errors.Is(err, errWindowLost) && !errors.Is(err, errMissed) && f.isOvertaken(ctx):
			lost = false
		case errors.Is(err, errWindowLost):
			lost = true
			f.o.Note("the source no longer has all changes after index " + fmt.Sprint(before) + ": reading all keys again")
		case errors.Is(err, errMoved):
			lost = false
		case client.IsUnavailable(err):
			f.o.Note("interrupted: " + err.Error())
		default:
			return err
		}
		if f.progress.get().Index > before {
			backoff = client.Backoff{}
		}
		if err := backoff.Wait(ctx); err != nil {
			return err
		}
	}
}

// isOvertaken reports whether another process has applied changes that this one did not read. Then the Follower goes on after these: the
// target has all of them, although the source may have them no more.
func (f *Follower) isOvertaken(ctx context.Context) bool {
	state, err := f.target.following(ctx)
	if err != nil || state.Index <= f.trackers.position() {
		return false
	}
	f.trackers.reset(state.Index)
	f.maintenance.repair = true // indexes without an event were skipped, too
	return true
}

// begin checks that the target follows this source, and gives it the settings.
func (f *Follower) begin(ctx context.Context) error {
	state, err := checkClusters(ctx, f.source, f.target)
	if err != nil {
		return err
	}
	f.setIndex(state.Index)
	f.trackers.reset(state.Index)
	f.progress.applied(state.Index, 0, 0)
	return f.retryChange(ctx, func(index uint64) *tree.MirrorChange {
		return &tree.MirrorChange{After: index, To: index, Sources: f.newSources(state), ForwardWrites: f.o.ForwardWrites}
	})
}

// newSources returns the URLs of the source for the members of the target, or nil if they keep theirs. Members that forward writes need
// URLs that they can reach. A process that says nothing about forwarding, such as a switch, may run elsewhere, and reach the source by
// others.
func (f *Follower) newSources(state *tree.MirrorState) []string {
	if state.ForwardWrites && f.o.ForwardWrites == nil && len(state.Sources) > 0 {
		return nil
	}
	return f.source.URLs()
}

// checkClusters returns the state of the target. It returns an error if the target follows no etcd, or if the source is not the one
// that it was imported from.
func checkClusters(ctx context.Context, source *Source, target *Target) (*tree.MirrorState, error) {
	state, err := target.following(ctx)
	if err != nil {
		return nil, err
	}
	at, err := target.client.Position(ctx, false)
	if err != nil {
		return nil, target.explain(err)
	}
	index, err := source.Index(ctx, true)
	if err != nil {
		return nil, err
	}
	if id := source.ClusterID(); id != "" && at.ClusterID != "" && id != at.ClusterID {
		return nil, fmt.Errorf("%w: %s has the cluster ID %s, and %s was imported from %s; is --from right?",
			ErrOtherCluster, source.name(), id, target.name(), at.ClusterID)
	}
	if index < state.Index {
		return nil, fmt.Errorf("%w: %s is at index %d, and the target is at %d already; was the source restored from a backup? "+
			"Then import it again", ErrOtherCluster, source.name(), index, state.Index)
	}
	return state, nil
}

// follow follows the source until an error occurs. With lost it first reads all keys again.
func (f *Follower) follow(ctx context.Context, lost bool) error {
	state, err := f.target.following(ctx)
	if err != nil {
		return err
	}
	f.progress.update(func(p *Progress) { p.Phase = state.Phase })
	f.setIndex(state.Index)
	if state.Index < f.trackers.position() { // a member that is behind, or the data of an older backup
		f.trackers.reset(state.Index)
	}
	if err := f.readList(ctx, state.Index); err != nil {
		return err
	}
	from, limit := f.trackers.position(), queueLimit
	if lost {
		if from, err = f.source.Index(ctx, true); err != nil {
			return err
		}
		limit = math.MaxInt // reading all keys may take long
		f.maintenance.repair, f.maintenance.nextRepair = true, time.Time{}
	}
	q := newQueue(limit)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.source.readTo(ctx, q, from, f) })
	ready := make(chan struct{})
	group.Go(func() error {
		if lost {
			if err := f.rereadAll(ctx, from); err != nil {
				return err
			}
			q.setLimit(queueLimit)
		}
		close(ready)
		f.readyOnce.Do(func() { close(f.ready) })
		return f.applyAll(ctx, q)
	})
	group.Go(func() error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ready:
			return f.maintain(ctx)
		}
	})
	return group.Wait()
}

// sourceIndex and note make the Follower an observer of its reader.
func (f *Follower) sourceIndex(index uint64) { f.progress.sourceIndex(index) }
func (f *Follower) note(text string)         { f.o.Note(text) }

// setIndex sets the index of the target.
func (f *Follower) setIndex(index uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.index = index
}

// targetIndex returns the index of the target.
func (f *Follower) targetIndex() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.index
}

// readList reads the list of the target's nodes with a TTL and of its hidden nodes.
func (f *Follower) readList(ctx context.Context, since uint64) error {
	list, err := f.target.listed(ctx, since)
	if err != nil {
		return err
	}
	for _, path := range f.o.Hidden {
		list.addHidden(path)
	}
	f.listMu.Lock()
	defer f.listMu.Unlock()
	f.list = list
	f.progress.update(func(p *Progress) { p.Expiring = len(list.expiring) })
	return nil
}

// applyAll applies the segments of a queue.
func (f *Follower) applyAll(ctx context.Context, q *queue) error {
	for {
		s, err := q.pop(ctx, changeLimit)
		if err != nil {
			return err
		}
		if err := f.apply(ctx, s); err != nil {
			return err
		}
	}
}

// apply applies a segment, unless the target has it already.
func (f *Follower) apply(ctx context.Context, s segment) error {
	f.mu.Lock() // until the trackers have the events: see applyNodes
	defer f.mu.Unlock()
	err := f.changeLocked(ctx, func(index uint64) *tree.MirrorChange {
		if s.to <= index {
			return nil
		}
		return &tree.MirrorChange{After: index, To: s.to, Events: eventsAfter(s.events, index)}
	})
	if err != nil {
		return err
	}
	f.listMu.Lock()
	f.list.add(s.events)
	expiring := len(f.list.expiring)
	f.listMu.Unlock()
	f.trackers.add(s.events, s.to)
	f.progress.applied(s.to, len(s.events), s.silent)
	f.progress.update(func(p *Progress) { p.Expiring = expiring })
	return nil
}

func eventsAfter(events []tree.EventFields, index uint64) []tree.EventFields {
	for len(events) > 0 && indexOf(&events[0]) <= index {
		events = events[1:]
	}
	return events
}

// retryChange applies the change that next returns for the index of the target, until it is applied or next returns nil. If no member
// responds, it tries again.
func (f *Follower) retryChange(ctx context.Context, next func(index uint64) *tree.MirrorChange) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changeLocked(ctx, next)
}

// changeLocked is retryChange for callers that hold mu.
func (f *Follower) changeLocked(ctx context.Context, next func(index uint64) *tree.MirrorChange) error {
	var backoff client.Backoff
	for {
		change := next(f.index)
		if change == nil {
			return nil
		}
		err := f.target.change(ctx, change)
		moved, isMoved := errors.AsType[*client.MirrorIndexError](err)
		switch {
		case err == nil:
			f.index = change.To
			return nil
		case isMoved && moved.Index < f.index:
			return fmt.Errorf("%w: its index went back from %d to %d", errMoved, f.index, moved.Index)
		case isMoved:
			f.index = moved.Index // it was applied before, or by another process
		case ctx.Err() != nil:
			return ctx.Err()
		case client.IsUnavailable(err):
			if backoff.First() {
				f.o.Note("the target takes no change: " + client.OneLine(err))
			}
			if err := backoff.Wait(ctx); err != nil {
				return err
			}
		default:
			return err
		}
	}
}
