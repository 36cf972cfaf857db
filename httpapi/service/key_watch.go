package service

import (
	"context"

	"pando/httpapi/auth"
	"pando/stats"
	"pando/tree"
	"pando/tree/users"
)

// KeyWatch returns the changes of the keys in a range while its principal may read them. After a change of users, roles or the auth switch
// it checks the right again, but no token. The principal of a watch that began while auth was disabled has no roles. The rules for calling
// the methods are those of tree.KeyWatcher.
//
// Watches of one principal can be merged, so that they have one cursor; see MergeInto.
type KeyWatch struct {
	events    *tree.KeyWatcher
	tree      *tree.Store
	principal auth.Principal
	revision  uint64 // of the users with which the right was checked
	denied    func() // records that the right of one watch was lost; nil without an audit log
	watches   int    // the open watches that were merged into this one, and this one
}

// WatchKeys begins a watch of the keys in a range, from the revision start on or, if start is 0, with the next change. It returns the
// revision after which it has begun. It waits for nothing but the users that a new token needs. The caller must close the watch. The errors
// are *tree.Error, with CodeCompacted if the events from start on are no longer kept.
func (s *Service) WatchKeys(ctx context.Context, who auth.Credentials, keys tree.KeyRange, start uint64) (*KeyWatch, uint64, error) {
	from, err := s.authorizeRange(ctx, who, users.Read, keys)
	revision := s.cfg.Tree.View().Revision()
	var watch *KeyWatch
	if err == nil {
		watch, err = s.openKeyWatch(who, &from, keys, start, revision)
	}
	s.record(who, &from, operation{name: stats.OpWatch.String(), key: keys.From, read: true}, from.view.Index(), err)
	return watch, revision, err
}

// AuthorizeWatch returns nil if the sender may watch the keys in a range. WatchKeys checks that, too.
func (s *Service) AuthorizeWatch(ctx context.Context, who auth.Credentials, keys tree.KeyRange) error {
	_, err := s.authorizeRange(ctx, who, users.Read, keys)
	return err
}

func (s *Service) openKeyWatch(who auth.Credentials, from *sender, keys tree.KeyRange, start, revision uint64) (*KeyWatch, error) {
	if start == 0 {
		// With 0 the watch would miss a change between View and WatchKeys. The client must get every change after the revision.
		start = revision + 1
	}
	events, err := s.cfg.Tree.WatchKeys(keys, start)
	if err != nil {
		return nil, err
	}
	return &KeyWatch{
		events: events, tree: s.cfg.Tree, principal: from.principal, revision: from.view.Users().Revision(),
		denied: s.recordEnd(who, *from, []string{keys.From}), watches: 1,
	}, nil
}

// Poll returns the next events without waiting. The errors are those of tree.KeyWatcher, and a *tree.Error of CodePermissionDenied if the
// principal no longer has the right to the events.
func (w *KeyWatch) Poll(maxBytes int) (tree.KeyBatch, error) {
	batch, err := w.events.Poll(maxBytes)
	if err != nil {
		return tree.KeyBatch{}, err
	}
	// The state must be read after the events, so that it contains every change of users before them.
	if state := w.tree.View().Users(); state.Revision() != w.revision {
		if !w.mayRead(state) {
			for i := 0; w.denied != nil && i < w.watches; i++ {
				w.denied()
			}
			return tree.KeyBatch{}, errPermissionDenied
		}
		w.revision = state.Revision()
	}
	return batch, nil
}

// mayRead reports whether the principal may read the watched keys in a state.
func (w *KeyWatch) mayRead(state *users.State) bool {
	if !state.Enabled() {
		return true
	}
	if w.principal.Proof == auth.Anonymous { // the v3 API has no guests
		return false
	}
	roles, ok := w.principal.Roles(state)
	return ok && state.AllowsRange(roles, users.Read, w.events.Keys())
}

// Start returns the least revision of an event that the watch returns.
func (w *KeyWatch) Start() uint64 { return w.events.Start() }

// Notify registers wake, which must not block. It is called when Poll may return events or an error, also after a change of users.
func (w *KeyWatch) Notify(wake func()) { w.events.Notify(wake) }

// MergeInto merges the watch into another one of the same sender, which then returns the events of both. It returns false without an effect
// if the watches differ in their keys, rights or place in the history. Otherwise the watch must not be used any more, and Close of other
// must be called once for each of its watches. The goroutine that polls both watches must call MergeInto and Close.
func (w *KeyWatch) MergeInto(other *KeyWatch) bool {
	if w.principal != other.principal || w.revision != other.revision || !w.events.MergeInto(other.events) {
		return false
	}
	other.watches += w.watches
	return true
}

// Close ends the watch, or one of those that were merged.
func (w *KeyWatch) Close() {
	if w.watches--; w.watches == 0 {
		w.events.Close()
	}
}

// CompactRevision returns the revision up to which this member has compacted the history.
func (s *Service) CompactRevision() uint64 { return s.cfg.Tree.View().CompactRevision() }
