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
	errAuthPath   = errors.New("v2: the name of a user or a role contains a slash")
	errAuthMethod = errors.New("v2: method not allowed for the path")
)

// authEnabled is the body of /v2/auth/enable.
type authEnabled struct {
	Enabled bool `json:"enabled"`
}

// AuthEnable serves /v2/auth/enable: reading and changing the auth switch. Reading needs no authorization.
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
	return stats.OpAuth, a.changeAuth(w, r, &c)
}

// authName returns the name of a user or a role in a path below base; "" for base itself. It ignores a trailing slash. After an error,
// for an invalid name or a method that is not allowed, it has written the response.
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

// readAuth returns the users and roles for a request that reads them, and sets the headers of the response. operation and name are for
// the audit log; see service.Users. After an error it has written the response.
func (a *API) readAuth(w http.ResponseWriter, r *http.Request, operation, name string) (*users.State, error) {
	state, err := a.Service.Users(r.Context(), auth.FromRequest(r), operation, name)
	if err != nil {
		return nil, a.refuseAuth(w, err)
	}
	a.setClusterID(w)
	w.Header()["Content-Type"] = jsonType
	return state, nil
}

// authorizeAuth authorizes a PUT of a user or a role before its body is read. As in the reference, a missing right is reported before
// any other error. After an error it has written the response.
func (a *API) authorizeAuth(w http.ResponseWriter, r *http.Request, operation, name string) error {
	if err := a.authorizeRoot(w, r, operation, name); err != nil {
		return err
	}
	a.setClusterID(w)
	return nil
}

// changeAuth executes a change without a result, and responds with an empty body. After an error it has written the response.
func (a *API) changeAuth(w http.ResponseWriter, r *http.Request, c *users.Change) error {
	if _, err := a.proposeAuth(w, r, c, ""); err != nil {
		return err
	}
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(http.StatusOK)
	return nil
}

// proposeAuth executes a change. password is the new password of the user, or "". The caller must write the response, but after an
// error proposeAuth has written it.
func (a *API) proposeAuth(w http.ResponseWriter, r *http.Request, c *users.Change, password string) (users.Outcome, error) {
	outcome, err := a.Service.ChangeUsers(r.Context(), auth.FromRequest(r), c, password)
	if err != nil {
		return outcome, a.refuseAuth(w, err)
	}
	a.setClusterID(w)
	return outcome, nil
}

// refuseAuth responds to a request for users or roles with an error of package service. As in the reference, the response to a sender
// without the right has no X-Etcd-Cluster-Id.
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
