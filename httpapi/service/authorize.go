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

// ErrNotRoot means that the sender of a request is not a proven user with the role root.
var ErrNotRoot = errors.New("service: only users with the role root may do this")

// ErrReplaying means that this member has not caught up since its start, so its users and roles may be outdated.
var ErrReplaying = errors.New(
	"this member has started and can't authorize the request until it has caught up with the cluster; try again later")

// The errors of the authorization of operations on keys. They have no index, as in the reference.
var (
	errUnauthorized = tree.NewError(tree.CodeUnauthorized, "Insufficient credentials")
	// ErrTooManyAttempts is auth.ErrTooManyAttempts for operations on keys. Its HTTP status is 429.
	ErrTooManyAttempts = tree.NewError(tree.CodeUnauthorized, "too many failed logins, try again later")
)

// sender is the sender of a request, identified with the users of a view. An operation that is authorized for the sender must read
// from the same view.
type sender struct {
	view      *tree.View
	principal auth.Principal
	roles     []string
	// identified is true if the credentials are right, badLogin if they are wrong or were not verified. Both are false while auth is
	// disabled.
	identified, badLogin bool
}

// identify returns the sender of a request. Its errors are those of auth.Authenticator; the sender then has only the name that the
// request claims. For a request of the v3 API they are *tree.Error: see identifyV3.
func (s *Service) identify(ctx context.Context, who auth.Credentials) (sender, error) {
	if who.V3 {
		return s.identifyV3(ctx, who)
	}
	for {
		view := s.cfg.Tree.View()
		if !view.Users().Enabled() {
			return sender{view: view}, nil
		}
		principal, roles, err := s.cfg.Auth.Authenticate(ctx, view.Users(), who)
		// The verification of a password takes time. The sender must be identified with the latest users.
		latest := s.cfg.Tree.View()
		if latest.Users().Revision() == view.Users().Revision() {
			return sender{latest, principal, roles, err == nil, err != nil}, err
		}
	}
}

// hasAccess reports whether the sender has the access to a clean path or, with users.Subtree, to everything at and below it.
func (s *sender) hasAccess(a users.Access, path string, scope users.Scope) bool {
	state := s.view.Users()
	return !state.Enabled() || state.Allows(s.roles, a, path, scope)
}

// isRoot reports whether the sender may do what needs the role root. A guest may not, even if the role guest were root.
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

// authorize returns the sender of an operation on keys, if it has the access. The errors are *tree.Error. While auth is disabled,
// authorize costs one atomic load.
func (s *Service) authorize(ctx context.Context, who auth.Credentials, a users.Access, path string, scope users.Scope) (sender, error) {
	if view := s.cfg.Tree.View(); !view.Users().Enabled() {
		return sender{view: view}, nil
	}
	from, err := s.identifyForKeys(ctx, who)
	if err == nil && !from.hasAccess(a, path, scope) {
		err = errUnauthorized
	}
	return from, err
}

// identifyForKeys is identify with the errors of operations on keys, which are *tree.Error.
func (s *Service) identifyForKeys(ctx context.Context, who auth.Credentials) (sender, error) {
	from, err := s.identify(ctx, who)
	switch {
	case who.V3:
	case errors.Is(err, auth.ErrTooManyAttempts):
		err = ErrTooManyAttempts
	case err != nil:
		err = errUnauthorized
	}
	return from, err
}

// AuthorizeRoot returns nil if the sender of a request has the role root, or if auth is disabled. Handlers call it before they read the
// body of a request for an operation of this Service, which authorizes the sender again. It uses what is applied on this member, and
// needs no other member. The audit log records the operation only if it is refused; name is its name, and key is what it concerns. The
// errors are ErrNotRoot, ErrReplaying and auth.ErrTooManyAttempts.
func (s *Service) AuthorizeRoot(ctx context.Context, who auth.Credentials, name, key string) error {
	from, err := s.identifyRoot(ctx, who)
	if err != nil {
		s.record(who, &from, operation{name: name, key: key}, 0, err)
	}
	return err
}

// AuthorizeProfile authorizes a profile of the process like AuthorizeRoot. The audit log records it in any case. key is the name of the
// profile.
func (s *Service) AuthorizeProfile(ctx context.Context, who auth.Credentials, key string) error {
	from, err := s.identifyRoot(ctx, who)
	s.record(who, &from, operation{name: opProfile, key: key, read: true}, 0, err)
	return err
}

// identifyRoot returns the sender of a request, if it has the role root or auth is disabled. The errors are those of AuthorizeRoot. For a
// request of the v3 API they are those of identifyV3, errPermissionDenied, and ErrReplaying.
func (s *Service) identifyRoot(ctx context.Context, who auth.Credentials) (sender, error) {
	if err := s.awaitUsers(ctx); err != nil {
		return sender{}, err
	}
	from, err := s.identify(ctx, who)
	switch {
	case errors.Is(err, auth.ErrTooManyAttempts), err != nil && who.V3:
		return from, err
	case who.V3 && !from.isRoot():
		return from, errPermissionDenied
	case err != nil, !from.isRoot():
		return from, ErrNotRoot
	}
	return from, nil
}

// authorizeLatest is identifyRoot for operations without an AuthRevision: changes of the membership, and reads of users. It waits until
// this member has applied everything that was acknowledged before. Otherwise a sender that has lost the role root could use a member
// that lags or has just joined. Other errors are those of Log.Barrier.
func (s *Service) authorizeLatest(ctx context.Context, who auth.Credentials) (sender, error) {
	if from, err := s.identifyRoot(ctx, who); err != nil { // without the right, the request need not wait
		return from, err
	}
	if err := s.cfg.Log.Barrier(ctx); err != nil {
		return sender{}, err
	}
	return s.identifyRoot(ctx, who)
}

// replayPause is the pause between two calls of hasUsers.
const replayPause = 10 * time.Millisecond

// hasUsers reports whether the users in the tree may be used to authorize root. A member that is not ready has applied only a part of
// the log, in which auth may not be enabled yet. With a leader, it must become ready first. Without a leader it can't become ready, so
// it uses the users that it had before its start: snapshots must be possible without a quorum.
func (s *Service) hasUsers() bool {
	return s.IsReady() || s.cfg.Log.Leader() == 0 && s.cfg.Log.Replayed()
}

// awaitUsers waits until hasUsers is true. It returns ErrReplaying after Config.ReadyTimeout, when ctx is done, or after Stop.
func (s *Service) awaitUsers(ctx context.Context) error {
	if s.hasUsers() {
		return nil
	}
	ticker := time.NewTicker(replayPause)
	defer ticker.Stop()
	timeout := time.After(s.cfg.ReadyTimeout)
	for {
		select {
		case <-ticker.C:
			if s.hasUsers() {
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
