package v2

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"pando/httpapi/budget"
	"pando/httpapi/service"
	"pando/httpapi/stream"
	"pando/members"
	"pando/stats"
	"pando/tree"
)

// answer is what an error becomes: the HTTP status of the response, and the outcome that the metrics count.
type answer struct {
	status  int
	outcome stats.Outcome
}

// answers is the one table from error code to answer. A code that is not in it is a bad request.
var answers = map[tree.Code]answer{
	tree.CodeKeyNotFound:    {http.StatusNotFound, stats.NotFound},
	tree.CodeCompareFailed:  {http.StatusPreconditionFailed, stats.CompareFailed},
	tree.CodeNotFile:        {http.StatusForbidden, stats.WrongKind},
	tree.CodeNotDir:         {http.StatusBadRequest, stats.WrongKind},
	tree.CodeKeyExists:      {http.StatusPreconditionFailed, stats.Exists},
	tree.CodeRootReadOnly:   {http.StatusBadRequest, stats.WrongKind},
	tree.CodeDirNotEmpty:    {http.StatusForbidden, stats.WrongKind},
	tree.CodeUnauthorized:   {http.StatusUnauthorized, stats.Unauthorized},
	tree.CodeRaftInternal:   {http.StatusInternalServerError, stats.Internal},
	tree.CodeLeaderElection: {http.StatusInternalServerError, stats.Unavailable},
	tree.CodeHistoryCleared: {http.StatusBadRequest, stats.IndexCleared},
}

// unread are the errors that leave a part of the request's body unread. Their answers do not follow from their codes.
var unread = map[*tree.Error]answer{
	errBodyTooLarge:     {http.StatusRequestEntityTooLarge, stats.TooLarge},
	budget.ErrExhausted: {http.StatusServiceUnavailable, stats.Unavailable},
}

// errBodyTooLarge is the error of a body over --max-request-bytes, errFormTooLarge that of the reference if there is no such
// limit.
var (
	errBodyTooLarge = tree.NewError(tree.CodeInvalidForm, "the request body is larger than the server's --max-request-bytes")
	errFormTooLarge = tree.NewError(tree.CodeInvalidForm, "http: POST too large")
)

func (a *API) tooLarge() *tree.Error {
	if a.MaxRequestBytes == 0 {
		return errFormTooLarge
	}
	return errBodyTooLarge
}

func answerTo(e *tree.Error) answer {
	if a, ok := unread[e]; ok {
		return a
	}
	a, ok := answers[e.Code]
	switch {
	case !ok:
		a = answer{http.StatusBadRequest, stats.BadRequest}
	case e.Code == tree.CodeRaftInternal && e.Cause == tree.CauseTimedOut:
		a.outcome = stats.Timeout
	}
	if e == errFormTooLarge {
		a.outcome = stats.TooLarge
	}
	return a
}

// messageStatuses is the table from error to HTTP status outside of /v2/keys, where the body of an error is a message without a
// code.
var messageStatuses = []struct {
	err    error
	status int
}{
	{members.ErrIDNotFound, http.StatusNotFound},
	{members.ErrIDRemoved, http.StatusGone},
	{members.ErrIDExists, http.StatusConflict},
	{members.ErrPeerURLExists, http.StatusConflict},
	{service.ErrNoLeader, http.StatusServiceUnavailable},
	{service.ErrNotLeader, http.StatusForbidden},
	{service.ErrSnapshotBusy, http.StatusServiceUnavailable},
	{service.ErrNotConfirmed, http.StatusServiceUnavailable},
}

// messageStatus returns the status of an error outside of /v2/keys.
func messageStatus(err error) int {
	for _, line := range messageStatuses {
		if errors.Is(err, line.err) {
			return line.status
		}
	}
	return http.StatusInternalServerError
}

// Outcome returns what the metrics count for the result of a request or a watch: err is nil, an error that a handler of this
// package returned, or one that package stream reported.
func Outcome(err error) stats.Outcome {
	if err == nil {
		return stats.OK
	}
	if e, ok := errors.AsType[*tree.Error](err); ok {
		return answerTo(e).outcome
	}
	if m, ok := errors.AsType[*messageError](err); ok {
		return m.outcome()
	}
	switch {
	case errors.Is(err, stream.ErrClosed):
		return stats.Unavailable
	case errors.Is(err, stream.ErrClientGone), errors.Is(err, stream.ErrStalled):
		return stats.Canceled
	}
	return stats.BadRequest
}

// writeError answers a request for keys with err, which is a *tree.Error unless there is a fault in the server. It returns err.
func (a *API) writeError(w http.ResponseWriter, err error) error {
	e, ok := errors.AsType[*tree.Error](err)
	if !ok {
		e = tree.NewError(tree.CodeRaftInternal, err.Error())
	}
	h := w.Header()
	if _, ok := unread[e]; ok {
		h.Set("Connection", "close")
	}
	h["Content-Type"] = jsonType
	h["X-Etcd-Index"] = []string{strconv.FormatUint(e.Index, 10)}
	writeSmall(w, answerTo(e).status, e.AppendJSON)
	return err
}

// messageError is an error that was answered with a message.
type messageError struct {
	status  int
	message string
}

func (e *messageError) Error() string { return e.message }

func (e *messageError) outcome() stats.Outcome {
	switch {
	case e.status == http.StatusNotFound || e.status == http.StatusGone:
		return stats.NotFound
	case e.status == http.StatusServiceUnavailable:
		return stats.Unavailable
	case e.status >= http.StatusInternalServerError:
		return stats.Internal
	}
	return stats.BadRequest
}

// writeMessage answers a request outside of /v2/keys with an error.
func writeMessage(w http.ResponseWriter, status int, message string) error {
	body, _ := json.Marshal(struct {
		Message string `json:"message"`
	}{message}) // a string can always be encoded
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client is gone
	return &messageError{status, message}
}

// WriteUnavailable answers a request that no member can serve now, with a 503 in the form of the request's path.
func WriteUnavailable(w http.ResponseWriter, r *http.Request, cause string) {
	if strings.HasPrefix(r.URL.Path, KeysPath) {
		w.Header()["Content-Type"] = jsonType
		writeSmall(w, http.StatusServiceUnavailable, tree.NewError(tree.CodeRaftInternal, cause).AppendJSON)
		return
	}
	_ = writeMessage(w, http.StatusServiceUnavailable, cause)
}
