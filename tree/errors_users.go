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
