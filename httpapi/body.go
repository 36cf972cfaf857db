package httpapi

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// timeBodies cuts off clients that take longer than timeout to send a body,
// whoever reads it: what a handler leaves is read by net/http, which would wait
// for ever. The deadline is one of the body's own; a long poll has none.
func timeBodies(timeout time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			setReadDeadline(w, time.Now().Add(timeout))
		}
		next.ServeHTTP(w, r)
	})
}

// setReadDeadline is what http.ResponseController does, without its allocation.
func setReadDeadline(w http.ResponseWriter, t time.Time) {
	if d, ok := w.(interface{ SetReadDeadline(time.Time) error }); ok {
		_ = d.SetReadDeadline(t)
	}
}

// bodyRead ends the deadline of a body that was read to its end. After an error
// it stays, for the rest of the body.
func (s *Server) bodyRead(w http.ResponseWriter, r *http.Request, err error) error {
	if err == nil {
		_ = r.Body.Close() // or net/http would look for more of it
		setReadDeadline(w, time.Time{})
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the request body took longer than " + s.BodyTimeout.String())
	}
	return err
}

// readBody reads a body of at most MaxRequestBytes.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) (string, error) {
	if r.ContentLength > s.MaxRequestBytes {
		return "", &http.MaxBytesError{Limit: s.MaxRequestBytes}
	}
	if r.ContentLength == 0 {
		return "", nil
	}
	if r.ContentLength < 0 {
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.MaxRequestBytes))
		return string(b), s.bodyRead(w, r, err)
	}
	p := buffers.Get().(*[]byte)
	b, err := readSized((*p)[:0], r.Body, int(r.ContentLength))
	body := string(b)
	if cap(b) <= maxPooled {
		*p = b
		buffers.Put(p)
	}
	return body, s.bodyRead(w, r, err)
}

// readSized appends size bytes to b. A large announcement gets memory as its
// bytes come: it costs nothing to make one.
func readSized(b []byte, body io.Reader, size int) ([]byte, error) {
	for have := 0; have < size; have = len(b) {
		step := min(size-have, max(have, maxPooled))
		b = slices.Grow(b, step)[:have+step]
		if n, err := io.ReadFull(body, b[have:]); err != nil {
			return b[:have+n], err
		}
	}
	return b, nil
}

// skipBody reads a body that means nothing, within the limits of one that does: a
// watch takes the connection over, and listens to it from there on. A client that
// asks before it sends, and does not wait, is not told to go on: the answer comes at
// once, and closes the connection, for what the client does with its body is unknown.
func (s *Server) skipBody(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength > s.MaxRequestBytes {
		return &http.MaxBytesError{Limit: s.MaxRequestBytes}
	}
	asks := strings.EqualFold(r.Header.Get("Expect"), "100-continue")
	if r.ContentLength == 0 || asks && r.Method != http.MethodGet {
		return nil
	}
	_, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, s.MaxRequestBytes))
	return s.bodyRead(w, r, err)
}
