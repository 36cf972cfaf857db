package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"pando/httpapi/budget"
	"pando/members"
	"pando/stats"
)

// members serves /v2/members.
func (s *Server) members(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	w.Header()["X-Etcd-Cluster-Id"] = s.clusterID
	id := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/v2/members"), "/")
	switch r.Method {
	case http.MethodGet:
		return stats.OpMembers, s.showMembers(w, r, id)
	case http.MethodPost:
		if to, found := strings.CutSuffix(id, "/leader"); found {
			return stats.OpMembers, s.moveLeader(w, r, to)
		}
		return stats.OpMembers, s.addMember(w, r)
	}
	if id == "" {
		refuseMethod(w)
		return stats.OpMembers, errMethod
	}
	return stats.OpMembers, s.changeMember(w, r, id)
}

// refusePage answers a change that a web page of another origin made a browser send.
func (s *Server) refusePage(w http.ResponseWriter, reason error) {
	w.Header()["X-Etcd-Cluster-Id"] = s.clusterID
	_ = memberError(w, http.StatusForbidden, "the members are not for web pages of an origin that --cors does not name: "+reason.Error())
}

// memberError answers outside of /v2/keys with a message.
func memberError(w http.ResponseWriter, status int, text string) error {
	writeJSON(w, status, message{text})
	return &statusError{status, text}
}

// statusError is an answer that was an error, for the metrics.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return e.text }

// memberList is the body of /v2/members.
type memberList struct {
	Members []members.Member `json:"members"`
}

func (s *Server) showMembers(w http.ResponseWriter, r *http.Request, which string) error {
	switch which {
	case "":
		writeJSONLine(w, http.StatusOK, memberList{s.service.Members(r.Context())})
		return nil
	case "leader":
		m, err := s.service.LeaderMember(r.Context())
		if err != nil {
			return memberError(w, http.StatusServiceUnavailable, "During election")
		}
		writeJSONLine(w, http.StatusOK, m)
		return nil
	}
	return memberError(w, http.StatusNotFound, "Not found")
}

// addMember adds a member and answers with its new ID.
func (s *Server) addMember(w http.ResponseWriter, r *http.Request) error {
	urls, err := s.peerURLs(w, r)
	if err != nil {
		return err
	}
	m, err := s.service.AddMember(r.Context(), urls, s.Now())
	if err != nil {
		return changeRefused(w, m.ID, err)
	}
	writeJSONLine(w, http.StatusCreated, m)
	return nil
}

// changeMember removes a member, or gives it other peer URLs.
func (s *Server) changeMember(w http.ResponseWriter, r *http.Request, which string) error {
	id, err := members.ParseID(which)
	if err != nil {
		return memberError(w, http.StatusNotFound, "No such member: "+which)
	}
	if r.Method == http.MethodDelete {
		err = s.service.RemoveMember(r.Context(), id)
	} else {
		urls, bad := s.peerURLs(w, r)
		if bad != nil {
			return bad
		}
		err = s.service.UpdateMember(r.Context(), id, urls)
	}
	if err != nil {
		return changeRefused(w, id, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// moveLeader hands the leadership to a member.
func (s *Server) moveLeader(w http.ResponseWriter, r *http.Request, which string) error {
	id, err := members.ParseID(which)
	if err == nil {
		err = s.service.TransferLeader(r.Context(), id)
	} else {
		err = members.ErrIDNotFound
	}
	switch {
	case errors.Is(err, members.ErrIDNotFound):
		return memberError(w, http.StatusNotFound, "No such member: "+which)
	case err != nil:
		return changeRefused(w, id, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// changeRefused answers a change of the membership that did not happen.
func changeRefused(w http.ResponseWriter, id members.ID, err error) error {
	switch {
	case errors.Is(err, members.ErrIDNotFound):
		return memberError(w, http.StatusNotFound, "No such member: "+id.String())
	case errors.Is(err, members.ErrIDRemoved):
		return memberError(w, http.StatusGone, "Member permanently removed: "+id.String())
	case errors.Is(err, members.ErrPeerURLExists):
		return memberError(w, http.StatusConflict, members.ErrPeerURLExists.Error())
	case errors.Is(err, members.ErrIDExists):
		return memberError(w, http.StatusConflict, members.ErrIDExists.Error())
	}
	return memberError(w, http.StatusInternalServerError, err.Error())
}

// peerURLs reads the body of a change. It answers a bad one itself.
func (s *Server) peerURLs(w http.ResponseWriter, r *http.Request) ([]string, error) {
	kind := r.Header.Get("Content-Type")
	if media, _, _ := strings.Cut(kind, ";"); strings.TrimSpace(media) != "application/json" {
		return nil, memberError(w, http.StatusUnsupportedMediaType,
			fmt.Sprintf("Bad Content-Type %s, accept application/json", kind))
	}
	body, room, err := s.readBody(w, r, s.plainLimit())
	defer room.Release()
	switch {
	case errors.Is(err, errBodyTooLarge):
		w.Header().Set("Connection", "close")
		return nil, memberError(w, http.StatusRequestEntityTooLarge, s.tooLarge().Cause)
	case err == error(budget.ErrExhausted):
		w.Header().Set("Connection", "close")
		return nil, memberError(w, http.StatusServiceUnavailable, budget.ErrExhausted.Cause)
	case err != nil:
		return nil, memberError(w, http.StatusBadRequest, err.Error())
	}
	var request struct {
		PeerURLs []string `json:"peerURLs"`
	}
	if err := json.Unmarshal([]byte(body), &request); err != nil {
		return nil, memberError(w, http.StatusBadRequest, err.Error())
	}
	urls, err := members.ParseURLs(request.PeerURLs)
	if err != nil {
		return nil, memberError(w, http.StatusBadRequest, err.Error())
	}
	return urls, nil
}

// machines serves the client URLs of all members, as plain text.
func (s *Server) machines(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	urls := s.service.ClientURLs(r.Context())
	if len(urls) == 0 {
		return stats.OpMembers, memberError(w, http.StatusServiceUnavailable, "no member has told its client URLs yet; see whether enough members run for a quorum")
	}
	_, _ = io.WriteString(w, strings.Join(urls, ", "))
	return stats.OpMembers, nil
}

// peerMember is a member as other members read it on the peer port.
type peerMember struct {
	ID         uint64   `json:"id"`
	PeerURLs   []string `json:"peerURLs"`
	IsLearner  bool     `json:"isLearner,omitempty"`
	Name       string   `json:"name,omitempty"`
	ClientURLs []string `json:"clientURLs,omitempty"`
}

// peerMembers serves /members on the peer URLs.
func (s *Server) peerMembers(w http.ResponseWriter, _ *http.Request) {
	w.Header()["X-Etcd-Cluster-Id"] = s.clusterID
	list := []peerMember{}
	for _, m := range s.service.PeerMembers() {
		list = append(list, peerMember{uint64(m.ID), m.PeerURLs, m.Learner, m.Name, m.ClientURLs})
	}
	writeJSONLine(w, http.StatusOK, list)
}
