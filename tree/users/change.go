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

	// The operations of the Auth service of etcd's v3 API, named as its calls. They need the feature level of that API. Their errors
	// have the texts of etcd 3.7.

	// UserAdd creates a user that must not exist, without roles. See Change.PasswordHash.
	UserAdd Op = 7
	// UserDelete deletes a user. The user root can't be deleted while auth is enabled.
	UserDelete Op = 8
	// UserChangePassword replaces the PasswordHash of a user. A user without a password keeps none.
	UserChangePassword Op = 9
	// UserGrantRole gives a role to a user. The role must exist, unless it is the role root. It fails with Unchanged if the user has
	// the role.
	UserGrantRole Op = 10
	// UserRevokeRole takes a role from a user. The user root keeps the role root while auth is enabled.
	UserRevokeRole Op = 11
	// RoleAdd creates a role without permissions. It may also create the role root: see State.HasRootRole.
	RoleAdd Op = 12
	// RoleDelete deletes a role, and takes it from all users. The role root can't be deleted while auth is enabled.
	RoleDelete Op = 13
	// RoleGrantPermission sets the access of a role to Range: afterwards it has the access that Read and Write say, and no other.
	RoleGrantPermission Op = 14
	// RoleRevokePermission takes each access to Range from a role.
	RoleRevokePermission Op = 15
	// AuthEnable enables auth. The user root must exist and have the role root. Unlike Enable, it creates no role guest. It fails with
	// Unchanged if auth is enabled.
	AuthEnable Op = 16
	// AuthDisable disables auth. It fails with Unchanged if auth is disabled.
	AuthDisable Op = 17

	// SetTokenKey sets State.TokenKey. It fails with Unchanged if the State has a key.
	SetTokenKey Op = 18
)

const lastOp = SetTokenKey

// IsV3 reports whether programs that do not have the v3 API can't decode a Change with this operation.
func (o Op) IsV3() bool { return o > Disable }

// Change is one change of a State. It is applied as a whole or not at all. Its slices must not
// be changed after it is applied, because the State keeps them.
type Change struct {
	Op Op
	// Name is the name of the user or of the role. Operations on the switch and SetTokenKey have none. Only the operations of the v3
	// API may have an empty name.
	Name string

	// PasswordHash is the hash of a user's new password. A PutUser of an existing user with an empty hash keeps
	// the old one. A UserAdd with an empty hash makes a user without a password. It must never be the password itself.
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

	// Role is the role of a UserGrantRole or UserRevokeRole.
	Role string
	// Range are the keys of a RoleGrantPermission or RoleRevokePermission.
	Range Range
	// CanRead and CanWrite are the access that a RoleGrantPermission gives.
	CanRead, CanWrite bool
	// TokenKey is the key of a SetTokenKey.
	TokenKey string
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
	// Uncounted writes are those of the v3 API. The statistics of the v2 API do not count them.
	Uncounted uint8
}

// Indexes returns the number of indexes that the writes take.
func (w Writes) Indexes() int {
	return int(w.Created) + int(w.Updated) + int(w.Deleted) + int(w.Uncounted)
}
