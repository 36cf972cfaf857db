package users

// Op is the operation of a Change.
type Op uint8

// The operations. Their numbers are stored in the log: the number of an operation must never
// change, and must never be used again.
const (
	// PutUser creates or updates a user. If Grant or Revoke is not empty, it updates a user
	// that must exist. Otherwise, if Roles is not empty, it creates a user that must not
	// exist. If all three are empty, it updates the user if it exists, and creates it if not.
	// A new user needs a PasswordHash.
	PutUser Op = 1
	// DeleteUser deletes a user. The user root can't be deleted while auth is enabled.
	DeleteUser Op = 2
	// PutRole creates or updates a role. If GrantPermissions or RevokePermissions is not
	// empty, it updates a role that must exist. Otherwise it creates a role that must not exist.
	// The role root can't be changed.
	PutRole Op = 3
	// DeleteRole deletes a role. The lists of users keep its name. The role root can't be
	// deleted.
	DeleteRole Op = 4
	// Enable enables auth. The user root must exist. If the role guest does not exist, Enable
	// creates it with every access.
	Enable Op = 5
	// Disable disables auth.
	Disable Op = 6
)

const lastOp = Disable

// Change is one change of a State. It is applied as a whole or not at all. Its slices must not
// be changed after it is applied, because the State keeps them.
type Change struct {
	Op Op
	// Name is the name of the user or of the role. Enable and Disable have none.
	Name string

	// PasswordHash is the hash of a user's new password. An update with an empty hash keeps
	// the old one. It must never be the password itself.
	PasswordHash string
	// Roles are the roles of a new user. They are nil if the request has none, because the
	// API shows the difference between no list and an empty one.
	Roles []string
	// An update adds the roles of Grant to a user, and removes those of Revoke.
	Grant, Revoke []string

	// Permissions are the permissions of a new role. A list is nil if the request has none.
	Permissions Permissions
	// An update adds GrantPermissions to a role, and removes RevokePermissions.
	GrantPermissions, RevokePermissions Permissions
}

// Outcome is the result of a Change.
type Outcome struct {
	// User is the user after a PutUser, Role the role after a PutRole. Both are nil for any
	// other operation, and after an error.
	User *User
	Role *Role
	// Created says that the user or the role did not exist before.
	Created bool
	// Writes are the writes of keys by which the reference executes the change. They count in
	// the statistics, and each successful one takes one index. A change that fails may also
	// have successful writes.
	Writes Writes
}

// Writes counts writes by kind and result.
type Writes struct {
	Created, CreateFailed uint8
	Updated               uint8
	Deleted, DeleteFailed uint8
}

// Indexes returns the number of indexes that the writes take.
func (w Writes) Indexes() int { return int(w.Created) + int(w.Updated) + int(w.Deleted) }
