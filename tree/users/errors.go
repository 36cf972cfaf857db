package users

import "errors"

// Kind is the reason why a change fails.
type Kind uint8

// The kinds of errors.
const (
	// NotFound: the user or the role does not exist.
	NotFound Kind = iota + 1
	// Conflict: the change contradicts the State.
	Conflict
	// Forbidden: the user or the role must not be changed in this way.
	Forbidden
	// Invalid: the change is incomplete, or changes nothing.
	Invalid

	// The kinds of errors of the v3 API. Each has one text.

	// UserEmpty: the name of a new user is empty.
	UserEmpty
	// UserExists: there is a user with the name of a new user.
	UserExists
	// UserNotFound: there is no user with the name.
	UserNotFound
	// RoleEmpty: the name of a new role is empty.
	RoleEmpty
	// RoleExists: there is a role with the name of a new role.
	RoleExists
	// RoleNotFound: there is no role with the name.
	RoleNotFound
	// RoleNotGranted: the user does not have the role that is to be revoked.
	RoleNotGranted
	// PermissionNotGranted: the role has no permission for exactly this range.
	PermissionNotGranted
	// RootUserNotFound: auth can't be enabled without a user root.
	RootUserNotFound
	// RootRoleNotGranted: auth can't be enabled while the user root does not have the role root.
	RootRoleNotGranted
	// InvalidManagement: root must keep its rights while auth is enabled, or the range of a permission is empty or begins with an
	// empty key.
	InvalidManagement
	// Unchanged: the State is already as the change would make it. The v3 API reports success.
	Unchanged
)

// v3Texts are the texts of the errors of the v3 API, without the prefix that etcd's clients see.
var v3Texts = map[Kind]string{
	UserEmpty:            "user name is empty",
	UserExists:           "user name already exists",
	UserNotFound:         "user name not found",
	RoleEmpty:            "role name is empty",
	RoleExists:           "role name already exists",
	RoleNotFound:         "role name not found",
	RoleNotGranted:       "role is not granted to the user",
	PermissionNotGranted: "permission is not granted to the role",
	RootUserNotFound:     "root user does not exist",
	RootRoleNotGranted:   "root user does not have root role",
	InvalidManagement:    "invalid auth management",
	Unchanged:            "nothing to change",
}

// v3Error returns the error of a kind of the v3 API.
func v3Error(kind Kind) *Error { return &Error{kind, "auth: " + v3Texts[kind]} }

// Error is the reason why Apply refuses a change.
type Error struct {
	Kind Kind
	// Text is the text that clients of the v2 API get. It begins with "auth: ". Clients of the v3 API get a text for the Kind.
	Text string
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

var (
	// ErrBadChange is returned for bytes that are not an encoded Change.
	ErrBadChange = errors.New("users: not an encoded change")
	// ErrBadState is returned for bytes that are not the stored form of a State.
	ErrBadState = errors.New("users: not a stored state")
)
