package service

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"pando/httpapi/auth"
	"pando/tree"
	"pando/tree/users"
)

// PinLimits bound the views that are pinned for lists of several requests (atIndex).
type PinLimits struct {
	// Views is the number of views that may be pinned. With 0 none may.
	Views int
	// Bytes bounds the memory that pinned views keep beyond that of the current view. Beyond it, the oldest pinned views are released.
	Bytes int64
	// Idle is the time after which a view that no request reads is released.
	Idle time.Duration
}

// maxPinAge is the time after which a pinned view is released, even if requests still read it.
const maxPinAge = time.Hour

// pinSweep is the time between two checks of the pinned views against their limits.
const pinSweep = time.Second

// What a pinned view keeps in memory beyond the current view is estimated. Each change since the view was published has superseded at
// most the pages and directories above one node. That is about pinnedChange bytes on average, besides path and value. A whole view has
// about pinnedNode bytes for each node, besides path and value.
const (
	pinnedChange = 1 << 10
	pinnedNode   = 80
)

// ErrTooManyPinned is the error of a read that would pin one view more than PinLimits.Views. Its HTTP status is 503.
var ErrTooManyPinned = tree.NewError(tree.CodeRaftInternal,
	"too many states of the tree are pinned (--max-pinned-views); try again later, or list without atIndex")

// errPinsDisabled is the error of all reads with an index if PinLimits.Views is 0.
var errPinsDisabled = tree.NewError(tree.CodeInvalidField, `"atIndex" is turned off on this member (--max-pinned-views=0)`)

// pinnedViews keeps views of the tree for later reads.
type pinnedViews struct {
	limits PinLimits
	tree   *tree.Store
	now    func() time.Time

	mu   sync.Mutex
	pins []*pin // sorted by index
	// revisions are for lists of the v3 API, which name a revision in place of an index.
	revisions []*pinnedRevision
	sweeper   *time.Timer
	released  uint64 // the number of views that were released because of PinLimits.Bytes
}

// pin is a pinned view.
type pin struct {
	view       *tree.View
	superseded int64 // Store.SupersededBytes when the view was pinned
	made, used time.Time
}

// pin returns the view of an index, and pins it or renews the time for which it is pinned. With the index 0 it returns the view with the
// index of current. A pinned view takes precedence over current: a mirror changes the tree without a new index, and all pages of a list
// must show the same tree.
func (p *pinnedViews) pin(index uint64, current *tree.View) (*tree.View, error) {
	if p.limits.Views == 0 {
		return nil, errPinsDisabled
	}
	if index == 0 {
		index = current.Index()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release()
	now := p.now()
	i, found := p.place(index)
	switch {
	case found:
		p.pins[i].used = now
		return p.pins[i].view, nil
	case index != current.Index():
		return nil, &tree.Error{Code: tree.CodeHistoryCleared, Index: current.Index(),
			Cause: "this member does not keep the state of that atIndex; begin again with atIndex=now, and stay with one member"}
	case len(p.pins) >= p.limits.Views:
		return nil, ErrTooManyPinned
	}
	p.pins = slices.Insert(p.pins, i, &pin{view: current, superseded: p.tree.SupersededBytes(), made: now, used: now})
	p.startSweeper()
	return current, nil
}

// startSweeper begins to release views at intervals. Callers must hold mu.
func (p *pinnedViews) startSweeper() {
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(pinSweep, p.sweep)
	}
}

// place returns the place of an index in pins, and whether it is pinned. Callers must hold mu.
func (p *pinnedViews) place(index uint64) (int, bool) {
	return slices.BinarySearchFunc(p.pins, index, func(one *pin, index uint64) int {
		return cmp.Compare(one.view.Index(), index)
	})
}

// sweep releases views at intervals while any are pinned.
func (p *pinnedViews) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release()
	p.sweeper = nil
	if len(p.pins)+len(p.revisions) > 0 {
		p.startSweeper()
	}
}

// release removes the views that are older than the limits allow, and the oldest ones while there are too many bytes. Callers must hold
// mu.
func (p *pinnedViews) release() {
	now := p.now()
	p.releaseRevisions(now)
	p.pins = slices.DeleteFunc(p.pins, func(one *pin) bool {
		return now.Sub(one.used) >= p.limits.Idle || now.Sub(one.made) >= maxPinAge
	})
	for len(p.pins) > 0 && p.bytes() > p.limits.Bytes {
		p.pins = slices.Delete(p.pins, 0, 1)
		p.released++
	}
}

// bytes returns an estimate of the memory that the pinned views keep beyond that of the current view. They keep nothing that was not
// superseded since the oldest of them was pinned, and not more than the sum of their sizes. Callers must hold mu.
func (p *pinnedViews) bytes() int64 {
	if len(p.pins) == 0 {
		return 0
	}
	oldest, whole := p.pins[0], int64(0)
	for _, one := range p.pins {
		whole += one.view.Bytes() + pinnedNode*one.view.Nodes()
	}
	changes := int64(p.tree.View().Index() - oldest.view.Index())
	return min(whole, p.tree.SupersededBytes()-oldest.superseded+pinnedChange*changes)
}

// PinnedViews returns the number of pinned views and revisions, an estimate of the memory that they keep beyond that of the current view,
// and the number of views that were released early because of PinLimits.Bytes.
func (s *Service) PinnedViews() (views int, bytes int64, released uint64) {
	s.pinned.mu.Lock()
	defer s.pinned.mu.Unlock()
	return len(s.pinned.pins) + len(s.pinned.revisions), s.pinned.bytes() + s.pinned.revisionBytes(), s.pinned.released
}

// GetPinned is Get for a list of several requests. It reads from the view of an index, which it pins. With the index 0 it reads from and
// pins the current view; Read.Index is then the index for the next requests. The right is checked with the current users. The error has
// CodeHistoryCleared if this member does not keep the view. It is ErrTooManyPinned if the view can't be pinned.
func (s *Service) GetPinned(
	ctx context.Context, who auth.Credentials, path string, scope users.Scope, c Consistency, index uint64,
) (Read, error) {
	from, read, err := s.get(ctx, who, path, scope, c, func(current *tree.View) (*tree.View, error) {
		return s.pinned.pin(index, current)
	})
	s.recordRead(who, &from, path, c, read, err)
	return read, err
}
