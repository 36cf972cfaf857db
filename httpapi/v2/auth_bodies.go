package v2

import (
	"encoding/json"
	"strings"

	"pando/tree/users"
)

// maxAuthName is the length in bytes of the longest name of a user or a role. Names are keys of the checkpoint, as paths are.
const maxAuthName = 16 << 10

// bodyError is the reason why a body is refused. Clients get its text.
type bodyError string

func (e bodyError) Error() string { return string(e) }

// The texts are those of the reference, except that of errAuthNameLong, which the reference does not have.
const (
	errAuthJSON     bodyError = "Invalid JSON in request body."
	errUserName     bodyError = "User JSON name does not match the name in the URL"
	errRoleName     bodyError = "Role JSON name does not match the name in the URL"
	errUserBoth     bodyError = "User JSON contains both roles and grant/revoke"
	errRoleBoth     bodyError = "Role JSON contains both permissions and grant/revoke"
	errAuthNameLong bodyError = "auth: a name is longer than 16 KiB"
)

// userBody is the body of a PUT of a user.
type userBody struct {
	User     string   `json:"user"`
	Password string   `json:"password"`
	Roles    []string `json:"roles"`
	Grant    []string `json:"grant"`
	Revoke   []string `json:"revoke"`
}

// decodeUser decodes the body of a PUT of a user to a change and the new password, which may be "". The errors are of type bodyError.
func decodeUser(name, body string) (c users.Change, password string, err error) {
	var u userBody
	if err := decodeFirst(body, &u); err != nil {
		return c, "", err
	}
	switch {
	case u.User != name:
		return c, "", errUserName
	case len(name) > maxAuthName:
		return c, "", errAuthNameLong
	case len(u.Roles) > 0 && (len(u.Grant) > 0 || len(u.Revoke) > 0):
		return c, "", errUserBoth
	}
	return users.Change{Op: users.PutUser, Name: name, Roles: u.Roles, Grant: u.Grant, Revoke: u.Revoke}, u.Password, nil
}

// roleBody is the body of a PUT of a role.
type roleBody struct {
	Role        string          `json:"role"`
	Permissions permissionsBody `json:"permissions"`
	Grant       permissionsBody `json:"grant"`
	Revoke      permissionsBody `json:"revoke"`
}

// permissionsBody are permissions in bodies of requests and responses.
type permissionsBody struct {
	KV struct {
		Read  []string `json:"read"`
		Write []string `json:"write"`
	} `json:"kv"`
}

// decodeRole decodes the body of a PUT of a role to a change. The errors are of type bodyError.
func decodeRole(name, body string) (c users.Change, err error) {
	var r roleBody
	if err := decodeFirst(body, &r); err != nil {
		return c, err
	}
	switch {
	case r.Role != name:
		return c, errRoleName
	case len(name) > maxAuthName:
		return c, errAuthNameLong
	case !r.Permissions.empty() && !(r.Grant.empty() && r.Revoke.empty()):
		return c, errRoleBoth
	}
	return users.Change{
		Op: users.PutRole, Name: name, Permissions: r.Permissions.parse(),
		GrantPermissions: r.Grant.parse(), RevokePermissions: r.Revoke.parse(),
	}, nil
}

func (p *permissionsBody) empty() bool { return len(p.KV.Read) == 0 && len(p.KV.Write) == 0 }

func (p *permissionsBody) parse() users.Permissions {
	return users.Permissions{Read: users.ParsePatterns(p.KV.Read), Write: users.ParsePatterns(p.KV.Write)}
}

// decodeFirst decodes the first JSON value of a body. As in the reference, it ignores the rest of the body and unknown
// fields.
func decodeFirst(body string, v any) error {
	if err := json.NewDecoder(strings.NewReader(body)).Decode(v); err != nil {
		return errAuthJSON
	}
	return nil
}
