package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pando/ctl/client"
	"pando/tree"
)

const (
	// skippedIndexes is the number of indexes that the target skips when it takes over, so that its index is above everything that a client
	// of the source has seen.
	skippedIndexes = 1000
	// fenceBudget is how long the target may be fenced before the switch gives up. Writes wait meanwhile; they fail after about seven
	// seconds.
	fenceBudget = 5 * time.Second
	// quietTime is how long the source must not change while the target is fenced. A shorter time would overlook clients that still write to
	// the source. It is shorter than the time between two rounds of expiries of etcd.
	quietTime = 300 * time.Millisecond
	// returnLimit is how long the return to following may take.
	returnLimit = 10 * time.Second
	// shownKeys is the number of keys that an error names.
	shownKeys = 5
)

// The reasons why a switch fails. The target follows on, except after ErrInDoubt.
var (
	// ErrDifferent is returned if the source and the target differ.
	ErrDifferent = errors.New("the source and the target differ")
	// ErrBusy is returned if the source still changes while the target is fenced.
	ErrBusy = errors.New("the source still changes")
	// ErrMember is returned if a member of the target does not report that it is fenced.
	ErrMember = errors.New("a member of the target is not fenced")
	// ErrInDoubt is returned if the target has not answered the request to take over, and can't be asked. It may have taken over.
	ErrInDoubt = errors.New("the cluster may have taken over")
)

// SwitchOptions are the settings of a Switch.
type SwitchOptions struct {
	Hidden      []string // paths of hidden keys, beside those that the target has
	IgnoreUsers bool     // switch although users or roles differ
	// Note receives a line about each step. It must not block, and may be called by several goroutines at the same time.
	Note     func(text string)
	Progress func(nodes int64) // is called with the number of nodes that were compared; may be nil
}

// Switched is the result of a Switch.
type Switched struct {
	SourceIndex uint64        `json:"sourceIndex"` // the last one of the source
	Index       uint64        `json:"index"`       // of the target after the switch
	Nodes       int64         `json:"nodes"`       // keys and directories that were compared
	Fenced      time.Duration `json:"fenced"`      // how long writes waited, in nanoseconds
}

// switching is one call of Switch.
type switching struct {
	source   *Source
	target   *Target
	follower *Follower
	o        SwitchOptions
	compared *compared
	began    time.Time // of the fence
	strays   *tracker  // collects the changes of the source behind the fence
	silent   *tracker  // collects the indexes without an event since the last comparison of all keys
	result   Switched
}

// Switch makes the target take over from the source. It follows the source until then, so no other Follower is needed. The target is
// fenced for a moment, in which no write reaches the source through it. If the source still changes in that moment, or if anything
// differs, the target follows on, and Switch returns an error that says why.
func Switch(ctx context.Context, source *Source, target *Target, o SwitchOptions) (*Switched, error) {
	if o.Note == nil {
		o.Note = func(string) {}
	}
	s := &switching{source: source, target: target, o: o}
	s.follower = NewFollower(source, target, Options{Hidden: o.Hidden, Note: o.Note, KeepFence: true})
	if err := s.checkUsers(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := s.follower.Run(ctx)
		if err == nil { // by this switch, which needs ctx no more, or by another one
			err = fmt.Errorf("%s: %w: another switch has ended it", target.name(), ErrNotFollowing)
		}
		cancel(err)
	}()
	err := s.run(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	cancel(nil)
	<-ended
	if err != nil {
		return nil, err
	}
	return &s.result, nil
}

// checkUsers refuses a switch if users or roles differ.
func (s *switching) checkUsers(ctx context.Context) error {
	if _, err := checkClusters(ctx, s.source, s.target); err != nil {
		return err
	}
	return s.compareUsers(ctx)
}

// compareUsers returns an error if users or roles differ, unless that is to be ignored.
func (s *switching) compareUsers(ctx context.Context) error {
	if s.o.IgnoreUsers {
		return nil
	}
	lines, err := compareUsers(ctx, s.source, s.target)
	switch {
	case err != nil:
		return err
	case len(lines) > 0:
		return fmt.Errorf("%w: %s", ErrDifferent, strings.TrimSpace(describeUsers(lines)))
	}
	return nil
}

// run does the steps of a switch while the Follower runs.
func (s *switching) run(ctx context.Context) error {
	if err := s.checkMembers(ctx, false); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.follower.ready:
	}
	if err := awaitTarget(ctx, s.source, s.target, s.o.Note); err != nil {
		return err
	}
	c := s.comparer()
	s.silent = s.follower.trackers.begin()
	defer func() { s.follower.trackers.end(s.silent) }()
	if err := s.compareAll(ctx, c); err != nil {
		return err
	}
	defer func() { s.follower.trackers.end(s.compared.track) }()
	s.result.Nodes = s.compared.nodes
	s.o.Note(fmt.Sprintf("%d nodes are equal; %d changed meanwhile and are compared again behind the fence",
		s.compared.nodes, len(s.compared.track.paths())))
	return s.takeOver(ctx, c)
}

