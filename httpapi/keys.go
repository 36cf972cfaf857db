package httpapi

import (
	"context"
	"net/http"

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
	if e := s.awaitReady(r); e != nil {
		s.writeKeyError(w, e)
		return stats.OpOther, e
	}
	var f form
	room, e := s.parse(w, r, &f)
	defer room.free()
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
		return stats.OpWatch, s.watch(w, r, &q)
	default:
		return s.get(w, r, &q)
	}
}

// get answers a read from the local tree; with quorum=true from a tree that is
// known to be up to date.
func (s *Server) get(w http.ResponseWriter, r *http.Request, q *request) (stats.Op, error) {
	operation := stats.OpGet
	if q.quorum {
		operation = stats.OpQuorumGet
		if err := s.Log.Barrier(patient); err != nil {
			s.writeKeyError(w, err)
			return operation, err
		}
	}
	view := s.Tree.View()
	node, err := view.Get(q.path)
	if err != nil {
		s.reads.Fail()
		s.writeKeyError(w, err)
		return operation, err
	}
	s.reads.Success()
	if node.IsDir() && !q.quorum {
		operation = stats.OpList
	}
	depth := tree.Shallow
	if q.recursive {
		depth = tree.Deep
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	s.logHeaders(h, view.Index())
	var now int64 // matters to TTLs alone
	if node.IsDir() || node.Expires() != 0 {
		now = s.Now().UnixNano()
	}
	return operation, s.answer(w, http.StatusOK, tree.EncodeGet(node, now, depth))
}

// change sends a command through the log, which ends what its body has reserved, and
// answers with its event.
func (s *Server) change(w http.ResponseWriter, r *http.Request, q *request, room *reservation) (stats.Op, error) {
	operation := operations[q.command.Op]
	if q.command.Refresh {
		operation = stats.OpRefresh
	}
	command := q.command // a read's stays off the heap
	var event *tree.Event
	var err error
	if asksFileToBeDirectory(&command) {
		err = s.refuseDirectory(command.Path)
	} else {
		event, err = s.Log.Propose(patient, &command)
	}
	room.free()
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

// asksFileToBeDirectory reports whether a command asks for a refresh that would make a directory of a file. The reference
// does that, and the value is gone; here no such command enters the log, whose entries all versions apply alike.
func asksFileToBeDirectory(c *tree.Command) bool {
	return c.Op == tree.OpSet && c.Refresh && c.Dir && c.Path != "/"
}

// refuseDirectory gives the error of a refresh with dir=true, which never changes anything: what is there is missing, a
// directory already, or a file.
func (s *Server) refuseDirectory(path string) error {
	if err := s.Log.Barrier(patient); err != nil {
		return err
	}
	view := s.Tree.View()
	node, err := view.Get(path)
	switch {
	case err != nil:
		return err
	case node.IsDir():
		return &tree.Error{Code: tree.CodeNotFile, Cause: path, Index: view.Index()}
	}
	return &tree.Error{Code: tree.CodeNotDir, Cause: path, Index: view.Index()}
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

// operations are the metrics' names for what the tree does.
var operations = [...]stats.Op{
	tree.OpSet:              stats.OpSet,
	tree.OpCreate:           stats.OpCreate,
	tree.OpCreateInOrder:    stats.OpCreateInOrder,
	tree.OpUpdate:           stats.OpUpdate,
	tree.OpCompareAndSwap:   stats.OpCompareAndSwap,
	tree.OpDelete:           stats.OpDelete,
	tree.OpCompareAndDelete: stats.OpCompareAndDelete,
}
