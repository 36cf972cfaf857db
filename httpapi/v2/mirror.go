package v2

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"pando/httpapi/auth"
	"pando/httpapi/service"
	"pando/stats"
	"pando/tree"
)

// The limit of the body of a change of the mirror is mirrorFactor times that of other requests, but at least minMirrorLimit bytes: an
// event contains a node before and after the change, in JSON.
const (
	mirrorFactor   = 16
	minMirrorLimit = 16 << 20
)

// Mirror serves /v2/mirror, which the reference does not have. GET returns the state of the mirror, and POST changes it: see
// tree.MirrorState and tree.MirrorChange.
func (a *API) Mirror(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	a.setClusterID(w)
	if r.Method != http.MethodPost {
		state, err := a.Service.MirrorState(r.Context(), auth.FromRequest(r))
		return stats.OpMirror, a.writeMirror(w, state, err)
	}
	if err := a.authorizeRoot(w, r, service.OpMirror, ""); err != nil {
		return stats.OpMirror, err
	}
	limit := max(mirrorFactor*a.plainLimit().wire, minMirrorLimit)
	body, reserved, err := a.readLimitedBody(w, r, bodyLimit{limit, limit})
	defer reserved.Release()
	if err != nil {
		return stats.OpMirror, err
	}
	var c tree.MirrorChange
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		return stats.OpMirror, writeMessage(w, http.StatusBadRequest, err.Error())
	}
	if err := checkSources(c.Sources); err != nil {
		return stats.OpMirror, writeMessage(w, http.StatusBadRequest, err.Error())
	}
	state, err := a.Service.ChangeMirror(r.Context(), auth.FromRequest(r), &c)
	return stats.OpMirror, a.writeMirror(w, state, err)
}

// MirrorNodes serves /v2/mirror/nodes: the nodes of tree.View.NodesToRead, as tree.MirrorNodes.
func (a *API) MirrorNodes(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	a.setClusterID(w)
	view, err := a.Service.MirrorNodes(r.Context(), auth.FromRequest(r))
	if err != nil {
		return stats.OpMirror, a.writeMirror(w, tree.MirrorState{}, err)
	}
	w.Header()["Content-Type"] = jsonType
	list := newListWriter(w, "nodes")
	list.fields = fmt.Sprintf(`"index":%d,`, view.Index())
	for n := range view.NodesToRead() {
		list.add(n)
	}
	list.end()
	return stats.OpMirror, nil
}

// writeMirror writes the state of the mirror, or an error of package service.
func (a *API) writeMirror(w http.ResponseWriter, state tree.MirrorState, err error) error {
	switch e, isTreeError := errors.AsType[*tree.Error](err); {
	case err == nil:
		writeJSONLine(w, http.StatusOK, state)
		return nil
	case isRootError(err):
		return refuseRoot(w, err)
	case isTreeError && e.Code == tree.CodeMirrorIndex:
		return writeMirrorIndex(w, e)
	case isTreeError:
		return writeMessage(w, messageStatus(err), e.Cause)
	}
	return writeMessage(w, messageStatus(err), err.Error())
}

// writeMirrorIndex responds to a change that does not begin at the index of the tree.
func writeMirrorIndex(w http.ResponseWriter, e *tree.Error) error {
	writeJSONLine(w, http.StatusPreconditionFailed, struct {
		Message string `json:"message"`
		Index   uint64 `json:"index"`
	}{e.Cause, e.Index})
	return &messageError{http.StatusPreconditionFailed, e.Cause}
}

// checkSources returns an error if a URL is not that of a server for clients.
func checkSources(urls []string) error {
	for _, text := range urls {
		u, err := url.Parse(text)
		switch {
		case err != nil:
			return fmt.Errorf("the source %.64q is no URL", text)
		case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
			return fmt.Errorf("the source %.64q must be http://HOST:PORT or https://HOST:PORT, without a user and a path", u.Redacted())
		}
	}
	return nil
}
