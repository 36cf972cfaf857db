package service

import (
	"context"
	"errors"
	"slices"

	"pando/httpapi/auth"
	"pando/tree"
	"pando/tree/users"
)

// The operations of the v3 API on users and roles. They have the rights and errors of etcd 3.7. Errors are *tree.Error, ErrReplaying,
// ErrNotUpgraded and ErrUsersFollow. Reads contain every change that was acknowledged to any client before.

var (
	errLoginFailed   = tree.NewError(tree.CodeLoginFailed, "the name or the password is wrong")
	errTooManyLogins = tree.NewError(tree.CodeTooManyLogins, "too many failed logins, try again later")
	errAuthDisabled  = tree.NewError(tree.CodeAuthDisabled, "auth is disabled, so no login is necessary")
	errUserNotFound  = tree.NewError(tree.CodeUserNotFound, "auth: user name not found")
	errRoleNotFound  = tree.NewError(tree.CodeRoleNotFound, "auth: role name not found")
)

// NewPassword is the new password of a UserAdd or a UserChangePassword of the v3 API. It is the zero value for all other changes.
type NewPassword struct {
	// Text is the password. If it is empty, the user can't log in by password, though etcd would accept it.
	Text string
	// None makes a UserAdd ignore the Text: only a certificate can identify the user.
	None bool
}

// ChangeUsersV3 executes a change of the v3 API, if the sender has the role root at the index of the change. The caller must not change c
// until ChangeUsersV3 returns. A change that has nothing to change is no error. After an error with CodeRaftInternal the change may be
// applied later.
func (s *Service) ChangeUsersV3(ctx context.Context, who auth.Credentials, c *users.Change, password NewPassword) error {
	switch {
	case c.Op != users.UserAdd && c.Op != users.UserChangePassword:
	case password.None && c.Op == users.UserAdd:
		password.Text = ""
	default:
		c.PasswordHash = auth.Unusable // until changeUsers has hashed the password
	}
	from, event, err := s.changeUsers(ctx, who, c, password.Text)
	index := uint64(0)
	switch e, _ := errors.AsType[*tree.Error](err); {
	case e != nil && e.Code == tree.CodeUsersUnchanged:
		err = nil
	case errors.Is(err, auth.ErrTooManyAttempts):
		err = errTooManyLogins
	case err == nil:
		index = event.Index()
	}
	s.record(who, &from, operation{name: userOperations[c.Op], key: c.Name}, index, err)
	return err
}

// AuthStatus returns the auth switch and the revision of the users. A request without credentials may read them, but a bad token is an
// error. As in etcd, the revision of a new cluster is 1.
func (s *Service) AuthStatus(ctx context.Context, who auth.Credentials) (enabled bool, revision uint64, err error) {
	from, err := s.identifyLatest(ctx, who)
	if err != nil && !errors.Is(err, errNoCredentials) {
		return false, 0, err
	}
	state := from.view.Users()
	return state.Enabled(), state.Revision() + 1, nil
}

// identifyLatest is identifyV3 after everything that was acknowledged before has been applied.
func (s *Service) identifyLatest(ctx context.Context, who auth.Credentials) (sender, error) {
	if err := s.awaitUsers(ctx); err != nil {
		return sender{}, err
	}
	if err := s.cfg.Log.Barrier(ctx); err != nil {
		return sender{}, err
	}
	return s.identifyV3(ctx, who)
}

// readUsers returns the users and roles, if auth is disabled, the sender has the role root, or allowed returns true for it. name and key
// are those of the audit log.
func (s *Service) readUsers(
	ctx context.Context, who auth.Credentials, name, key string, allowed func(*sender) bool,
) (*users.State, error) {
	from, err := s.identifyLatest(ctx, who)
	if err == nil && !from.isRoot() && !allowed(&from) {
		err = errPermissionDenied
	}
	o := operation{name: name, key: key, read: true}
	if err != nil {
		s.record(who, &from, o, 0, err)
		return nil, err
	}
	s.record(who, &from, o, from.view.Index(), nil)
	return from.view.Users(), nil
}

func onlyRoot(*sender) bool { return false }

// UserNames returns the names of all users in their order. The sender must have the role root.
func (s *Service) UserNames(ctx context.Context, who auth.Credentials) ([]string, error) {
	state, err := s.readUsers(ctx, who, UserGet, "", onlyRoot)
	if err != nil {
		return nil, err
	}
	var names []string
	for u := range state.Users() {
		names = append(names, u.Name)
	}
	return names, nil
}

// RoleNames returns the names of all roles that the v3 API shows, in their order. The sender must have the role root.
func (s *Service) RoleNames(ctx context.Context, who auth.Credentials) ([]string, error) {
	state, err := s.readUsers(ctx, who, RoleGet, "", onlyRoot)
	if err != nil {
		return nil, err
	}
	var names []string
	for r := range state.Roles() {
		if r.Name != users.Root || state.HasRootRole() {
			names = append(names, r.Name)
		}
	}
	return names, nil
}

// UserRoles returns the names of the roles of a user. The caller must not change the list. The sender must be the user or have the role
// root.
func (s *Service) UserRoles(ctx context.Context, who auth.Credentials, name string) ([]string, error) {
	state, err := s.readUsers(ctx, who, UserGet, name, func(from *sender) bool { return from.principal.Name == name })
	if err != nil {
		return nil, err
	}
	u := state.User(name)
	if u == nil {
		return nil, errUserNotFound
	}
	return u.Roles, nil
}

// allKeys is the permission that the v3 API shows for the role root.
var allKeys = []users.PermissionV3{{Range: users.RangeV3("", "\x00"), Read: true, Write: true}}

// RolePermissions returns the permissions of a role. The caller must not change the list. The sender must have this role or the role root.
func (s *Service) RolePermissions(ctx context.Context, who auth.Credentials, name string) ([]users.PermissionV3, error) {
	state, err := s.readUsers(ctx, who, RoleGet, name, func(from *sender) bool { return slices.Contains(from.roles, name) })
	if err != nil {
		return nil, err
	}
	r := state.Role(name)
	switch {
	case r == nil, name == users.Root && !state.HasRootRole():
		return nil, errRoleNotFound
	case name == users.Root:
		return allKeys, nil
	}
	return r.PermissionsV3(), nil
}
