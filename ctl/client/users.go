package client

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

const (
	usersPath  = "/v2/auth/users"
	rolesPath  = "/v2/auth/roles"
	enablePath = "/v2/auth/enable"
)

// hiddenPassword stands for a password in the output of Config.Debug.
const hiddenPassword = "***"

// errInvalidName is returned for the name of a user or role that would change the path of the request. It is the error of the server for
// such a name.
var errInvalidName = &StatusError{Status: http.StatusBadRequest, text: "Invalid path"}

// User is a user with its roles, as JSON on the wire.
type User struct {
	Name  string `json:"user"`
	Roles []Role `json:"roles"`
}

// Role is a role with its permissions, as JSON on the wire.
type Role struct {
	Name        string      `json:"role"`
	Permissions Permissions `json:"permissions"`
}

// Permissions are the paths that a role may read and write. A path that ends in "*" stands for all keys with this prefix.
type Permissions struct {
	KV struct {
		Read  []string `json:"read"`
		Write []string `json:"write"`
	} `json:"kv"`
}

// userChange is the body of a request that changes a user.
type userChange struct {
	Name     string   `json:"user"`
	Password string   `json:"password,omitempty"`
	Roles    []string `json:"roles"`
	Grant    []string `json:"grant,omitempty"`
	Revoke   []string `json:"revoke,omitempty"`
}

// roleChange is the body of a request that changes a role.
type roleChange struct {
	Role
	Grant  *Permissions `json:"grant,omitempty"`
	Revoke *Permissions `json:"revoke,omitempty"`
}

// Users returns all users.
func (c *Client) Users(ctx context.Context) ([]User, error) {
	var list struct{ Users []User }
	err := c.auth(ctx, &request{method: http.MethodGet, path: usersPath}, &list, http.StatusOK)
	return list.Users, err
}

// User returns one user.
func (c *Client) User(ctx context.Context, name string) (User, error) {
	var u User
	err := c.authByName(ctx, &request{method: http.MethodGet, path: usersPath}, name, &u, http.StatusOK)
	return u, err
}

// AddUser creates a user. If the user exists, AddUser changes its password.
func (c *Client) AddUser(ctx context.Context, name, password string) error {
	return c.changeUser(ctx, &userChange{Name: name, Password: password}, repeatable, http.StatusOK, http.StatusCreated)
}

// ChangePassword sets the password of a user. If there is no such user, the API creates it, and ChangePassword returns an error.
func (c *Client) ChangePassword(ctx context.Context, name, password string) error {
	return c.changeUser(ctx, &userChange{Name: name, Password: password}, repeatable, http.StatusOK)
}

// GrantRoles adds roles to a user.
func (c *Client) GrantRoles(ctx context.Context, name string, roles []string) error {
	return c.changeUser(ctx, &userChange{Name: name, Grant: roles}, unrepeatable, http.StatusOK)
}

// RevokeRoles removes roles from a user.
func (c *Client) RevokeRoles(ctx context.Context, name string, roles []string) error {
	return c.changeUser(ctx, &userChange{Name: name, Revoke: roles}, unrepeatable, http.StatusOK)
}

// RemoveUser deletes a user.
func (c *Client) RemoveUser(ctx context.Context, name string) error {
	r := &request{method: http.MethodDelete, path: usersPath, repetition: unrepeatable}
	return c.authByName(ctx, r, name, nil, http.StatusOK, http.StatusCreated)
}

func (c *Client) changeUser(ctx context.Context, change *userChange, repetition repetition, accepted ...int) error {
	r := &request{method: http.MethodPut, path: usersPath, repetition: repetition}
	r.setJSON(change)
	if change.Password != "" {
		shown := *change
		shown.Password = hiddenPassword
		r.shownBody = encode(&shown)
	}
	return c.authByName(ctx, r, change.Name, nil, accepted...)
}

