package service

import (
	"context"
	"errors"

	"pando/httpapi/auth"
	"pando/tree"
	"pando/tree/users"
)

// The errors of the authorization of the v3 API. Package v3 sends a text of etcd for each code.
var (
	errNoCredentials    = tree.NewError(tree.CodeNoCredentials, "the request has no token and no certificate")
	errInvalidToken     = tree.NewError(tree.CodeInvalidToken, "the token is not valid, log in again")
	errPermissionDenied = tree.NewError(tree.CodePermissionDenied, "insufficient credentials")
)

// identifyV3 returns the sender of a request of the v3 API. There are no guests: while auth is enabled, a request must have a token or the
// certificate of a user. The errors are errNoCredentials, errInvalidToken, errPermissionDenied for the certificate of an unknown user,
// and those of Log.Barrier: another member may have issued a token in a state that this one has not applied.
func (s *Service) identifyV3(ctx context.Context, who auth.Credentials) (sender, error) {
	for waited := false; ; waited = true {
		view := s.cfg.Tree.View()
		if !view.Users().Enabled() {
			return sender{view: view}, nil
		}
		principal, roles, err := s.cfg.Auth.IdentifyV3(view.Users(), who)
		switch {
		case errors.Is(err, auth.ErrTokenAhead) && !waited:
			if err := s.cfg.Log.Barrier(ctx); err != nil {
				return sender{view: view}, err
			}
			continue
		case errors.Is(err, auth.ErrNoCredentials):
			return sender{view: view}, errNoCredentials
		case errors.Is(err, auth.ErrNoUser):
			return sender{view: view}, errPermissionDenied
		case err != nil:
			return sender{view: view, badLogin: true}, errInvalidToken
		}
		return sender{view, principal, roles, true, false}, nil
	}
}

// allowsRange reports whether the sender has the access to all keys of a range.
func (s *sender) allowsRange(a users.Access, r users.Range) bool {
	state := s.view.Users()
	return !state.Enabled() || state.AllowsRange(s.roles, a, r)
}

// authorizeRange returns the sender of a request of the v3 API, if it has the access to all keys of a range. The operation must use the
// view of the sender. A request that needs several rights checks the others with allowsRange. The errors are those of identifyV3 and
// errPermissionDenied. While auth is disabled, authorizeRange costs one atomic load.
func (s *Service) authorizeRange(ctx context.Context, who auth.Credentials, a users.Access, r users.Range) (sender, error) {
	from, err := s.identifyV3(ctx, who)
	if err == nil && !from.allowsRange(a, r) {
		err = errPermissionDenied
	}
	return from, err
}

// AuthorizeUser returns nil if a request of the v3 API has proved any user, or if auth is disabled. Operations that show nothing of the
// keys need it, such as the list of the members. It uses what is applied on this member. Errors are *tree.Error and ErrReplaying.
func (s *Service) AuthorizeUser(ctx context.Context, who auth.Credentials) error {
	if err := s.awaitUsers(ctx); err != nil {
		return err
	}
	_, err := s.identifyV3(ctx, who)
	return err
}