// compareAll compares the whole trees while the target follows. If they differ, it lets the Follower read what no event has shown, and
// compares again.
func (s *switching) compareAll(ctx context.Context, c *comparer) (err error) {
	s.o.Note("comparing all keys while the target follows")
	for repaired := false; ; repaired = true {
		if s.compared, err = c.run(ctx); err != nil || len(s.compared.differences) == 0 {
			return err
		}
		s.follower.trackers.end(s.compared.track)
		if repaired {
			return fmt.Errorf("%w: %s", ErrDifferent, strings.TrimSpace(describeDifferences(exported(s.compared.differences))))
		}
		if err := s.follower.repair(ctx); err != nil {
			return err
		}
	}
}

func (s *switching) comparer() *comparer {
	return &comparer{source: s.source.read, target: s.target.read, hidden: s.follower.hiddenPaths(), trackers: &s.follower.trackers,
		progress: s.o.Progress}
}

// takeOver fences the target, and ends its following if the source is quiet. After an error the target follows on.
func (s *switching) takeOver(ctx context.Context, c *comparer) error {
	s.began = time.Now()
	fenced, cancel := context.WithTimeout(ctx, fenceBudget)
	defer cancel()
	err := s.fence(fenced)
	if s.strays != nil {
		defer s.follower.trackers.end(s.strays)
	}
	for err == nil {
		var ended bool
		if ended, err = s.tryEnd(fenced, c); ended && err == nil {
			s.result.Fenced = time.Since(s.began)
			return nil
		}
	}
	if fenced.Err() != nil && ctx.Err() == nil && !errors.Is(err, ErrMember) && !errors.Is(err, ErrBusy) {
		err = s.busy()
	}
	return s.follow(ctx, err)
}

// fence fences the target, and begins to collect the changes of the source after that.
func (s *switching) fence(ctx context.Context) error {
	if err := s.follower.setPhase(ctx, tree.PhaseFenced); err != nil {
		return err
	}
	if err := s.checkMembers(ctx, true); err != nil {
		return err
	}
	index, err := s.source.Index(ctx, true)
	if err != nil {
		return err
	}
	if err := s.compared.track.await(ctx, index); err != nil {
		return err
	}
	s.strays = s.follower.trackers.begin()
	return nil
}

// follow returns the target to following, after an error in the time of the fence. It returns that error.
func (s *switching) follow(ctx context.Context, err error) error {
	returning, cancel := context.WithTimeout(context.WithoutCancel(ctx), returnLimit)
	defer cancel()
	back := s.follower.setPhase(returning, tree.PhaseFollowing)
	if errors.Is(back, ErrNotFollowing) { // the last request had reached the target after all
		return s.confirmEnd(returning, err)
	}
	if back != nil && s.result.Index != 0 {
		return fmt.Errorf("%w (%w; %w): ask pando migrate status", ErrInDoubt, err, back)
	}
	if back != nil {
		return fmt.Errorf("%w; the target may be fenced (%w): start pando migrate, which ends a fence after %s", err, back, fenceLimit)
	}
	s.o.Note(fmt.Sprintf("the target follows on; writes waited for %s", time.Since(s.began).Round(time.Millisecond)))
	return err
}

