package httpapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"pando/httpapi/budget"
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

// referenceForm is how long a form may be, as it comes, where no limit was asked for.
// The reference's forms end there.
const referenceForm = 10 << 20

// bodyLimit is how long a body may be.
type bodyLimit struct {
	wire    int64 // as it comes
	decoded int64 // each escaped byte counted once
}

// formLimit counts an escaped byte once where a limit was asked for: it is meant for
// keys and values, whatever letters they are of.
func (s *Server) formLimit() bodyLimit {
	if s.MaxRequestBytes == 0 {
		return bodyLimit{referenceForm, referenceForm}
	}
	return bodyLimit{3 * s.MaxRequestBytes, s.MaxRequestBytes}
}

// plainLimit is that of a body in which nothing is escaped.
func (s *Server) plainLimit() bodyLimit {
	if s.MaxRequestBytes == 0 {
		return bodyLimit{referenceForm, referenceForm}
	}
	return bodyLimit{s.MaxRequestBytes, s.MaxRequestBytes}
}

// limitedBody ends a body with errBodyTooLarge where its limit ends.
type limitedBody struct {
	from io.Reader
	left bodyLimit
}

var errBodyTooLarge = errors.New("httpapi: the request body is too large")

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.left.wire -= int64(n)
	b.left.decoded -= int64(n - 2*bytes.Count(p[:n], []byte{'%'}))
	if b.left.wire < 0 || b.left.decoded < 0 {
		return n, errBodyTooLarge
	}
	return n, err
}

// readBody reads a body within its limit. The room must be freed when the body and what
// was made of it are not needed any more.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, limit bodyLimit) (body string, room budget.Reservation, err error) {
	if r.ContentLength > limit.wire {
		return "", room, s.skipTooLarge(r, limit)
	}
	if r.ContentLength == 0 {
		return "", room, nil
	}
	from := limitedBody{r.Body, limit}
	p := buffers.Get().(*[]byte)
	first, err := readFirst((*p)[:0], &from, r.ContentLength)
	defer func() { putBuffer(p, first) }()
	switch {
	case err != nil:
		return "", room, s.bodyRead(w, r, err)
	case len(first) < maxPooled || r.ContentLength == maxPooled:
		return string(first), room, s.bodyRead(w, r, nil)
	}
	return s.readLarge(w, r, first, from)
}

// skipTooLarge refuses a body by its length. The reference reads a form up to its limit
// all the same, so that the connection of one that is little longer can be used again.
func (s *Server) skipTooLarge(r *http.Request, limit bodyLimit) error {
	if s.MaxRequestBytes == 0 {
		_, _ = io.Copy(io.Discard, &limitedBody{r.Body, limit})
	}
	return errBodyTooLarge
}

// readFirst appends the whole of a small body, and the first maxPooled bytes of a
// larger one. announced is the length, or less than zero.
func readFirst(b []byte, body *limitedBody, announced int64) ([]byte, error) {
	size := maxPooled
	if announced > 0 {
		size = int(min(announced, maxPooled))
	}
	for len(b) < size {
		b = slices.Grow(b, min(size-len(b), max(len(b), smallBody)))
		n, err := body.Read(b[len(b):min(cap(b), size)])
		b = b[:len(b)+n]
		switch {
		case err == io.EOF && (announced < 0 || len(b) == size):
			return b, nil
		case err == io.EOF:
			return b, io.ErrUnexpectedEOF
		case err != nil:
			return b, err
		}
	}
	return b, nil
}

// readLarge reads on after the first bytes, once there is room for the body and for
// what is made of it. From then on the client has the whole time for the rest.
func (s *Server) readLarge(w http.ResponseWriter, r *http.Request, first []byte, from limitedBody) (string, budget.Reservation, error) {
	most := r.ContentLength
	if most < 0 {
		most = int64(len(first)) + from.left.wire
	}
	room, err := s.budget.Reserve(2*most, s.BodyTimeout)
	if err != nil {
		return "", room, err
	}
	setReadDeadline(w, time.Now().Add(s.BodyTimeout))
	var body strings.Builder
	body.Grow(max(int(r.ContentLength), 4*len(first)))
	body.Write(first)
	_, err = io.CopyBuffer(&body, &from, first)
	if err = s.bodyRead(w, r, err); err != nil {
		room.Release()
		return "", budget.Reservation{}, err
	}
	return body.String(), room, nil
}

// skipBody reads a body that means nothing, within the limits of one that does: a
// watch takes the connection over, and listens to it from there on. A client that
// asks before it sends, and does not wait, is not told to go on: the answer comes at
// once, and closes the connection, for what the client does with its body is unknown.
func (s *Server) skipBody(w http.ResponseWriter, r *http.Request) error {
	limit := s.formLimit()
	if r.ContentLength > limit.wire {
		return errBodyTooLarge
	}
	asks := strings.EqualFold(r.Header.Get("Expect"), "100-continue")
	if r.ContentLength == 0 || asks && r.Method != http.MethodGet {
		return nil
	}
	_, err := io.Copy(io.Discard, &limitedBody{r.Body, limit})
	return s.bodyRead(w, r, err)
}
