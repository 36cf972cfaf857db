package httpapi

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/go-chi/chi/v5"
)

// mountPprof mounts Go's profiles. A client that takes nothing of one for the patience is
// given up.
func mountPprof(r chi.Router, patience time.Duration) {
	r.HandleFunc("/debug/pprof/*", abandonable(patience, pprof.Index))
	r.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	r.HandleFunc("/debug/pprof/profile", abandonable(patience, pprof.Profile))
	r.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	r.HandleFunc("/debug/pprof/trace", abandonable(patience, pprof.Trace))
}

// abandonable runs a handler that takes as long as the client wishes, and ends it when
// the client goes away: there is one profile at a time, and an abandoned one would be in
// the way of the next. A conn does not tell net/http that its client has gone, so the
// connection leaves net/http, without the request's body, and is closed behind the
// answer.
func abandonable(patience time.Duration, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		taken, _, err := http.NewResponseController(w).Hijack()
		if err != nil { // as with HTTP/2, where net/http notices by itself
			next(w, r)
			return
		}
		defer func() { _ = taken.Close() }() // nobody is left to tell
		ctx, gone := context.WithCancel(r.Context())
		defer gone()
		go func() {
			defer gone()
			_, _ = io.Copy(io.Discard, taken) // ends with the client, or when the answer is sent
		}()
		r = r.WithContext(ctx)
		r.Body = http.NoBody // it has left with the connection
		next(&lastAnswer{conn: taken, header: header, patience: patience}, r)
	}
}

// lastAnswer writes an answer to a connection that has left net/http. It ends with the
// connection.
type lastAnswer struct {
	conn     net.Conn
	header   http.Header
	patience time.Duration // a client that takes nothing for so long is given up
	begun    bool
}

// Header is what goes before the body.
func (a *lastAnswer) Header() http.Header { return a.header }

// WriteHeader sends the head. A client that has gone does not get it, nor the rest.
func (a *lastAnswer) WriteHeader(status int) {
	if a.begun {
		return
	}
	a.begun = true
	_ = a.conn.SetWriteDeadline(time.Now().Add(a.patience))
	_, _ = fmt.Fprintf(a.conn, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	a.header.Set("Connection", "close")
	_ = a.header.Write(a.conn)
	_, _ = io.WriteString(a.conn, "\r\n")
}

// Write sends a piece of the body.
func (a *lastAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if err := a.conn.SetWriteDeadline(time.Now().Add(a.patience)); err != nil {
		return 0, err
	}
	return a.conn.Write(p)
}
