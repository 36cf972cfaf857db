package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pando/stats"
)

// Snapshots gives the member's state as a file.
type Snapshots interface {
	// OpenSnapshot opens a file of size bytes with the state as applied here at
	// the time of the call or later. The caller must close it.
	OpenSnapshot(ctx context.Context) (file io.ReadCloser, size int64, err error)
}

// snapshots serves /v2/snapshot, which is Pando's own. Each answer costs a
// checkpoint and a copy of it on the disk, so there is one at a time, and a client
// that takes nothing any more is cut off.
type snapshots struct{ busy atomic.Bool }

// snapshotChunk is how much is sent under one deadline.
const snapshotChunk = 256 << 10

// snapshot sends a snapshot of all that was acknowledged to anyone before the
// request, or, with local=true, of what is applied here, which needs no other
// member.
func (s *Server) snapshot(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	local := false
	if text := r.URL.Query().Get("local"); text != "" {
		var err error
		if local, err = strconv.ParseBool(text); err != nil {
			return stats.OpOther, memberError(w, http.StatusBadRequest, "local is true or false")
		}
	}
	if !s.saving.busy.CompareAndSwap(false, true) {
		w.Header().Set("Retry-After", "1")
		return stats.OpOther, memberError(w, http.StatusServiceUnavailable, "another snapshot is being sent; try again when it is done")
	}
	defer s.saving.busy.Store(false)
	return stats.OpOther, s.sendSnapshot(w, r, local)
}

func (s *Server) sendSnapshot(w http.ResponseWriter, r *http.Request, local bool) error {
	if !local {
		if err := s.Log.Barrier(r.Context()); err != nil {
			return memberError(w, http.StatusServiceUnavailable,
				"the leader did not confirm that this member is up to date: "+err.Error()+"; local=true takes what this member has")
		}
	}
	file, size, err := s.Snapshots.OpenSnapshot(r.Context())
	if err != nil {
		return memberError(w, http.StatusInternalServerError, err.Error())
	}
	defer func() { _ = file.Close() }() // it was only read
	h := w.Header()
	h["X-Etcd-Cluster-Id"] = s.clusterID
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	if err := s.copyAlive(w, file); err != nil {
		s.Logger.Warn("snapshot not sent whole", zap.String("to", r.RemoteAddr), zap.Error(err))
		// The client must not take it for whole: the connection breaks.
		panic(http.ErrAbortHandler)
	}
	s.Logger.Info("snapshot sent", zap.String("to", r.RemoteAddr), zap.Int64("bytes", size))
	return nil
}

// copyAlive copies until the end, or until the client has taken nothing for the
// time that a body may take.
func (s *Server) copyAlive(w http.ResponseWriter, file io.Reader) error {
	control := http.NewResponseController(w)
	for {
		if err := control.SetWriteDeadline(time.Now().Add(s.BodyTimeout)); err != nil {
			return err
		}
		switch _, err := io.CopyN(w, file, snapshotChunk); {
		case errors.Is(err, io.EOF):
			return control.SetWriteDeadline(time.Time{})
		case err != nil:
			return err
		}
	}
}