// Roles returns all roles. The error for a refusal contains the status code and no message, as in the legacy client.
func (c *Client) Roles(ctx context.Context) ([]Role, error) {
	a, err := c.send(ctx, &request{method: http.MethodGet, path: rolesPath})
	if err != nil {
		return nil, err
	}
	var list struct{ Roles []Role }
	err = a.decode(http.StatusOK, &list)
	return list.Roles, err
}

// Role returns one role.
func (c *Client) Role(ctx context.Context, name string) (Role, error) {
	var role Role
	err := c.authByName(ctx, &request{method: http.MethodGet, path: rolesPath}, name, &role, http.StatusOK)
	return role, err
}

// AddRole creates a role without permissions.
func (c *Client) AddRole(ctx context.Context, name string) error {
	return c.changeRole(ctx, &roleChange{Role: Role{Name: name}}, http.StatusOK, http.StatusCreated)
}

// GrantPermissions adds permissions to a role.
func (c *Client) GrantPermissions(ctx context.Context, name string, granted Permissions) error {
	return c.changeRole(ctx, &roleChange{Role: Role{Name: name}, Grant: &granted}, http.StatusOK)
}

// RevokePermissions removes permissions from a role.
func (c *Client) RevokePermissions(ctx context.Context, name string, revoked Permissions) error {
	return c.changeRole(ctx, &roleChange{Role: Role{Name: name}, Revoke: &revoked}, http.StatusOK)
}

// RemoveRole deletes a role.
func (c *Client) RemoveRole(ctx context.Context, name string) error {
	r := &request{method: http.MethodDelete, path: rolesPath, repetition: unrepeatable}
	return c.authByName(ctx, r, name, nil, http.StatusOK, http.StatusCreated)
}

func (c *Client) changeRole(ctx context.Context, change *roleChange, accepted ...int) error {
	r := &request{method: http.MethodPut, path: rolesPath, repetition: unrepeatable}
	r.setJSON(change)
	return c.authByName(ctx, r, change.Name, nil, accepted...)
}

// AuthEnabled reports whether the cluster requires credentials.
func (c *Client) AuthEnabled(ctx context.Context) (bool, error) {
	var state struct{ Enabled bool }
	err := c.auth(ctx, &request{method: http.MethodGet, path: enablePath}, &state, http.StatusOK)
	return state.Enabled, err
}

// EnableAuth makes the cluster require credentials.
func (c *Client) EnableAuth(ctx context.Context) error { return c.switchAuth(ctx, http.MethodPut) }

// DisableAuth makes the cluster serve requests without credentials.
func (c *Client) DisableAuth(ctx context.Context) error { return c.switchAuth(ctx, http.MethodDelete) }

func (c *Client) switchAuth(ctx context.Context, method string) error {
	r := &request{method: method, path: enablePath, repetition: unrepeatable}
	return c.auth(ctx, r, nil, http.StatusOK, http.StatusCreated)
}

// authByName is auth for a request about one user or role, whose name it appends to the path.
func (c *Client) authByName(ctx context.Context, r *request, name string, value any, accepted ...int) error {
	if name == "." || name == ".." || strings.Contains(name, "/") {
		return errInvalidName
	}
	r.path += "/" + name
	return c.auth(ctx, r, value, accepted...)
}

// auth sends a request to /v2/auth. If the status is one of accepted, it decodes the body into value, unless value is nil. For every other
// status it returns a *StatusError with the message in the body.
func (c *Client) auth(ctx context.Context, r *request, value any, accepted ...int) error {
	a, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	switch {
	case !slices.Contains(accepted, a.status):
		return a.refusal()
	case value == nil:
		return nil
	}
	return json.Unmarshal(a.body, value)
}

// setJSON makes value the body of the request.
func (r *request) setJSON(value any) { r.contentType, r.body = "application/json", encode(value) }

// encode returns value as JSON.
func encode(value any) string {
	data, _ := json.Marshal(value) // callers pass only types that can always be encoded
	return string(data)
}
