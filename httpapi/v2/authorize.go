package v2

import (
	"errors"
	"net/http"

	"pando/httpapi/auth"
	"pando/httpapi/service"
)

// AuthorizeProfile returns nil if the sender of a request for a profile of the process has the role root, or if auth is disabled.
// After an error it has written the response.
func (a *API) AuthorizeProfile(w http.ResponseWriter, r *http.Request) error {
	if err := a.Service.AuthorizeProfile(r.Context(), auth.FromRequest(r), r.URL.Path); err != nil {
		return refuseRoot(w, err)
	}
	return nil
}

// authorizeRoot returns nil if the sender of a request has the role root, or if auth is disabled. name and key are for the audit log;
// see service.AuthorizeRoot. After an error it has written the response.
func (a *API) authorizeRoot(w http.ResponseWriter, r *http.Request, name, key string) error {
	if err := a.Service.AuthorizeRoot(r.Context(), auth.FromRequest(r), name, key); err != nil {
		return refuseRoot(w, err)
	}
	return nil
}

// refuseRoot responds to a request that needs the role root with an error of service.AuthorizeRoot.
func refuseRoot(w http.ResponseWriter, err error) error {
	status, message := messageStatus(err), err.Error()
	switch {
	case errors.Is(err, service.ErrNotRoot):
		w.Header().Del("X-Etcd-Cluster-Id") // as in the reference
		message = "Insufficient credentials"
	case errors.Is(err, auth.ErrTooManyAttempts):
		message = service.ErrTooManyAttempts.Cause
	}
	if status != http.StatusUnauthorized {
		w.Header()["Retry-After"] = retrySoon
	}
	return writeMessage(w, status, message)
}

// isRootError reports whether an error is one of service.AuthorizeRoot.
func isRootError(err error) bool {
	return errors.Is(err, service.ErrNotRoot) || errors.Is(err, service.ErrReplaying) || errors.Is(err, auth.ErrTooManyAttempts)
}
