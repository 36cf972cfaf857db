package service

import (
	"context"
	"errors"
	"slices"
	"time"

	"pando/httpapi/auth"
	"pando/tree"
	"pando/tree/users"
)

// ErrNotRoot says that the sender of a request has not proved to be a user with the role root.
var ErrNotRoot = errors.New("service: only users with the role root may do this")

// ErrReplaying says that this member has not caught up since its start, so it can't know who may do what.
var ErrReplaying = errors.New("this member is starting and can't authorize the request before it has caught up; try again later")

// The errors of operations on keys. They have no index, as in the reference.
var (
	errUnauthorized = tree.NewError(tree.CodeUnauthorized, "Insufficient credentials")
	// ErrTooManyAttempts is auth.ErrTooManyAttempts for operations on keys. Its HTTP status is 429.
	ErrTooManyAttempts = tree.NewError(tree.CodeUnauthorized, "too many failed logins, try again later")
)

// sender is who has sent a request, by the users of a view. Operations must read from the same view.
type sender struct {
	view      *tree.View
	principal auth.Principal
	roles     []string
	// identified is true if the principal is proved, and badLogin if its credentials were wrong or not verified. Both are false while
	// auth is disabled.
	identified, badLogin bool
}

// identify finds out who has sent a request. Its errors are those of auth.Authenticator; the principal is then the one of
// which the credentials are wrong. Callers need not call it while auth is disabled.
func (s *Service) identify(ctx context.Context, who auth.Credentials) (sender, error) {
	for {
		view := s.cfg.Tree.View()
		if !view.Users().Enabled() {
			return sender{view: view}, nil
		}
		principal, roles, err := s.cfg.Auth.Authenticate(ctx, view.Users(), who)
		// The verification of a password takes time: what was applied meanwhile must be visible.
		latest := s.cfg.Tree.View()
		if latest.Users().Revision() == view.Users().Revision() {
			return sender{latest, principal, roles, err == nil, err != nil}, err
		}
	}
}

// may reports whether the sender has the access to a clean path, or to everything at and below it.
func (s *sender) may(a users.Access, path string, scope users.Scope) bool {
	state := s.view.Users()
	return !state.Enabled() || state.Allows(s.roles, a, path, scope)
}

// isRoot reports whether the sender may change users and members.
func (s *sender) isRoot() bool {
	return !s.view.Users().Enabled() || s.principal.Proof != auth.Anonymous && slices.Contains(s.roles, users.Root)
}

// authRevision returns the AuthRevision of a command that the sender proposes.
func (s *sender) authRevision() uint64 {
	if state := s.view.Users(); state.Enabled() {
		return state.Revision()
	}
	return 0
}

// authorize returns the sender of an operation on keys, if it has the access. The errors are *tree.Error. While auth is disabled it
// costs one atomic load.
func (s *Service) authorize(ctx context.Context, who auth.Credentials, a users.Access, path string, scope users.Scope) (sender, error) {
	if view := s.cfg.Tree.View(); !view.Users().Enabled() {
		return sender{view: view}, nil
	}
	from, err := s.identify(ctx, who)
	switch {
	case errors.Is(err, auth.ErrTooManyAttempts):
		return from, ErrTooManyAttempts
	case err != nil, !from.may(a, path, scope):
		return from, errUnauthorized
	}
	return from, nil
}

// AuthorizeRoot returns nil if the sender of a request may do what only root may do. It uses what is applied on this member, and
// needs no other member. The errors are ErrNotRoot, auth.ErrTooManyAttempts and ErrReplaying.
func (s *Service) AuthorizeRoot(ctx context.Context, who auth.Credentials) error {
	_, err := s.identifyRoot(ctx, who)
	return err
}

// AuthorizeRootFor is AuthorizeRoot for an operation that begins later. The audit log records the operation if it is refused. name is
// that of the operation, and key what it concerns.
func (s *Service) AuthorizeRootFor(ctx context.Context, who auth.Credentials, name, key string) error {
	from, err := s.identifyRoot(ctx, who)
	if s.cfg.Audit != nil && err != nil {
		s.record(who, &from, operation{name: name, key: key}, 0, err)
	}
	return err
}

// AuthorizeProfile is AuthorizeRoot for a profile of the process. The audit log records it. key is the name of the profile.
func (s *Service) AuthorizeProfile(ctx context.Context, who auth.Credentials, key string) error {
	from, err := s.identifyRoot(ctx, who)
	if s.cfg.Audit != nil {
		s.record(who, &from, operation{name: opProfile, key: key, read: true}, 0, err)
	}
	return err
}

func (s *Service) identifyRoot(ctx context.Context, who auth.Credentials) (sender, error) {
	if err := s.awaitUsers(ctx); err != nil {
		return sender{}, err
	}
	from, err := s.identify(ctx, who)
	switch {
	case errors.Is(err, auth.ErrTooManyAttempts):
		return from, err
	case err != nil, !from.isRoot():
		return from, ErrNotRoot
	}
	return from, nil
}

// authorizeLatest is AuthorizeRoot for operations that carry no AuthRevision: changes of the membership, and reads of users. It waits
// until this member has everything that was acknowledged. Otherwise a sender who is no longer root could use a member that lags, or that
// has just joined.
func (s *Service) authorizeLatest(ctx context.Context, who auth.Credentials) (sender, error) {
	if from, err := s.identifyRoot(ctx, who); err != nil {
		return from, err
	}
	if err := s.cfg.Log.Barrier(ctx); err != nil {
		return sender{}, err
	}
	return s.identifyRoot(ctx, who)
}

// replayPause is the pause between two calls of usersKnown.
const replayPause = 10 * time.Millisecond

// usersKnown reports whether the users in the tree may be used to authorize root. A member that is not ready has a part of the log, in
// which auth may not be enabled yet. If there is a leader, the member must become ready first. Without a leader nobody can do that, and
// the users that this member knew before its start count: a snapshot must be possible without a quorum.
func (s *Service) usersKnown() bool {
	return s.isReady() || s.cfg.Log.Leader() == 0 && s.cfg.Log.Replayed()
}

// awaitUsers waits until usersKnown is true. It returns ErrReplaying after Config.ReadyTimeout, when ctx is done, or after Stop.
func (s *Service) awaitUsers(ctx context.Context) error {
	if s.usersKnown() {
		return nil
	}
	ticker := time.NewTicker(replayPause)
	defer ticker.Stop()
	timeout := time.After(s.cfg.ReadyTimeout)
	for {
		select {
		case <-ticker.C:
			if s.usersKnown() {
				return nil
			}
		case <-timeout:
			return ErrReplaying
		case <-ctx.Done():
			return ErrReplaying
		case <-s.stopped:
			return ErrReplaying
		}
	}
}
