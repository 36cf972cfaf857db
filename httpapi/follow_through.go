package httpapi

import (
	"errors"
	"net/http"
	"time"

	"pando/tree"
)

// followThrough sends events by the ResponseWriter, where the connection can't be taken
// over: over HTTP/2 other requests share it. It takes a goroutine for as long as the
// client waits. That the client has gone ends it.
func (s *Server) followThrough(w http.ResponseWriter, r *http.Request, watcher *tree.Watcher, event *tree.Event, stream bool) error {
	defer watcher.Close()
	s.open.add(watcher)
	defer s.open.remove(watcher)
	control := http.NewResponseController(w)
	for {
		if event == nil {
			var err error
			if event, err = watcher.Next(r.Context()); err != nil {
				return s.tellEnd(w, err)
			}
		}
		// One that takes nothing ends it, too: HTTP/2 has no other way to notice.
		_ = control.SetWriteDeadline(time.Now().Add(s.StallTimeout))
		err := s.writeEvent(w, event)
		if err == nil {
			err = control.Flush()
		}
		if err != nil || !stream {
			return err
		}
		_ = control.SetWriteDeadline(time.Time{})
		event = nil
	}
}

// errBreakOff says that the answer has to break off, which makes clients try again
// elsewhere instead of taking the end for an answer.
var errBreakOff = errors.New("httpapi: the answer breaks off")

// tellEnd writes why there are no more events, if the client has to know.
func (s *Server) tellEnd(w http.ResponseWriter, err error) error {
	told, ok := errors.AsType[*tree.Error](err)
	if !ok {
		return errors.Join(errBreakOff, err)
	}
	_, _ = w.Write(told.AppendJSON(nil))
	return told
}
