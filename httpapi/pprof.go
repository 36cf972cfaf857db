package httpapi

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"
)

// servePprof serves Go's profiles, if --enable-pprof is on.
func (p *process) servePprof(w http.ResponseWriter, r *http.Request) {
	if p.pprof == Off {
		http.NotFound(w, r)
		return
	}
	switch strings.TrimPrefix(r.URL.Path, "/debug/pprof/") {
	case "cmdline":
		pprof.Cmdline(w, r)
	case "symbol":
		pprof.Symbol(w, r)
	case "profile":
		abandonable(p.patience, pprof.Profile)(w, r)
	case "trace":
		abandonable(p.patience, pprof.Trace)(w, r)
	default:
		abandonable(p.patience, pprof.Index)(w, r)
	}
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
