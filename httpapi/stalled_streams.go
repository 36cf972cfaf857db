package httpapi

import (
	"net/http"
	"time"

	"go.uber.org/zap"
)

// maxPart is the largest number of bytes that a client of HTTP/2 must read within the timeout.
const maxPart = 64 << 10

// cutOffStalled returns a handler that resets the streams of HTTP/2 whose client reads nothing for Config.StallTimeout. The deadlines of
// the connection do not find such a client: it may read the other streams of the connection. Without a limit, a client could hold all
// requests that may be in flight.
func (s *Server) cutOffStalled(next http.Handler) http.Handler {
	if s.cfg.StallTimeout <= 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor < 2 {
			next.ServeHTTP(w, r)
			return
		}
		stream := &streamWriter{ResponseWriter: w, control: http.NewResponseController(w), server: s, client: r.RemoteAddr}
		next.ServeHTTP(stream, r)
		if !stream.hasDeadline { // net/http sends the rest of the response after this function
			_ = stream.control.SetWriteDeadline(time.Now().Add(s.cfg.StallTimeout)) // an error means that the stream is closed
		}
	})
}

// streamWriter writes the response on a stream of HTTP/2. Each write has a deadline. It is used by one goroutine at a time.
type streamWriter struct {
	http.ResponseWriter
	control     *http.ResponseController // of ResponseWriter
	server      *Server
	client      string // its address, for the log
	hasDeadline bool   // the handler has set a deadline, which replaces that of each write
}

// Unwrap is called by http.ResponseController.
func (w *streamWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write writes b in parts, each with a deadline of its own: a slow client that reads is not cut off.
func (w *streamWriter) Write(b []byte) (int, error) {
	sent := 0
	for {
		part := b[sent:min(len(b), sent+maxPart)]
		err := w.withDeadline(func() error {
			n, err := w.ResponseWriter.Write(part)
			sent += n
			return err
		})
		if err != nil || sent == len(b) {
			return sent, err
		}
	}
}

// FlushError sends what was written.
func (w *streamWriter) FlushError() error { return w.withDeadline(w.control.Flush) }

// SetWriteDeadline replaces the deadlines of the writes. The zero time restores them.
func (w *streamWriter) SetWriteDeadline(t time.Time) error {
	w.hasDeadline = !t.IsZero()
	return w.control.SetWriteDeadline(t)
}

// withDeadline calls write with a deadline, unless the handler has set one.
func (w *streamWriter) withDeadline(write func() error) error {
	if w.hasDeadline {
		return write()
	}
	timeout := w.server.cfg.StallTimeout
	deadline := time.Now().Add(timeout)
	if err := w.control.SetWriteDeadline(deadline); err != nil {
		return err
	}
	if err := write(); err != nil {
		if !time.Now().Before(deadline) {
			w.server.cfg.Metrics.Stalled()
			w.server.cfg.Logger.Warn("a client that read nothing was cut off (--client-stall-timeout)",
				zap.String("client", w.client), zap.Duration("after", timeout))
		}
		return err
	}
	return w.control.SetWriteDeadline(time.Time{})
}
