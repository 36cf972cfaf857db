package v2

import (
	"fmt"
	"net/http"

	"pando/httpapi/service"
	"pando/stats"
	"pando/tree/users"
)

// userRoles is a user in the response to a PUT.
type userRoles struct {
	User  string   `json:"user"`
	Roles []string `json:"roles"`
}

// userDetails is a user with the permissions of its roles, as in responses to a GET.
type userDetails struct {
	User  string         `json:"user"`
	Roles []*roleDetails `json:"roles,omitempty"`
}

// AuthUsers serves /v2/auth/users and all paths below it.
func (a *API) AuthUsers(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	name, err := authName(w, r, authUsersPath)
	switch {
	case err != nil:
		return stats.OpAuth, err
	case name == "":
		return stats.OpAuth, a.listUsers(w, r)
	}
	switch r.Method {
	case http.MethodPut:
		return stats.OpAuth, a.putUser(w, r, name)
	case http.MethodDelete:
		return stats.OpAuth, a.changeAuth(w, r, &users.Change{Op: users.DeleteUser, Name: name})
	}
	return stats.OpAuth, a.getUser(w, r, name)
}

// listUsers responds with all users. Names of roles that do not exist are left out.
func (a *API) listUsers(w http.ResponseWriter, r *http.Request) error {
	state, err := a.readAuth(w, r, service.UserGet, "")
	if err != nil {
		return err
	}
	roles := newRoleCache(state)
	list := newListWriter(w, "users")
	for u := range state.Users() {
		list.add(roles.user(u))
	}
	list.end()
	return nil
}

// getUser responds with one user. A role that does not exist is an error, as in the reference.
func (a *API) getUser(w http.ResponseWriter, r *http.Request, name string) error {
	state, err := a.readAuth(w, r, service.UserGet, name)
	if err != nil {
		return err
	}
	u := state.User(name)
	if u == nil {
		return writeMessage(w, http.StatusNotFound, fmt.Sprintf("auth: User %s does not exist.", name))
	}
	for _, role := range u.RolesV2() {
		if state.Role(role) == nil {
			return writeMessage(w, http.StatusNotFound, fmt.Sprintf("auth: Role %s does not exist.", role))
		}
	}
	writeJSONLine(w, http.StatusOK, newRoleCache(state).user(u))
	return nil
}

// putUser creates or updates a user, and responds with the names of its roles.
func (a *API) putUser(w http.ResponseWriter, r *http.Request, name string) error {
	if err := a.authorizeAuth(w, r, service.UserPut, name); err != nil {
		return err
	}
	body, reserved, err := a.readMessageBody(w, r)
	defer reserved.Release()
	if err != nil {
		return err
	}
	c, password, err := decodeUser(name, body)
	if err != nil {
		return writeMessage(w, http.StatusBadRequest, err.Error())
	}
	outcome, err := a.proposeAuth(w, r, &c, password)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if outcome.Created && len(c.Roles) == 0 {
		status = http.StatusCreated
	}
	writeJSONLine(w, status, userRoles{name, outcome.User.Roles})
	return nil
}

// roleCache makes the details of users for a response. It makes the details of each role once.
type roleCache struct {
	state *users.State
	roles map[string]*roleDetails
}

func newRoleCache(state *users.State) *roleCache {
	return &roleCache{state, map[string]*roleDetails{}}
}

// role returns the details of a role, or nil if there is none with the name.
func (c *roleCache) role(name string) *roleDetails {
	details, known := c.roles[name]
	if !known {
		if r := c.state.Role(name); r != nil {
			details = newRoleDetails(r)
		}
		c.roles[name] = details
	}
	return details
}

// user returns the details of a user, without the names of roles that do not exist.
func (c *roleCache) user(u *users.User) *userDetails {
	details := &userDetails{User: u.Name}
	for _, name := range u.RolesV2() {
		if role := c.role(name); role != nil {
			details.Roles = append(details.Roles, role)
		}
	}
	return details
}
