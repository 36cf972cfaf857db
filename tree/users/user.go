package users

// The reserved names.
const (
	// Root is the name of the user that must exist before auth can be enabled. It is also the
	// name of the role that gives every access.
	Root = "root"
	// Guest is the name of the role of requests without credentials.
	Guest = "guest"
)

// User is a user of a State. Callers must not change it.
type User struct {
	Name string
	// PasswordHash is the hash of the password, in the format of package auth. It is empty for a user without a password, whom only
	// a client certificate can identify.
	PasswordHash string
	// Roles are the names of the user's roles. Roles with these names need not exist. An
	// update of the user sorts the list. The list is nil for a user that was created without
	// roles, and not nil after an update: the API shows the difference. See RolesV2 for the user root.
	Roles []string
}

// RolesV2 returns the roles that the v2 API shows. They are Roles, with the role root for the user root: while auth is disabled, the v3
// API may have made the user root without this role. Callers must not change the list.
func (u *User) RolesV2() []string { return withRootRole(u).Roles }

// Role is a role of a State. Callers must not change it.
type Role struct {
	Name string
	Permissions
	read, write coverage // of Permissions.Read and Permissions.Write
}

// Permissions are the keys that may be read, and the keys that may be written. An update of a
// role sorts both lists by pattern. A list is nil if it was not given when the role was
// created, and not nil after an update: the API shows the difference.
type Permissions struct {
	Read, Write []Range
}

func (p *Permissions) isEmpty() bool { return len(p.Read) == 0 && len(p.Write) == 0 }

func newRole(name string, p Permissions) *Role {
	return &Role{Name: name, Permissions: p, read: newCoverage(p.Read), write: newCoverage(p.Write)}
}

// allows reports whether the role alone gives the access.
func (r *Role) allows(a Access, path string, scope Scope) bool {
	return r.coverage(a).covers(path, scope)
}

// coverage returns the keys to which the role gives the access.
func (r *Role) coverage(a Access) coverage {
	if a == Write {
		return r.write
	}
	return r.read
}

func fullAccess() Permissions {
	return Permissions{Read: []Range{ParsePattern("/*")}, Write: []Range{ParsePattern("/*")}}
}

// rootRole is the role root of every State.
var rootRole = newRole(Root, fullAccess())

// userItem and roleItem are the items of the maps of a State. A btree.Map gets the key of an item
// by calling its method Path.

type userItem User

// Path returns the name.
func (u *userItem) Path() string { return u.Name }

type roleItem Role

// Path returns the name.
func (r *roleItem) Path() string { return r.Name }
