package v2

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"pando/httpapi/auth"
	"pando/httpapi/budget"
	"pando/httpapi/service"
	"pando/httpapi/stream"
	"pando/members"
	"pando/stats"
	"pando/tree"
)

// answer contains the HTTP status of the response to an error, and the outcome that the metrics count.
type answer struct {
	status  int
	outcome stats.Outcome
}

// answers maps error codes to answers. An error whose code is not in the map is a bad request.
var answers = map[tree.Code]answer{
	tree.CodeKeyNotFound:    {http.StatusNotFound, stats.NotFound},
	tree.CodeCompareFailed:  {http.StatusPreconditionFailed, stats.CompareFailed},
	tree.CodeNotFile:        {http.StatusForbidden, stats.WrongKind},
	tree.CodeNotDir:         {http.StatusBadRequest, stats.WrongKind},
	tree.CodeKeyExists:      {http.StatusPreconditionFailed, stats.Exists},
	tree.CodeRootReadOnly:   {http.StatusBadRequest, stats.WrongKind},
	tree.CodeDirNotEmpty:    {http.StatusForbidden, stats.WrongKind},
	tree.CodeUnauthorized:   {http.StatusUnauthorized, stats.Unauthorized},
	tree.CodeQuotaExceeded:  {http.StatusForbidden, stats.OverQuota},
	tree.CodeRaftInternal:   {http.StatusInternalServerError, stats.Internal},
	tree.CodeLeaderElection: {http.StatusInternalServerError, stats.Unavailable},
	tree.CodeFollowing:      {http.StatusServiceUnavailable, stats.Unavailable},
	tree.CodeHistoryCleared: {http.StatusBadRequest, stats.IndexCleared},
}

// specialAnswers maps errors to answers that do not follow from their codes.
var specialAnswers = map[*tree.Error]answer{
	errBodyTooLarge:            {http.StatusRequestEntityTooLarge, stats.TooLarge},
	errFormTooLarge:            {http.StatusBadRequest, stats.TooLarge},
	errTooManyWatches:          {http.StatusServiceUnavailable, stats.Unavailable},
	budget.ErrExhausted:        {http.StatusServiceUnavailable, stats.Unavailable},
	service.ErrTooManyPinned:   {http.StatusServiceUnavailable, stats.Unavailable},
	service.ErrTxnNotUpgraded:  {http.StatusServiceUnavailable, stats.Unavailable},
	errTxnType:                 {http.StatusUnsupportedMediaType, stats.BadRequest},
	service.ErrTooManyAttempts: {http.StatusTooManyRequests, stats.Unauthorized},
}

// leavesBodyUnread reports whether a part of the request's body is not read after an error. The connection must then be closed.
func leavesBodyUnread(e *tree.Error) bool { return e == errBodyTooLarge || e == budget.ErrExhausted }

// errTooManyWatches is the error of a watch over --max-watches.
var errTooManyWatches = tree.NewError(tree.CodeRaftInternal, "too many watches are open (--max-watches)")

var (
	// errBodyTooLarge is the error of a body over --max-request-bytes.
	errBodyTooLarge = tree.NewError(tree.CodeInvalidForm, "the request body is larger than the server's --max-request-bytes")
	// errFormTooLarge is the error of the reference. It is used without --max-request-bytes.
	errFormTooLarge = tree.NewError(tree.CodeInvalidForm, "http: POST too large")
)

// tooLarge returns the error of a body that is longer than its limit.
func (a *API) tooLarge() *tree.Error {
	if a.MaxRequestBytes == 0 {
		return errFormTooLarge
	}
	return errBodyTooLarge
}

// answerTo returns the answer to an error of a request for keys.
func answerTo(e *tree.Error) answer {
	if a, ok := specialAnswers[e]; ok {
		return a
	}
	a, ok := answers[e.Code]
	switch {
	case !ok:
		a = answer{http.StatusBadRequest, stats.BadRequest}
	case e.Code == tree.CodeRaftInternal && e.Cause == tree.CauseTimedOut:
		a.outcome = stats.Timeout
	}
	return a
}

