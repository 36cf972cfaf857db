package users

import (
	"fmt"
	"slices"
	"strings"
)

func (t *transition) putUser(c *Change) *Error {
	user := t.User(c.Name)
	changesRoles := len(c.Grant) > 0 || len(c.Revoke) > 0
	switch {
	case changesRoles && user == nil:
		return &Error{NotFound, fmt.Sprintf("auth: User %s does not exist.", c.Name)}
	case changesRoles, len(c.Roles) == 0 && user != nil:
		return t.updateUser(user, c)
	}
	return t.createUser(c)
}

func (t *transition) createUser(c *Change) *Error {
	if c.PasswordHash == "" {
		return &Error{Invalid, fmt.Sprintf("auth: Cannot create user %s with an empty password", c.Name)}
	}
	t.initialize()
	if t.User(c.Name) != nil {
		t.outcome.Writes.CreateFailed++
		return &Error{Conflict, fmt.Sprintf("auth: User %s already exists.", c.Name)}
	}
	u := withRootRole(&User{Name: c.Name, PasswordHash: c.PasswordHash, Roles: c.Roles})
	t.mutate()
	t.users.Insert((*userItem)(u))
	t.outcome.User, t.outcome.Created = u, true
	t.outcome.Writes.Created++
	return nil
}

// updateUser grants and revokes roles of a user, and replaces its password. It fails if neither
// the password nor the list of roles, with its order, is different afterwards.
func (t *transition) updateUser(old *User, c *Change) *Error {
	old = withRootRole(old)
	roles := newSet(old.Roles)
	for _, name := range c.Grant {
		if !roles.add(name) {
			return &Error{Conflict, fmt.Sprintf("auth: Granting duplicate role %s for user %s", name, c.Name)}
		}
	}
	for _, name := range c.Revoke {
		if !roles.remove(name) {
			return &Error{Conflict, fmt.Sprintf("auth: Revoking ungranted role %s for user %s", name, c.Name)}
		}
	}
	u := &User{Name: old.Name, PasswordHash: old.PasswordHash, Roles: roles.sorted(strings.Compare)}
	if c.PasswordHash != "" {
		u.PasswordHash = c.PasswordHash
	}
	if u.PasswordHash == old.PasswordHash && old.Roles != nil && slices.Equal(u.Roles, old.Roles) {
		return &Error{Invalid, "auth: User not updated. Use grant/revoke/password to update the user."}
	}
	t.mutate()
	t.users.Replace((*userItem)(withRootRole(u)))
	t.outcome.User = u // may be without the role root, as the response of the reference
	t.outcome.Writes.Updated++
	return nil
}

func (t *transition) deleteUser(name string) *Error {
	if t.enabled && name == Root {
		return &Error{Forbidden, "auth: Cannot delete root user while auth is enabled."}
	}
	t.initialize()
	if t.User(name) == nil {
		t.outcome.Writes.DeleteFailed++
		return &Error{NotFound, fmt.Sprintf("auth: User %s does not exist", name)} // without the final period that an update's error has
	}
	t.mutate()
	t.users.Delete(name)
	t.outcome.Writes.Deleted++
	return nil
}

// withRootRole returns u or, if u is the user root without the role root, a copy with this role.
// The reference adds the role whenever it reads the user root.
func withRootRole(u *User) *User {
	if u.Name != Root || slices.Contains(u.Roles, Root) {
		return u
	}
	stored := *u
	stored.Roles = append(slices.Clone(u.Roles), Root)
	return &stored
}
