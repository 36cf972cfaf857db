package users

import (
	"fmt"
	"slices"
)

func (t *transition) putRole(c *Change) *Error {
	if c.Name == Root {
		return errRootRole()
	}
	if c.GrantPermissions.isEmpty() && c.RevokePermissions.isEmpty() {
		return t.createRole(c)
	}
	old := t.Role(c.Name)
	if old == nil {
		return &Error{NotFound, fmt.Sprintf("auth: Role %s does not exist.", c.Name)}
	}
	return t.updateRole(old, c)
}

func errRootRole() *Error {
	return &Error{Forbidden, "auth: Cannot modify role root: is root role."}
}

func (t *transition) createRole(c *Change) *Error {
	t.initialize()
	if t.Role(c.Name) != nil {
		t.outcome.Writes.CreateFailed++
		return &Error{Conflict, fmt.Sprintf("auth: Role %s already exists.", c.Name)}
	}
	r := newRole(c.Name, c.Permissions)
	t.mutate()
	t.roles.Insert((*roleItem)(r))
	t.outcome.Role, t.outcome.Created = r, true
	t.outcome.Writes.Created++
	return nil
}

// updateRole grants and revokes permissions of a role. It fails if no list is different
// afterwards. Revoking a permission that the role does not have is no error.
func (t *transition) updateRole(old *Role, c *Change) *Error {
	read, err := updateRanges(old.Read, c.GrantPermissions.Read, c.RevokePermissions.Read, "read")
	if err != nil {
		return err
	}
	write, err := updateRanges(old.Write, c.GrantPermissions.Write, c.RevokePermissions.Write, "write")
	if err != nil {
		return err
	}
	if old.Read != nil && old.Write != nil && slices.Equal(read, old.Read) && slices.Equal(write, old.Write) {
		return &Error{Invalid, "auth: Role not updated. Use grant/revoke to update the role."}
	}
	r := newRole(old.Name, Permissions{Read: read, Write: write})
	t.mutate()
	t.roles.Replace((*roleItem)(r))
	t.outcome.Role = r
	t.outcome.Writes.Updated++
	return nil
}

// updateRanges adds the granted ranges to a list and removes the revoked ones. access names the
// list in the error. The result is sorted by pattern, has no duplicates, and is never nil.
func updateRanges(old, grant, revoke []Range, access string) ([]Range, *Error) {
	ranges := newSet(old)
	for _, r := range grant {
		if !ranges.add(r) {
			return nil, &Error{Conflict, fmt.Sprintf("auth: Granting duplicate %s permission %s", access, r.Pattern())}
		}
	}
	for _, r := range revoke {
		ranges.remove(r)
	}
	return ranges.sorted(comparePatterns), nil
}

func (t *transition) deleteRole(name string) *Error {
	if name == Root {
		return errRootRole()
	}
	t.initialize()
	if t.Role(name) == nil {
		t.outcome.Writes.DeleteFailed++
		return &Error{NotFound, fmt.Sprintf("auth: Role %s doesn't exist.", name)}
	}
	t.mutate()
	t.roles.Delete(name)
	t.outcome.Writes.Deleted++
	return nil
}
