package v2

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"pando/httpapi/auth"
	"pando/httpapi/service"
	"pando/members"
	"pando/stats"
)

// errNoID means that a PUT or DELETE names no member.
var errNoID = errors.New("v2: the path names no member")

// Members serves /v2/members and everything below.
func (a *API) Members(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	a.setClusterID(w)
	id := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/v2/members"), "/")
	if r.Method == http.MethodGet {
		return stats.OpMembers, a.listMembers(w, r, id)
	}
	// The service authorizes the change again. But as in the reference, a missing right is reported before any error in the body.
	if err := a.authorizeRoot(w, r, memberOperation(r.Method, id), id); err != nil {
		return stats.OpMembers, err
	}
	if r.Method == http.MethodPost {
		if to, found := strings.CutSuffix(id, "/leader"); found {
			return stats.OpMembers, a.transferLeader(w, r, to)
		}
		return stats.OpMembers, a.addMember(w, r)
	}
	if id == "" { // the reference sends no Allow header here
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return stats.OpMembers, errNoID
	}
	return stats.OpMembers, a.changeMember(w, r, id)
}

// memberOperation returns the operation of a change of the members in the audit log.
func memberOperation(method, id string) string {
	switch {
	case method == http.MethodDelete:
		return service.MemberRemove
	case method == http.MethodPut:
		return service.MemberUpdate
	case strings.HasSuffix(id, "/leader"):
		return service.LeaderTransfer
	}
	return service.MemberAdd
}

// memberList is the body of /v2/members.
type memberList struct {
	Members []members.Member `json:"members"`
}

// listMembers responds with all members, or with the leader if which is "leader".
func (a *API) listMembers(w http.ResponseWriter, r *http.Request, which string) error {
	switch which {
	case "":
		writeJSONLine(w, http.StatusOK, memberList{a.Service.Members(r.Context())})
		return nil
	case "leader":
		m, err := a.Service.LeaderMember(r.Context())
		if err != nil {
			return writeMessage(w, messageStatus(err), "During election")
		}
		writeJSONLine(w, http.StatusOK, m)
		return nil
	}
	return writeMessage(w, http.StatusNotFound, "Not found")
}

// addMember adds a member and responds with the member, which contains its new ID.
func (a *API) addMember(w http.ResponseWriter, r *http.Request) error {
	urls, err := a.readPeerURLs(w, r)
	if err != nil {
		return err
	}
	m, err := a.Service.AddMember(r.Context(), auth.FromRequest(r), urls, a.Now())
	if err != nil {
		return refuseChange(w, m.ID.String(), err)
	}
	writeJSONLine(w, http.StatusCreated, m)
	return nil
}

// changeMember removes a member, or replaces its peer URLs. text is the member's ID.
func (a *API) changeMember(w http.ResponseWriter, r *http.Request, text string) error {
	id, err := members.ParseID(text)
	if err != nil {
		return refuseChange(w, text, members.ErrIDNotFound)
	}
	if r.Method == http.MethodDelete {
		err = a.Service.RemoveMember(r.Context(), auth.FromRequest(r), id)
	} else {
		urls, answered := a.readPeerURLs(w, r)
		if answered != nil {
			return answered
		}
		err = a.Service.UpdateMember(r.Context(), auth.FromRequest(r), id, urls)
	}
	if err != nil {
		return refuseChange(w, id.String(), err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// transferLeader transfers the leadership to a member. text is the member's ID.
func (a *API) transferLeader(w http.ResponseWriter, r *http.Request, text string) error {
	id, err := members.ParseID(text)
	if err == nil {
		err = a.Service.TransferLeader(r.Context(), auth.FromRequest(r), id)
	} else {
		err = members.ErrIDNotFound
	}
	if err != nil {
		return refuseChange(w, text, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// refuseChange responds to a change of the membership that failed.
func refuseChange(w http.ResponseWriter, id string, err error) error {
	message := err.Error()
	switch {
	case isRootError(err):
		return refuseRoot(w, err)
	case errors.Is(err, members.ErrIDNotFound):
		message = "No such member: " + id
	case errors.Is(err, members.ErrIDRemoved):
		message = "Member permanently removed: " + id
	case errors.Is(err, members.ErrPeerURLExists):
		message = members.ErrPeerURLExists.Error()
	case errors.Is(err, members.ErrIDExists):
		message = members.ErrIDExists.Error()
	}
	return writeMessage(w, messageStatus(err), message)
}

// readPeerURLs reads the body of a change. If the body is invalid, it writes the response and returns an error.
func (a *API) readPeerURLs(w http.ResponseWriter, r *http.Request) ([]string, error) {
	kind := r.Header.Get("Content-Type")
	if media, _, _ := strings.Cut(kind, ";"); strings.TrimSpace(media) != "application/json" {
		return nil, writeMessage(w, http.StatusUnsupportedMediaType, fmt.Sprintf("Bad Content-Type %s, accept application/json", kind))
	}
	body, reserved, err := a.readMessageBody(w, r)
	defer reserved.Release()
	if err != nil {
		return nil, err
	}
	var request struct {
		PeerURLs []string `json:"peerURLs"`
	}
	if err := json.Unmarshal([]byte(body), &request); err != nil {
		return nil, writeMessage(w, http.StatusBadRequest, err.Error())
	}
	urls, err := members.ParseURLs(request.PeerURLs)
	if err != nil {
		return nil, writeMessage(w, http.StatusBadRequest, err.Error())
	}
	return urls, nil
}

// Machines serves /v2/machines: the client URLs of all members as plain text.
func (a *API) Machines(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	urls := a.Service.ClientURLs(r.Context())
	if len(urls) == 0 {
		return stats.OpMembers, writeMessage(w, http.StatusServiceUnavailable,
			"no member has published its client URLs yet; check that enough members run for a quorum")
	}
	_, _ = io.WriteString(w, strings.Join(urls, ", ")) // an error means that the client is gone
	return stats.OpMembers, nil
}

// peerMember is a member in the body of /members on the peer URLs.
type peerMember struct {
	ID         uint64   `json:"id"`
	PeerURLs   []string `json:"peerURLs"`
	IsLearner  bool     `json:"isLearner,omitempty"`
	Name       string   `json:"name,omitempty"`
	ClientURLs []string `json:"clientURLs,omitempty"`
}

// PeerMembers serves /members on the peer URLs. Starting members and proxies that look for the cluster read it.
func (a *API) PeerMembers(w http.ResponseWriter, _ *http.Request) {
	a.setClusterID(w)
	list := []peerMember{}
	for _, m := range a.Service.PeerMembers() {
		list = append(list, peerMember{uint64(m.ID), m.PeerURLs, m.Learner, m.Name, m.ClientURLs})
	}
	writeJSONLine(w, http.StatusOK, list)
}
