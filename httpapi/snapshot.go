package httpapi

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"pando/httpapi/service"
	"pando/stats"
)

// snapshotChunk is how much is sent under one deadline.
const snapshotChunk = 256 << 10

// snapshot sends a snapshot of all that was acknowledged to anyone before the
// request, or, with local=true, of what is applied here, which needs no other
// member.
func (s *Server) snapshot(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	consistency := service.Linearizable
	if text := r.URL.Query().Get("local"); text != "" {
		local, err := strconv.ParseBool(text)
		if err != nil {
			return stats.OpOther, memberError(w, http.StatusBadRequest, "local is true or false")
		}
		if local {
			consistency = service.Local
		}
	}
	file, size, err := s.service.OpenSnapshot(r.Context(), consistency)
	if err != nil {
		return stats.OpOther, snapshotRefused(w, err)
	}
	defer func() { _ = file.Close() }() // it was only read
	s.sendSnapshot(w, r, file, size)
	return stats.OpOther, nil
}

// snapshotRefused answers a request for a snapshot that can't be opened.
func snapshotRefused(w http.ResponseWriter, err error) error {
	switch {
	case errors.Is(err, service.ErrSnapshotBusy):
		w.Header().Set("Retry-After", "1")
		return memberError(w, http.StatusServiceUnavailable, "another snapshot is being sent; try again when it is done")
	case errors.Is(err, service.ErrNotConfirmed):
		return memberError(w, http.StatusServiceUnavailable, err.Error()+"; local=true takes what this member has")
	}
	return memberError(w, http.StatusInternalServerError, err.Error())
}

func (s *Server) sendSnapshot(w http.ResponseWriter, r *http.Request, file io.Reader, size int64) {
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
