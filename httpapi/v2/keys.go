package v2

import (
	"net/http"

	"pando/httpapi/auth"
	"pando/httpapi/budget"
	"pando/httpapi/service"
	"pando/stats"
	"pando/tree"
	"pando/tree/users"
)

// Keys serves /v2/keys and everything below.
func (a *API) Keys(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	a.setClusterID(w)
	if err := a.Service.AwaitReady(r.Context()); err != nil {
		return stats.OpOther, a.writeError(w, err)
	}
	var p parser
	reserved, err := a.readForm(w, r, &p.form)
	defer reserved.Release()
	if err != nil {
		return stats.OpOther, a.writeError(w, err)
	}
	q, err := p.decode(r.Method, r.URL.Path, conditionsOf(r), a.timeFor(&p.form))
	if err != nil {
		return stats.OpOther, a.writeError(w, err)
	}
	switch {
	case !isRead(r.Method):
		return a.change(w, r, &q, &reserved)
	case q.wait && !q.quorum:
		return a.watch(w, r, &q, &p)
	default:
		return a.get(w, r, &q)
	}
}

// get reads a node and responds with it.
func (a *API) get(w http.ResponseWriter, r *http.Request, q *request) (stats.Op, error) {
	consistency := service.Local
	if q.quorum {
		consistency = service.Linearizable
	}
	depth, scope := tree.Shallow, users.One
	if q.recursive {
		depth, scope = tree.Deep, users.Subtree
	}
	if q.isExtended(r) {
		return a.getExtended(w, r, q, scope, consistency)
	}
	read, err := a.Service.Get(detached, auth.FromRequest(r), q.path, scope, consistency)
	operation := service.ReadOperation(consistency, read.Node)
	if err == service.ErrFollowing {
		var done bool
		if read, done, err = a.forwardGet(w, r, q.path, scope); done {
			return operation, err
		}
	}
	if err != nil {
		return operation, a.writeError(w, err)
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	a.setIndexes(h, read.Index)
	return operation, a.writeResult(w, http.StatusOK, tree.EncodeGet(read.Node, a.nowFor(read.Node), depth))
}

// nowFor returns the time for the TTLs of a node and those below it, or 0 if there are none.
func (a *API) nowFor(n *tree.Node) int64 {
	if n.IsDir() || n.Expires() != 0 {
		return a.Now().UnixNano()
	}
	return 0
}

// change proposes a command and responds with its event. It releases the reservation of the body before it writes the response.
func (a *API) change(w http.ResponseWriter, r *http.Request, q *request, reserved *budget.Reservation) (stats.Op, error) {
	command := q.command // a pointer to the part of q would move q to the heap, for reads too
	operation := service.ChangeOperation(&command)
	if q.raw || q.conditions != nil {
		a.setOldest(w, r)
	}
	event, err := a.propose(r, q.conditions, &command)
	if err == service.ErrFollowing {
		if event, err = a.forwardChange(w, r, q, &command, reserved); event == nil {
			return operation, err
		}
	}
	reserved.Release()
	if err != nil {
		return operation, a.writeError(w, err)
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	a.setIndexes(h, event.Index())
	if (q.raw || q.conditions != nil) && r.Method != http.MethodDelete {
		setTag(h, r, event.Index())
	}
	status := http.StatusOK
	if event.Created() {
		status = http.StatusCreated
	}
	if q.noValueOnSuccess && r.Method != http.MethodDelete {
		writeSmall(w, status, func(b []byte) []byte { return appendActionOnly(b, event.Action()) })
		return operation, nil
	}
	return operation, a.writeResult(w, status, event.Encode())
}

// writeResult writes an encoding as the response, or budget.ErrExhausted if there is no memory for it.
func (a *API) writeResult(w http.ResponseWriter, status int, e tree.Encoding) error {
	if err := a.writeEncoding(w, status, e); err != nil {
		return a.writeError(w, err)
	}
	return nil
}

// appendActionOnly appends the body of a response with noValueOnSuccess.
func appendActionOnly(dst []byte, action tree.Action) []byte {
	dst = append(dst, `{"action":"`...)
	dst = append(dst, action.String()...)
	return append(dst, "\"}\n"...)
}
