package v2

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"pando/httpapi/auth"
	"pando/stats"
	"pando/tree"
	"pando/tree/users"
)

// The paths of users and roles.
const (
	authUsersPath = "/v2/auth/users"
	authRolesPath = "/v2/auth/roles"
)

var (
	errAuthPath   = errors.New("v2: a user or role name contains a slash")
	errAuthMethod = errors.New("v2: method not allowed for the path")
)

// authEnabled is the body of /v2/auth/enable.
type authEnabled struct {
	Enabled bool `json:"enabled"`
}

// AuthEnable serves /v2/auth/enable: whether requests must be authorized. Everybody may read it.
func (a *API) AuthEnable(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	if r.Method == http.MethodGet {
		a.setClusterID(w)
		enabled, err := a.Service.AuthEnabled(r.Context())
		if err != nil {
			return stats.OpAuth, a.refuseAuth(w, err)
		}
		writeJSONLine(w, http.StatusOK, authEnabled{enabled})
		return stats.OpAuth, nil
	}
	c := users.Change{Op: users.Enable}
	if r.Method == http.MethodDelete {
		c.Op = users.Disable
	}
	_, err := a.changeAuth(w, r, &c, "")
	return stats.OpAuth, err
}

// authName returns the name in a path below base; it is empty for base itself. A trailing slash does not count. If the name is not
// valid or the method is not allowed, authName writes the response and returns an error.
func authName(w http.ResponseWriter, r *http.Request, base string) (string, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, base), "/"), "/")
	if strings.Contains(name, "/") {
		_ = writeMessage(w, http.StatusBadRequest, "Invalid path")
		return "", errAuthPath
	}
	methods := "GET,PUT,DELETE"
	if name == "" {
		methods = "GET"
	}
	if slices.Contains(strings.Split(methods, ","), r.Method) {
		return name, nil
	}
	w.Header().Set("Allow", methods)
	http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	return "", errAuthMethod
}

// readAuth returns the users and roles for a request that reads them. operation and name are those of service.Users. After an error it
// has written the response.
func (a *API) readAuth(w http.ResponseWriter, r *http.Request, operation, name string) (*users.State, error) {
	state, err := a.Service.Users(r.Context(), auth.FromRequest(r), operation, name)
	if err != nil {
		return nil, a.refuseAuth(w, err)
	}
	a.setClusterID(w)
	w.Header()["Content-Type"] = jsonType
	return state, nil
}

// authorizeAuth checks the right to change a user or a role, before the body is read. As in the reference, a missing right is the first
// of several errors. After an error it has written the response.
func (a *API) authorizeAuth(w http.ResponseWriter, r *http.Request, operation, name string) error {
	if err := a.Service.AuthorizeRootFor(r.Context(), auth.FromRequest(r), operation, name); err != nil {
		return a.refuseAuth(w, err)
	}
	a.setClusterID(w)
	return nil
}

// changeAuth carries out a change. password is the new password of the user, or empty. A change that has no result to show
// gets an empty response. After an error changeAuth has written the response.
func (a *API) changeAuth(w http.ResponseWriter, r *http.Request, c *users.Change, password string) (users.Outcome, error) {
	outcome, err := a.Service.ChangeUsers(r.Context(), auth.FromRequest(r), c, password)
	if err != nil {
		return outcome, a.refuseAuth(w, err)
	}
	a.setClusterID(w)
	if c.Op != users.PutUser && c.Op != users.PutRole {
		w.Header()["Content-Type"] = jsonType
		w.WriteHeader(http.StatusOK)
	}
	return outcome, nil
}

// refuseAuth responds to a request for users and roles that failed. As in the reference, a request without the right gets no
// X-Etcd-Cluster-Id.
func (a *API) refuseAuth(w http.ResponseWriter, err error) error {
	if isRootError(err) {
		return refuseRoot(w, err)
	}
	a.setClusterID(w)
	message := err.Error()
	if e, ok := errors.AsType[*tree.Error](err); ok {
		message = e.Cause
	}
	return writeMessage(w, messageStatus(err), message)
}
