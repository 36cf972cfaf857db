package httpapi

import (
	"context"
	"net/http"

	"pando/httpapi/budget"
	"pando/httpapi/service"
	"pando/stats"
	"pando/tree"
)

// patient is the context of what waits for the log. How long that may take is the
// log's to say; that a client goes away is not looked for meanwhile (see conn), and
// would not call back its write.
var patient = context.Background()

// keys serves /v2/keys. It returns what was done and how it went, for the
// metrics.
func (s *Server) keys(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	w.Header()["X-Etcd-Cluster-Id"] = s.clusterID
	if err := s.service.AwaitReady(r.Context()); err != nil {
		s.writeKeyError(w, err)
		return stats.OpOther, err
	}
	var f form
	room, e := s.parse(w, r, &f)
	defer room.Release()
	if e != nil {
		s.writeKeyError(w, e)
		return stats.OpOther, e
	}
	q, e := s.understand(r, &f)
	if e != nil {
		s.writeKeyError(w, e)
		return stats.OpOther, e
	}
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return s.change(w, r, &q, &room)
	case q.wait && !q.quorum:
		return s.watch(w, r, &q)
	default:
		return s.get(w, r, &q)
	}
}

// get answers a read from the local tree; with quorum=true from a tree that is
// known to be up to date.
func (s *Server) get(w http.ResponseWriter, r *http.Request, q *request) (stats.Op, error) {
	consistency := service.Local
	if q.quorum {
		consistency = service.Linearizable
	}
	read, err := s.service.Get(patient, q.path, consistency)
	node := read.Node
	operation := service.ReadOperation(consistency, node)
	if err != nil {
		s.writeKeyError(w, err)
		return operation, err
	}
	depth := tree.Shallow
	if q.recursive {
		depth = tree.Deep
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	s.logHeaders(h, read.Index)
	var now int64 // matters to TTLs alone
	if node.IsDir() || node.Expires() != 0 {
		now = s.Now().UnixNano()
	}
	return operation, s.answer(w, http.StatusOK, tree.EncodeGet(node, now, depth))
}

// change sends a command through the log, which ends what its body has reserved, and
// answers with its event.
func (s *Server) change(w http.ResponseWriter, r *http.Request, q *request, room *budget.Reservation) (stats.Op, error) {
	command := q.command // a read's stays off the heap
	operation := service.ChangeOperation(&command)
	event, err := s.service.Propose(patient, &command)
	room.Release()
	if err != nil {
		s.writeKeyError(w, err)
		return operation, err
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	s.logHeaders(h, event.Index())
	status := http.StatusOK
	if event.Created() {
		status = http.StatusCreated
	}
	if q.noValue && r.Method != http.MethodDelete {
		writeBody(w, status, func(b []byte) []byte { return appendActionOnly(b, event.Action()) })
		return operation, nil
	}
	return operation, s.answer(w, status, event.Encode())
}

// answer writes what was asked for, or that there is no room for it.
func (s *Server) answer(w http.ResponseWriter, status int, e tree.Encoding) error {
	err := s.writeEncoding(w, status, e)
	if err != nil {
		s.writeKeyError(w, err)
	}
	return err
}

// appendActionOnly is the answer to a client that asked not to be told the
// value it just sent.
func appendActionOnly(dst []byte, action tree.Action) []byte {
	dst = append(dst, `{"action":"`...)
	dst = append(dst, action.String()...)
	return append(dst, "\"}\n"...)
}
