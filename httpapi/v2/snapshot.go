package v2

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"pando/httpapi/auth"
	"pando/httpapi/service"
	"pando/stats"
)

// Snapshot serves /v2/snapshot, which the reference does not have. The response is a file with everything that was acknowledged
// before the request. With local=true it contains what is applied on this member, and no other member is needed.
func (a *API) Snapshot(w http.ResponseWriter, r *http.Request) (stats.Op, error) {
	consistency := service.Linearizable
	if text := r.URL.Query().Get("local"); text != "" {
		local, err := strconv.ParseBool(text)
		if err != nil {
			return stats.OpOther, writeMessage(w, http.StatusBadRequest, `"local" must be true or false`)
		}
		if local {
			consistency = service.Local
		}
	}
	file, size, err := a.Service.OpenSnapshot(r.Context(), auth.FromRequest(r), consistency)
	if err != nil {
		return stats.OpOther, refuseSnapshot(w, err)
	}
	defer func() { _ = file.Close() }() // it was only read
	a.sendSnapshot(w, r, file, size)
	return stats.OpOther, nil
}

// refuseSnapshot responds to a request for a snapshot that could not be opened.
func refuseSnapshot(w http.ResponseWriter, err error) error {
	message := err.Error()
	switch {
	case isRootError(err):
		return refuseRoot(w, err)
	case errors.Is(err, service.ErrSnapshotBusy):
		w.Header().Set("Retry-After", "1")
		message = "another snapshot is being sent; try again when it is done"
	case errors.Is(err, service.ErrNotConfirmed):
		message += "; local=true takes what this member has"
	}
	return writeMessage(w, messageStatus(err), message)
}

// sendSnapshot sends the file. After an error it breaks the connection, so that the client does not take the file for complete.
func (a *API) sendSnapshot(w http.ResponseWriter, r *http.Request, file io.Reader, size int64) {
	h := w.Header()
	h["X-Etcd-Cluster-Id"] = a.clusterID
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	if err := a.copyWithDeadlines(w, file); err != nil {
		a.Logger.Warn("snapshot was not sent completely", zap.String("to", r.RemoteAddr), zap.Error(err))
		panic(http.ErrAbortHandler)
	}
	a.Logger.Info("snapshot sent", zap.String("to", r.RemoteAddr), zap.Int64("bytes", size))
}

// snapshotChunk is the number of bytes that a client must read within BodyTimeout, which also limits the bodies of requests.
const snapshotChunk = 256 << 10

// copyWithDeadlines copies the file to the client. It fails if a chunk is not written in time.
func (a *API) copyWithDeadlines(w http.ResponseWriter, file io.Reader) error {
	control := http.NewResponseController(w)
	for {
		if err := control.SetWriteDeadline(time.Now().Add(a.BodyTimeout)); err != nil {
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
