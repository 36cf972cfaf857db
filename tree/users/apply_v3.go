package users

import (
	"slices"
	"strings"
)

// applyV3 applies a change of the v3 API. The order of the checks is that of etcd 3.7.
func (t *transition) applyV3(c *Change) *Error {
	switch c.Op {
	case UserAdd:
		return t.userAdd(c)
	case UserDelete:
		return t.userDelete(c.Name)
	case UserChangePassword:
		return t.userChangePassword(c)
	case UserGrantRole:
		return t.userGrantRole(c)
	case UserRevokeRole:
		return t.userRevokeRole(c)
	case RoleAdd:
		return t.roleAdd(c.Name)
	case RoleDelete:
		return t.roleDelete(c.Name)
	case RoleGrantPermission:
		return t.roleGrantPermission(c)
	case RoleRevokePermission:
		return t.roleRevokePermission(c)
	case AuthEnable:
		return t.authEnable()
	case AuthDisable:
		return t.authDisable()
	case SetTokenKey:
		return t.setTokenKey(c.TokenKey)
	}
	return &Error{Invalid, "auth: unknown operation"}
}

// mutateV3 is mutate for a change of the v3 API, which takes one index.
func (t *transition) mutateV3() {
	t.mutate()
	t.outcome.Writes.Uncounted++
}

func (t *transition) userAdd(c *Change) *Error {
	switch {
	case c.Name == "":
		return v3Error(UserEmpty)
	case t.User(c.Name) != nil:
		return v3Error(UserExists)
	}
	u := &User{Name: c.Name, PasswordHash: c.PasswordHash}
	t.mutateV3()
	t.users.Insert((*userItem)(u))
	t.outcome.User, t.outcome.Created = u, true
	return nil
}

func (t *transition) userDelete(name string) *Error {
	switch {
	case t.enabled && name == Root:
		return v3Error(InvalidManagement)
	case t.User(name) == nil:
		return v3Error(UserNotFound)
	}
	t.mutateV3()
	t.users.Delete(name)
	return nil
}

func (t *transition) userChangePassword(c *Change) *Error {
	old := t.User(c.Name)
	if old == nil {
		return v3Error(UserNotFound)
	}
	u := *old
	if old.PasswordHash != "" {
		u.PasswordHash = c.PasswordHash
	}
	t.replaceUser(&u)
	return nil
}

func (t *transition) userGrantRole(c *Change) *Error {
	old := t.User(c.Name)
	switch {
	case old == nil:
		return v3Error(UserNotFound)
	case t.Role(c.Role) == nil:
		return v3Error(RoleNotFound)
	case slices.Contains(old.Roles, c.Role):
		return v3Error(Unchanged)
	}
	roles := newSet(old.Roles)
	roles.add(c.Role)
	t.replaceUser(&User{Name: old.Name, PasswordHash: old.PasswordHash, Roles: roles.sorted(strings.Compare)})
	return nil
}

func (t *transition) userRevokeRole(c *Change) *Error {
	old := t.User(c.Name)
	switch {
	case t.enabled && c.Name == Root && c.Role == Root:
		return v3Error(InvalidManagement)
	case old == nil:
		return v3Error(UserNotFound)
	case !slices.Contains(old.Roles, c.Role):
		return v3Error(RoleNotGranted)
	}
	t.replaceUser(old.withoutRole(c.Role))
	return nil
}

// replaceUser replaces the user of the same name. It must be called after all checks.
func (t *transition) replaceUser(u *User) {
	t.mutateV3()
	t.users.Replace((*userItem)(u))
	t.outcome.User = u
}

// withoutRole returns a copy of u without a role.
func (u *User) withoutRole(name string) *User {
	roles := newSet(u.Roles)
	roles.remove(name)
	return &User{Name: u.Name, PasswordHash: u.PasswordHash, Roles: roles.sorted(strings.Compare)}
}

func (t *transition) authEnable() *Error {
	root := t.User(Root)
	switch {
	case t.enabled:
		return v3Error(Unchanged)
	case root == nil:
		return v3Error(RootUserNotFound)
	case !slices.Contains(root.Roles, Root):
		return v3Error(RootRoleNotGranted)
	}
	t.mutateV3()
	t.enabled, t.tokenKey = true, ""
	return nil
}

func (t *transition) authDisable() *Error {
	if !t.enabled {
		return v3Error(Unchanged)
	}
	t.mutateV3()
	t.enabled, t.tokenKey = false, ""
	return nil
}

func (t *transition) setTokenKey(key string) *Error {
	if t.tokenKey != "" {
		return v3Error(Unchanged)
	}
	t.mutateV3()
	t.tokenKey = key
	return nil
}
