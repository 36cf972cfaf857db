package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"pando/stats"
	"pando/tree"
)

// handler answers a request and tells what was done and how it went, for the
// metrics.
type handler func(w http.ResponseWriter, r *http.Request) (stats.Op, error)

// measured counts and times what a handler does.
func (s *Server) measured(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		op, err := h(w, r)
		if err == errFollowed {
			return
		}
		s.Metrics.Observe(op, outcomeOf(r, err), time.Since(start))
		if errors.Is(err, errBreakOff) {
			panic(http.ErrAbortHandler)
		}
	}
}

// outcomes is the table from error code to the metrics' outcome. What is not
// in it is a bad request.
var outcomes = map[tree.Code]stats.Outcome{
	tree.CodeKeyNotFound:    stats.NotFound,
	tree.CodeCompareFailed:  stats.CompareFailed,
	tree.CodeNotFile:        stats.WrongKind,
	tree.CodeNotDir:         stats.WrongKind,
	tree.CodeKeyExists:      stats.Exists,
	tree.CodeRootReadOnly:   stats.WrongKind,
	tree.CodeDirNotEmpty:    stats.WrongKind,
	tree.CodeUnauthorized:   stats.Unauthorized,
	tree.CodeRaftInternal:   stats.Internal,
	tree.CodeLeaderElection: stats.Unavailable,
	tree.CodeHistoryCleared: stats.IndexCleared,
}

func outcomeOf(r *http.Request, err error) stats.Outcome {
	if err == nil {
		return stats.OK
	}
	if errors.Is(r.Context().Err(), context.Canceled) {
		return stats.Canceled
	}
	var e *tree.Error
	if errors.As(err, &e) {
		return keyOutcome(e)
	}
	if errors.Is(err, tree.ErrWatcherClosed) {
		return stats.Unavailable
	}
	var status *statusError
	if errors.As(err, &status) {
		switch {
		case status.status == http.StatusNotFound || status.status == http.StatusGone:
			return stats.NotFound
		case status.status == http.StatusServiceUnavailable:
			return stats.Unavailable
		case status.status >= http.StatusInternalServerError:
			return stats.Internal
		}
	}
	return stats.BadRequest
}

func keyOutcome(e *tree.Error) stats.Outcome {
	switch {
	case e == bodyTooLarge, e == formTooLarge:
		return stats.TooLarge
	case e == errNoRoom:
		return stats.Unavailable
	case e.Code == tree.CodeRaftInternal && e.Cause == tree.CauseTimedOut:
		return stats.Timeout
	}
	if o, ok := outcomes[e.Code]; ok {
		return o
	}
	return stats.BadRequest
}

// awaitReady waits until the member serves: it has caught up with what was
// committed before its start. It returns the error to answer with when that takes too
// long, the client goes or the server stops.
func (s *Server) awaitReady(r *http.Request) *tree.Error {
	if isClosed(s.Ready) {
		return nil
	}
	timer := time.NewTimer(s.ReadyTimeout - time.Since(cameAt(r)))
	defer timer.Stop()
	select {
	case <-s.Ready:
		return nil
	case <-s.open.ended:
		return tree.NewError(tree.CodeRaftInternal, tree.CauseStopped)
	case <-timer.C:
	case <-r.Context().Done():
	}
	return tree.NewError(tree.CodeRaftInternal, tree.CauseTimedOut)
}

func (s *Server) statsSelf(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	return serveStats(w, r, s.Stats.JSON)
}

func (s *Server) statsLeader(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	if r.Method == http.MethodGet && s.Log.Leader() != s.Self {
		return stats.OpStats, memberError(w, http.StatusForbidden, "not current leader")
	}
	return serveStats(w, r, s.Leader.JSON)
}

func (s *Server) statsStore(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	return serveStats(w, r, func() []byte {
		c := s.Tree.View().Counters()
		getsOK, getsFailed := s.reads.Counts()
		return stats.StoreSnapshot{
			GetsSuccess: getsOK, GetsFail: getsFailed,
			SetsSuccess: c.Set.OK, SetsFail: c.Set.Failed,
			DeleteSuccess: c.Delete.OK, DeleteFail: c.Delete.Failed,
			UpdateSuccess: c.Update.OK, UpdateFail: c.Update.Failed,
			CreateSuccess: c.Create.OK, CreateFail: c.Create.Failed,
			CompareAndSwapSuccess: c.CompareAndSwap.OK, CompareAndSwapFail: c.CompareAndSwap.Failed,
			CompareAndDeleteSuccess: c.CompareAndDelete.OK, CompareAndDeleteFail: c.CompareAndDelete.Failed,
			ExpireCount: c.Expired,
			Watchers:    uint64(s.Tree.Watchers()),
		}.JSON()
	})
}

func serveStats(w http.ResponseWriter, r *http.Request, body func() []byte) (stats.Op, error) {
	if !allowed(w, r, "GET") {
		return stats.OpStats, errMethod
	}
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(body())
	return stats.OpStats, nil
}

func (s *Server) version(w http.ResponseWriter, r *http.Request) {
	if allowed(w, r, "GET") {
		writeJSON(w, http.StatusOK, s.Versions)
	}
}

// health says whether writes can succeed here, and will go on to: whether the member serves
// and knows a leader, and its checkpoints hold.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, "GET") {
		return
	}
	if s.Log.Leader() == 0 || !isClosed(s.Ready) {
		writeUnhealthy(w, "")
		return
	}
	if since, err := s.CheckpointFailing(); err != nil {
		writeUnhealthy(w, "checkpoints fail since "+since.UTC().Format(time.RFC3339)+", the log says why")
		return
	}
	_, _ = io.WriteString(w, `{"health":"true"}`)
}

// writeUnhealthy answers as the reference does, byte for byte, unless there is a reason that the
// reference does not know.
func writeUnhealthy(w http.ResponseWriter, reason string) {
	body := `{"health":"false"}`
	if reason != "" {
		body = `{"health":"false","reason":"` + reason + `"}`
	}
	http.Error(w, body, http.StatusServiceUnavailable)
}
