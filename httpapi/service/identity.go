package service

import (
	"context"

	"pando/httpapi/auth"
	"pando/tree/users"
)

// Identity is what a sender may learn about itself.
type Identity struct {
	// State has the users and roles. Callers may show the roles of Roles alone.
	State *users.State
	// Principal is the sender. It is zero while auth is disabled.
	Principal auth.Principal
	// Roles are the names of the roles that the sender has. Roles with these names need not exist. The list is empty while auth is
	// disabled. Callers must not change it.
	Roles []string
}

// Identity returns the sender of a request with its roles. A request without credentials comes from a guest. Identity uses what is
// applied on this member, and needs no other member. The audit log records it as UserGet. The errors are ErrNotRoot for wrong
// credentials, ErrReplaying and auth.ErrTooManyAttempts.
func (s *Service) Identity(ctx context.Context, who auth.Credentials) (Identity, error) {
	if err := s.awaitUsers(ctx); err != nil {
		return Identity{}, err
	}
	from, err := s.identify(ctx, who)
	if err != nil && !isTooManyAttempts(err) {
		err = ErrNotRoot
	}
	if err != nil {
		s.record(who, &from, operation{name: UserGet, key: from.principal.Name, read: true}, 0, err)
		return Identity{}, err
	}
	s.record(who, &from, operation{name: UserGet, key: from.principal.Name, read: true}, from.view.Index(), nil)
	return Identity{State: from.view.Users(), Principal: from.principal, Roles: from.roles}, nil
}
