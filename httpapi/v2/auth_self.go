package v2

import (
	"net/http"

	"pando/httpapi/auth"
	"pando/stats"
)

// selfDetails is the body of /v2/auth/self.
type selfDetails struct {
	Enabled bool `json:"enabled"`
	// User is empty for a guest, and while auth is disabled.
	User string `json:"user,omitempty"`
	// Proof is how the request proves its user: anonymous, password or certificate. It is empty while auth is disabled.
	Proof string         `json:"proof,omitempty"`
	Roles []*roleDetails `json:"roles,omitempty"`
}

// AuthSelf serves /v2/auth/self: the user whom the request names, with the permissions of its roles. Each sender may read it, also a
// guest. Wrong credentials are refused, so that a client can check a password. The reference does not have this path.
func (a *API) AuthSelf(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	self, err := a.Service.Identity(r.Context(), auth.FromRequest(r))
	if err != nil {
		return stats.OpAuth, a.refuseAuth(w, err)
	}
	a.setClusterID(w)
	body := selfDetails{Enabled: self.State.Enabled()}
	if body.Enabled {
		body.User, body.Proof = self.Principal.Name, self.Principal.Proof.String()
		roles := newRoleCache(self.State)
		for _, name := range self.Roles {
			if role := roles.role(name); role != nil {
				body.Roles = append(body.Roles, role)
			}
		}
	}
	writeJSONLine(w, http.StatusOK, body)
	return stats.OpAuth, nil
}
