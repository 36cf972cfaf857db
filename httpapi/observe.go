package httpapi

import (
	"context"
	"errors"
	"net/http"

	"pando/httpapi/budget"
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
	case e == budget.ErrExhausted:
		return stats.Unavailable
	case e.Code == tree.CodeRaftInternal && e.Cause == tree.CauseTimedOut:
		return stats.Timeout
	}
	if o, ok := outcomes[e.Code]; ok {
		return o
	}
	return stats.BadRequest
}

func (s *Server) statsSelf(w http.ResponseWriter, _ *http.Request) (stats.Op, error) {
	return writeStats(w, s.service.SelfStats())
}

func (s *Server) statsStore(w http.ResponseWriter, _ *http.Request) (stats.Op, error) {
	return writeStats(w, s.service.StoreStats())
}

func (s *Server) statsLeader(w http.ResponseWriter, _ *http.Request) (stats.Op, error) {
	body, err := s.service.LeaderStats()
	if err != nil {
		return stats.OpStats, memberError(w, http.StatusForbidden, "not current leader")
	}
	return writeStats(w, body)
}

func writeStats(w http.ResponseWriter, body []byte) (stats.Op, error) {
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(body) // an error means that the client went away
	return stats.OpStats, nil
}