// messageStatuses maps errors to HTTP statuses outside of /v2/keys, where the body of an error is a message without a code.
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
	{service.ErrNotRoot, http.StatusUnauthorized},
	{service.ErrReplaying, http.StatusServiceUnavailable},
	{auth.ErrTooManyAttempts, http.StatusTooManyRequests},
	{auth.ErrLongPassword, http.StatusBadRequest},
	{service.ErrNotUpgraded, http.StatusServiceUnavailable},
	{service.ErrMirrorNotUpgraded, http.StatusServiceUnavailable},
	{service.ErrUsersFollow, http.StatusServiceUnavailable},
}

// codeStatuses maps the codes of failed changes of users, roles and the mirror to HTTP statuses.
var codeStatuses = map[tree.Code]int{
	tree.CodeUsersNotFound:  http.StatusNotFound,
	tree.CodeUsersConflict:  http.StatusConflict,
	tree.CodeUsersForbidden: http.StatusForbidden,
	tree.CodeUsersInvalid:   http.StatusBadRequest,
	tree.CodeNotFollowing:   http.StatusConflict,
	tree.CodeInvalidField:   http.StatusBadRequest,
}

// messageStatus returns the status of an error outside of /v2/keys.
func messageStatus(err error) int {
	for _, line := range messageStatuses {
		if errors.Is(err, line.err) {
			return line.status
		}
	}
	if e, ok := errors.AsType[*tree.Error](err); ok && codeStatuses[e.Code] != 0 {
		return codeStatuses[e.Code]
	}
	return http.StatusInternalServerError
}

// Outcome returns the outcome that the metrics count for a request or a watch. err must be nil, an error that a handler of this
// package returned, or an error that package stream reported.
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

// writeError responds to a request for keys with err, and returns err. An err that is not a *tree.Error is a bug of the server.
func (a *API) writeError(w http.ResponseWriter, err error) error {
	e, ok := errors.AsType[*tree.Error](err)
	if !ok {
		e = tree.NewError(tree.CodeRaftInternal, err.Error())
	}
	h := w.Header()
	if leavesBodyUnread(e) {
		h.Set("Connection", "close")
	}
	if e == service.ErrTooManyAttempts {
		h["Retry-After"] = retrySoon
	}
	h["Content-Type"] = jsonType
	h["X-Etcd-Index"] = []string{strconv.FormatUint(e.Index, 10)}
	status := answerTo(e).status
	if e.Code == tree.CodeFollowing { // an internal code
		e = tree.NewError(tree.CodeRaftInternal, e.Cause)
	}
	writeSmall(w, status, e.AppendJSON)
	return err
}

// messageError is the error of a request that got a message without a code.
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
	case e.status == http.StatusUnauthorized || e.status == http.StatusTooManyRequests:
		return stats.Unauthorized
	case e.status >= http.StatusInternalServerError:
		return stats.Internal
	}
	return stats.BadRequest
}

// retrySoon is the value of Retry-After for requests that may succeed after a second. All responses share it, so it must not be changed.
var retrySoon = []string{"1"}

// writeMessage responds to a request outside of /v2/keys with an error. It returns the error for the metrics.
func writeMessage(w http.ResponseWriter, status int, message string) error {
	body, _ := json.Marshal(struct {
		Message string `json:"message"`
	}{message}) // a string can always be encoded
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client is gone
	return &messageError{status, message}
}

// WriteUnavailable responds with a 503 to a request that can't be served now. The format of the body depends on the path.
func WriteUnavailable(w http.ResponseWriter, r *http.Request, cause string) {
	WriteRefusal(w, r, http.StatusServiceUnavailable, tree.NewError(tree.CodeRaftInternal, cause))
}

// WriteRefusal responds to a request that was refused before its handler was called. Under /v2/keys and for /v2/txn the body is e as JSON,
// and elsewhere a message with the cause of e.
func WriteRefusal(w http.ResponseWriter, r *http.Request, status int, e *tree.Error) {
	if strings.HasPrefix(r.URL.Path, KeysPath) || r.URL.Path == TxnPath {
		w.Header()["Content-Type"] = jsonType
		writeSmall(w, status, e.AppendJSON)
		return
	}
	_ = writeMessage(w, status, e.Cause)
}
