package users

// Op is the operation of a Change.
type Op uint8

// The operations. Their numbers are stored in the log: the number of an operation must never
// change, and must never be used again.
const (
	// PutUser creates or updates a user. With Grant or Revoke it updates a user, who must
	// exist. Otherwise, with Roles it creates a user, who must not exist. Without them it
	// updates the user, or creates one. A new user needs a PasswordHash.
	PutUser Op = 1
	// DeleteUser deletes a user. The user root can't be deleted while auth is enabled.
	DeleteUser Op = 2
	// PutRole creates or updates a role. With GrantPermissions or RevokePermissions it
	// updates a role, which must exist. Without them it creates a role, which must not exist.
	// The role root can't be changed.
	PutRole Op = 3
	// DeleteRole deletes a role. Users keep its name. The role root can't be deleted.
	DeleteRole Op = 4
	// Enable enables auth. It needs a user root. It creates the role guest, with every
	// access, if that role does not exist.
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

	// PasswordHash is the hash of a user's new password. If it is empty, an update keeps the
	// old one. It must never be a password.
	PasswordHash string
	// Roles are the roles of a new user. They are nil if the request has none, because the
	// API shows the difference between no list and an empty one.
	Roles []string
	// Grant and Revoke are names of roles that an update adds to a user and removes.
	Grant, Revoke []string

	// Permissions are those of a new role. A list is nil if the request has none.
	Permissions Permissions
	// GrantPermissions and RevokePermissions are added to a role and removed.
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
	// Writes are the writes with which the reference carries out the change. They count in
	// its statistics, and each successful one takes one index. A change that fails may have
	// successful writes.
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
