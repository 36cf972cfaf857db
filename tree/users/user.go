package users

// The names that have a meaning of their own.
const (
	// Root is the name of the user without whom auth can't be enabled, and of the role that
	// may do everything.
	Root = "root"
	// Guest is the name of the role of requests without credentials.
	Guest = "guest"
)

// User is a user. It must not be changed.
type User struct {
	Name string
	// PasswordHash is the hash of the password, in the format of package auth.
	PasswordHash string
	// Roles are the names of the user's roles. A name does not need a role. An update of the
	// user sorts them. They are nil for a user who was created without roles, and not nil
	// after an update: the API shows the difference.
	Roles []string
}

// Role is a role. It must not be changed.
type Role struct {
	Name string
	Permissions
	read, write coverage // of Permissions
}

// Permissions are the keys that may be read, and those that may be written. An update of a
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
	if a == Write {
		return r.write.covers(path, scope)
	}
	return r.read.covers(path, scope)
}

func fullAccess() Permissions {
	return Permissions{Read: []Range{ParsePattern("/*")}, Write: []Range{ParsePattern("/*")}}
}

// rootRole is the role root of every State.
var rootRole = newRole(Root, fullAccess())

// The maps of a State hold these types: a btree.Map calls Path to get the key of an item.

type userItem User

// Path returns the name.
func (u *userItem) Path() string { return u.Name }

type roleItem Role

// Path returns the name.
func (r *roleItem) Path() string { return r.Name }
