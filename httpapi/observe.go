package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"pando/stats"
	"pando/tree"
)

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

func (s *Server) statsSelf(w http.ResponseWriter, _ *http.Request) (stats.Op, error) {
	return serveStats(w, s.Stats.JSON)
}

func (s *Server) statsLeader(w http.ResponseWriter, _ *http.Request) (stats.Op, error) {
	if s.Log.Leader() != s.Self {
		return stats.OpStats, memberError(w, http.StatusForbidden, "not current leader")
	}
	return serveStats(w, s.Leader.JSON)
}

func (s *Server) statsStore(w http.ResponseWriter, _ *http.Request) (stats.Op, error) {
	return serveStats(w, func() []byte {
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

func serveStats(w http.ResponseWriter, body func() []byte) (stats.Op, error) {
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(body())
	return stats.OpStats, nil
}

// health says whether writes can succeed here, and will go on to: whether the member serves
// and knows a leader, and its checkpoints hold.
func (s *Server) health() health {
	if s.Log.Leader() == 0 || !isClosed(s.Ready) {
		return health{}
	}
	if since, err := s.CheckpointFailing(); err != nil {
		return health{reason: "checkpoints fail since " + since.UTC().Format(time.RFC3339) + ", the log says why"}
	}
	return health{ok: true}
}
