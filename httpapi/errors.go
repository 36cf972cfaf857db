package httpapi

import (
	"errors"
	"net/http"

	"pando/httpapi/budget"
	"pando/tree"
)

// statuses is the one table from error code to HTTP status. What is not in it
// is a 400.
var statuses = map[tree.Code]int{
	tree.CodeKeyNotFound:    http.StatusNotFound,
	tree.CodeCompareFailed:  http.StatusPreconditionFailed,
	tree.CodeNotFile:        http.StatusForbidden,
	tree.CodeKeyExists:      http.StatusPreconditionFailed,
	tree.CodeDirNotEmpty:    http.StatusForbidden,
	tree.CodeUnauthorized:   http.StatusUnauthorized,
	tree.CodeRaftInternal:   http.StatusInternalServerError,
	tree.CodeLeaderElection: http.StatusInternalServerError,
}

func statusOf(code tree.Code) int {
	if s, ok := statuses[code]; ok {
		return s
	}
	return http.StatusBadRequest
}

// bodyTooLarge is the error for a body over --max-request-bytes; its status is
// not that of its code. Without that flag forms end where the reference's do, with
// formTooLarge.
var (
	bodyTooLarge = tree.NewError(tree.CodeInvalidForm, "the request body is larger than the server's --max-request-bytes")
	formTooLarge = tree.NewError(tree.CodeInvalidForm, "http: POST too large")
)

func (s *Server) tooLarge() *tree.Error {
	if s.MaxRequestBytes == 0 {
		return formTooLarge
	}
	return bodyTooLarge
}

// writeKeyError answers a request for keys with err, which is a *tree.Error
// unless something broke.
func (s *Server) writeKeyError(w http.ResponseWriter, err error) {
	var e *tree.Error
	if !errors.As(err, &e) {
		e = tree.NewError(tree.CodeRaftInternal, err.Error())
	}
	status := statusOf(e.Code)
	switch e {
	case bodyTooLarge:
		status = http.StatusRequestEntityTooLarge
		w.Header().Set("Connection", "close")
	case budget.ErrExhausted:
		status = http.StatusServiceUnavailable
		w.Header().Set("Connection", "close") // the body may be there still
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	h["X-Etcd-Index"] = decimals(e.Index)
	writeBody(w, status, e.AppendJSON)
}
