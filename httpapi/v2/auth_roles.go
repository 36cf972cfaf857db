package v2

import (
	"encoding/json"
	"fmt"
	"net/http"

	"pando/httpapi/service"
	"pando/stats"
	"pando/tree/users"
)

// roleDetails is a role with its permissions, as in responses.
type roleDetails struct {
	Role        string          `json:"role"`
	Permissions permissionsBody `json:"permissions"`
}

func newRoleDetails(r *users.Role) *roleDetails {
	details := &roleDetails{Role: r.Name}
	details.Permissions.KV.Read = patterns(r.Read)
	details.Permissions.KV.Write = patterns(r.Write)
	return details
}

// patterns returns the patterns of ranges. It returns nil for a missing list, which responses show as null.
func patterns(ranges []users.Range) []string {
	if ranges == nil {
		return nil
	}
	list := make([]string, len(ranges))
	for i, r := range ranges {
		list[i] = r.Pattern()
	}
	return list
}

// AuthRoles serves /v2/auth/roles and all paths below it.
func (a *API) AuthRoles(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	name, err := authName(w, r, authRolesPath)
	switch {
	case err != nil:
		return stats.OpAuth, err
	case name == "":
		return stats.OpAuth, a.listRoles(w, r)
	}
	switch r.Method {
	case http.MethodPut:
		return stats.OpAuth, a.putRole(w, r, name)
	case http.MethodDelete:
		return stats.OpAuth, a.changeAuth(w, r, &users.Change{Op: users.DeleteRole, Name: name})
	}
	return stats.OpAuth, a.getRole(w, r, name)
}

// listRoles responds with all roles.
func (a *API) listRoles(w http.ResponseWriter, r *http.Request) error {
	state, err := a.readAuth(w, r, service.RoleGet, "")
	if err != nil {
		return err
	}
	list := newListWriter(w, "roles")
	for role := range state.Roles() {
		list.add(newRoleDetails(role))
	}
	list.end()
	return nil
}

// getRole responds with one role.
func (a *API) getRole(w http.ResponseWriter, r *http.Request, name string) error {
	state, err := a.readAuth(w, r, service.RoleGet, name)
	if err != nil {
		return err
	}
	role := state.Role(name)
	if role == nil {
		return writeMessage(w, http.StatusNotFound, fmt.Sprintf("auth: Role %s does not exist.", name))
	}
	writeJSONLine(w, http.StatusOK, newRoleDetails(role))
	return nil
}

// putRole creates or updates a role, and responds with it.
func (a *API) putRole(w http.ResponseWriter, r *http.Request, name string) error {
	if err := a.authorizeAuth(w, r, service.RolePut, name); err != nil {
		return err
	}
	body, reserved, err := a.readMessageBody(w, r)
	defer reserved.Release()
	if err != nil {
		return err
	}
	c, err := decodeRole(name, body)
	if err != nil {
		return writeMessage(w, http.StatusBadRequest, err.Error())
	}
	outcome, err := a.proposeAuth(w, r, &c, "")
	if err != nil {
		return err
	}
	status := http.StatusOK
	if outcome.Created {
		status = http.StatusCreated
	}
	writeJSONLine(w, status, newRoleDetails(outcome.Role))
	return nil
}

// listPiece is the number of buffered bytes from which on a listWriter writes them.
const listPiece = 32 << 10

// listWriter writes a response with a JSON list in pieces, so that a client that does not read occupies the memory of one piece only.
type listWriter struct {
	w      http.ResponseWriter
	buffer []byte
	fields string // further fields before the list, each with a comma after it
	name   string
	begun  bool  // an element was added
	err    error // of the last write: the client is gone
}

func newListWriter(w http.ResponseWriter, name string) *listWriter {
	return &listWriter{w: w, name: name}
}

// add adds an element, which encoding/json must be able to encode.
func (l *listWriter) add(element any) {
	if l.err != nil {
		return
	}
	if l.begun {
		l.buffer = append(l.buffer, ',')
	} else {
		l.buffer = append(l.buffer, "{"+l.fields+`"`+l.name+`":[`...)
	}
	l.begun = true
	text, _ := json.Marshal(element)
	l.buffer = append(l.buffer, text...)
	if len(l.buffer) >= listPiece {
		_, l.err = l.w.Write(l.buffer)
		l.buffer = l.buffer[:0]
	}
}

// end writes the rest of the response. A list without elements is null, as in the reference.
func (l *listWriter) end() {
	if l.begun {
		l.buffer = append(l.buffer, "]}\n"...)
	} else {
		l.buffer = append(l.buffer, "{"+l.fields+`"`+l.name+"\":null}\n"...)
	}
	if l.err == nil {
		_, _ = l.w.Write(l.buffer)
	}
}
