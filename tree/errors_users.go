package tree

// The codes of a failed OpUsers whose change belongs to the v3 API, one for each kind of error of package users. They are internal, as the
// codes from 1001 on.
const (
	CodeUserEmpty            Code = 1101
	CodeUserExists           Code = 1102
	CodeUserNotFound         Code = 1103
	CodeRoleEmpty            Code = 1104
	CodeRoleExists           Code = 1105
	CodeRoleNotFound         Code = 1106
	CodeRoleNotGranted       Code = 1107
	CodePermissionNotGranted Code = 1108
	CodeRootUserNotFound     Code = 1109
	CodeRootRoleNotGranted   Code = 1110
	CodeInvalidManagement    Code = 1111
	// CodeUsersUnchanged is the code of a change that has nothing to change. The v3 API reports success.
	CodeUsersUnchanged Code = 1112
)

// The codes of requests of the v3 API that are not authorized. No Apply returns them. The v2 API has CodeUnauthorized.
const (
	// CodeNoCredentials: auth is enabled, and the request has no token and no certificate of a user.
	CodeNoCredentials Code = 1121
	// CodeInvalidToken: the token is malformed, has expired, or belongs to a user that was deleted or has another password.
	CodeInvalidToken Code = 1122
	// CodePermissionDenied: the user has no right to the keys, or not the role root.
	CodePermissionDenied Code = 1123
	// CodeLoginFailed: the name or the password of a login is wrong.
	CodeLoginFailed Code = 1124
	// CodeTooManyLogins: too many logins of the user or from its address have failed.
	CodeTooManyLogins Code = 1125
	// CodeAuthDisabled: there are no logins while auth is disabled.
	CodeAuthDisabled Code = 1126
)