// busy returns the error for a source that changes while no write reaches it through the target.
func (s *switching) busy() error {
	var keys []string
	if s.strays != nil {
		keys = append(s.strays.writtenPaths(), s.follower.refreshedSince(s.began)...)
	}
	what := "keys that expire, or users"
	if len(keys) > 0 {
		what = strings.Join(keys[:min(len(keys), shownKeys)], ", ")
		if more := len(keys) - shownKeys; more > 0 {
			what += fmt.Sprintf(" and %d more", more)
		}
	}
	return fmt.Errorf("%w while the target is fenced: %s. Clients write to %s directly. Point them to the target "+
		"(pando migrate --forward-writes lets it forward their writes), or stop them, and switch again", ErrBusy, what, s.source.name())
}

// checkMembers checks that every member of the target responds. With fenced it waits until each is fenced and forwards no write.
func (s *switching) checkMembers(ctx context.Context, fenced bool) error {
	for {
		states, err := s.target.memberStates(ctx)
		if err != nil {
			return err
		}
		var waiting []string
		for _, m := range states {
			switch {
			case m.State == nil && !fenced:
				return fmt.Errorf("%w: %s: %s; start it, or remove it with pando ctl member remove", ErrMember, m.Name, m.Error)
			case m.State == nil:
				waiting = append(waiting, m.Name+": "+m.Error)
			case fenced && m.State.Phase != tree.PhaseFenced:
				waiting = append(waiting, fmt.Sprintf("%s has not applied the fence", m.Name))
			case fenced && m.State.Forwarding > 0:
				waiting = append(waiting, fmt.Sprintf("%s still forwards %d writes to the source", m.Name, m.State.Forwarding))
			}
		}
		if len(waiting) == 0 {
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("%w after %s: %s", ErrMember, time.Since(s.began).Round(time.Millisecond), strings.Join(waiting, "; "))
		}
	}
}

// tryEnd ends the following if the target is equal to the source at one index, and if the source does not change for quietTime.
func (s *switching) tryEnd(ctx context.Context, c *comparer) (ended bool, err error) {
	began := time.Now()
	index, err := s.source.Index(ctx, true)
	if err != nil {
		return false, err
	}
	if err := s.compared.track.await(ctx, index); err != nil {
		return false, err
	}
	if len(s.strays.writtenPaths()) > 0 {
		return false, s.busy()
	}
	if err := s.compareUsers(ctx); err != nil {
		return false, err
	}
	if err := s.readSilent(ctx, index); err != nil {
		if errors.Is(err, errMoved) {
			return false, nil
		}
		return false, err
	}
	differences, _, err := c.paths(ctx, s.compared.track.paths(), index)
	if err != nil {
		return false, err
	}
	if err := pause(ctx, quietTime-time.Since(began)); err != nil {
		return false, err
	}
	now, err := s.source.Index(ctx, true)
	switch {
	case err != nil:
		return false, err
	case now != index:
		return false, nil
	case len(differences) > 0:
		return false, fmt.Errorf("%w: %s", ErrDifferent, strings.TrimSpace(describeDifferences(exported(differences))))
	}
	if same, err := s.follower.hasList(ctx, index); err != nil || !same {
		return false, err
	}
	return s.end(ctx, index)
}

// end ends the following, if the target is at an index of the source.
func (s *switching) end(ctx context.Context, index uint64) (ended bool, err error) {
	to := index + skippedIndexes
	err = s.follower.retryChange(ctx, func(now uint64) *tree.MirrorChange {
		if now != index { // it has ended, or another process has changed the target
			return nil
		}
		return &tree.MirrorChange{After: index, To: to, Phase: tree.PhaseEnded}
	})
	s.result.SourceIndex, s.result.Index = index, to
	if errors.Is(err, ErrNotFollowing) {
		return true, s.confirmEnd(ctx, err)
	}
	return err == nil && s.follower.targetIndex() == to, err
}

// confirmEnd returns nil if the target has taken over by this switch, and err otherwise. The target has refused a change, because it
// follows no etcd. But the member that is asked may not have applied the end yet.
func (s *switching) confirmEnd(ctx context.Context, err error) error {
	if s.result.Index == 0 {
		return err
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), returnLimit)
	defer cancel()
	var backoff client.Backoff
	for {
		state, stateErr := s.target.State(limited)
		switch {
		case stateErr != nil || state.Phase != 0:
		case state.Index >= s.result.Index:
			s.result.Fenced = time.Since(s.began)
			return nil
		default:
			return err
		}
		if backoff.Wait(limited) != nil {
			return fmt.Errorf("%w (%w): ask pando migrate status", ErrInDoubt, err)
		}
	}
}
