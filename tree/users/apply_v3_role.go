package users

import (
	"slices"
	"strings"
)

func (t *transition) roleAdd(name string) *Error {
	switch {
	case name == "":
		return v3Error(RoleEmpty)
	case t.roles.Get(name) != nil:
		return v3Error(RoleExists)
	}
	r := newRole(name, Permissions{})
	t.mutateV3()
	t.roles.Insert((*roleItem)(r))
	t.outcome.Role, t.outcome.Created = r, true
	return nil
}

func (t *transition) roleDelete(name string) *Error {
	switch {
	case t.enabled && name == Root:
		return v3Error(InvalidManagement)
	case t.roles.Get(name) == nil:
		return v3Error(RoleNotFound)
	}
	var holders []*User
	for u := range t.Users() {
		if slices.Contains(u.Roles, name) {
			holders = append(holders, u)
		}
	}
	t.mutateV3()
	t.roles.Delete(name)
	for _, u := range holders {
		t.users.Replace((*userItem)(u.withoutRole(name)))
	}
	return nil
}

// roleGrantPermission sets the access of a role to a range. etcd keeps a second permission for a range if another one begins with the
// same key; here a range has one.
func (t *transition) roleGrantPermission(c *Change) *Error {
	if !c.Range.isGrantable() {
		return v3Error(InvalidManagement)
	}
	old := t.roles.Get(c.Name)
	if old == nil {
		return v3Error(RoleNotFound)
	}
	t.replaceRole(c.Name, setAccess(old.Read, c.Range, c.CanRead), setAccess(old.Write, c.Range, c.CanWrite))
	return nil
}

func (t *transition) roleRevokePermission(c *Change) *Error {
	old := t.roles.Get(c.Name)
	switch {
	case old == nil:
		return v3Error(RoleNotFound)
	case !slices.Contains(old.Read, c.Range) && !slices.Contains(old.Write, c.Range):
		return v3Error(PermissionNotGranted)
	}
	t.replaceRole(c.Name, setAccess(old.Read, c.Range, false), setAccess(old.Write, c.Range, false))
	return nil
}

// replaceRole replaces the role of the same name. It must be called after all checks.
func (t *transition) replaceRole(name string, read, write []Range) {
	r := newRole(name, Permissions{Read: read, Write: write})
	t.mutateV3()
	t.roles.Replace((*roleItem)(r))
	t.outcome.Role = r
}

// setAccess returns a list of ranges with or without one of them, in the order of an update by the v2 API.
func setAccess(old []Range, r Range, has bool) []Range {
	ranges := newSet(old)
	if has {
		ranges.add(r)
	} else {
		ranges.remove(r)
	}
	return ranges.sorted(comparePatterns)
}

// comparePatterns is the order of the permissions of a role after an update. Different ranges may have the same pattern.
func comparePatterns(a, b Range) int {
	if c := strings.Compare(a.Pattern(), b.Pattern()); c != 0 {
		return c
	}
	return strings.Compare(a.From, b.From)
}
