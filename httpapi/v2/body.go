package v2

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
	"pando/tree"
)

// SetReadDeadline sets the deadline for reading a request's body, as http.ResponseController does, but without its allocation.
// It has no effect where a connection has no deadlines.
func SetReadDeadline(w http.ResponseWriter, t time.Time) {
	if d, ok := w.(interface{ SetReadDeadline(time.Time) error }); ok {
		_ = d.SetReadDeadline(t)
	}
}

// endBody ends the reading of a body. err is the error of the last read, or nil at the end of the body. Then endBody removes the
// deadline; after an error the deadline remains, for the rest of the body. It returns the error for the client.
func (a *API) endBody(w http.ResponseWriter, r *http.Request, err error) error {
	if err == nil {
		_ = r.Body.Close() // otherwise net/http would read once more
		SetReadDeadline(w, time.Time{})
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the request body took longer than " + a.BodyTimeout.String())
	}
	return err
}

// maxReferenceForm is the size of the largest form that the reference accepts. It applies if no limit is configured.
const maxReferenceForm = 10 << 20

// bodyLimit limits the length of a body in two ways.
type bodyLimit struct {
	wire    int64 // bytes as they are sent
	decoded int64 // each escaped byte counts as one
}

// formLimit returns the limit of a form. A configured limit applies to keys and values, so an escaped byte counts as one.
func (a *API) formLimit() bodyLimit {
	if a.MaxRequestBytes == 0 {
		return bodyLimit{maxReferenceForm, maxReferenceForm}
	}
	return bodyLimit{3 * a.MaxRequestBytes, a.MaxRequestBytes}
}

// plainLimit returns the limit of a body without escapes.
func (a *API) plainLimit() bodyLimit {
	if a.MaxRequestBytes == 0 {
		return bodyLimit{maxReferenceForm, maxReferenceForm}
	}
	return bodyLimit{a.MaxRequestBytes, a.MaxRequestBytes}
}

// limitedBody is a body whose Read returns tooLarge beyond the limit.
type limitedBody struct {
	from     io.Reader
	left     bodyLimit // what may still be read
	tooLarge error
}

// limitBody returns the body of a request with a limit.
func (a *API) limitBody(r *http.Request, limit bodyLimit) limitedBody {
	return limitedBody{r.Body, limit, a.tooLarge()}
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.left.wire -= int64(n)
	b.left.decoded -= int64(n - 2*bytes.Count(p[:n], []byte{'%'}))
	if b.left.wire < 0 || b.left.decoded < 0 {
		return n, b.tooLarge
	}
	return n, err
}

// readBody reads a body within its limit. The caller must release the reservation when it no longer needs the body or a substring
// of it. The error is a *tree.Error if the body is too large or there is no memory for it.
func (a *API) readBody(w http.ResponseWriter, r *http.Request, limit bodyLimit) (body string, reserved budget.Reservation, err error) {
	if r.ContentLength > limit.wire {
		return "", reserved, a.refuseLength(r, limit)
	}
	if r.ContentLength == 0 {
		return "", reserved, nil
	}
	from := a.limitBody(r, limit)
	p := buffers.Get().(*[]byte)
	first, err := readFirst((*p)[:0], &from, r.ContentLength)
	defer func() { putBuffer(p, first) }()
	switch {
	case err != nil:
		return "", reserved, a.endBody(w, r, err)
	case len(first) < maxPooled || r.ContentLength == maxPooled:
		return string(first), reserved, a.endBody(w, r, nil)
	}
	return a.readLarge(w, r, first, from)
}

// readMessageBody reads the body of a request outside of /v2/keys. The caller must release the reservation. After an error
// readMessageBody has written the response.
func (a *API) readMessageBody(w http.ResponseWriter, r *http.Request) (string, budget.Reservation, error) {
	return a.readLimitedBody(w, r, a.plainLimit())
}

// readLimitedBody is readMessageBody for a body with another limit.
func (a *API) readLimitedBody(w http.ResponseWriter, r *http.Request, limit bodyLimit) (string, budget.Reservation, error) {
	body, reserved, err := a.readBody(w, r, limit)
	if e, ok := err.(*tree.Error); ok {
		w.Header().Set("Connection", "close")
		status := http.StatusRequestEntityTooLarge
		if e == budget.ErrExhausted {
			status = http.StatusServiceUnavailable
		}
		return "", reserved, writeMessage(w, status, e.Cause)
	}
	if err != nil {
		return "", reserved, writeMessage(w, http.StatusBadRequest, err.Error())
	}
	return body, reserved, nil
}

// refuseLength returns the error for a body whose announced length is too large. Without a configured limit it reads as much of the
// body as the reference does, so that the connection can be used again if the body is only a little too large.
func (a *API) refuseLength(r *http.Request, limit bodyLimit) error {
	if a.MaxRequestBytes == 0 {
		from := a.limitBody(r, limit)
		_, _ = io.Copy(io.Discard, &from)
	}
	return a.tooLarge()
}

// minRead is the smallest number of bytes by which readFirst grows its buffer.
const minRead = 2 << 10

// readFirst appends a small body to b, or the first maxPooled bytes of a larger one. announced is the announced length of the body,
// or less than 0 if there is none.
func readFirst(b []byte, body *limitedBody, announced int64) ([]byte, error) {
	size := maxPooled
	if announced > 0 {
		size = int(min(announced, maxPooled))
	}
	for len(b) < size {
		b = slices.Grow(b, min(size-len(b), max(len(b), minRead)))
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

// readLarge reads the rest of a large body after its first bytes. First it reserves memory for the body and for the command with its
// value. After that the client has the whole BodyTimeout for the rest.
func (a *API) readLarge(w http.ResponseWriter, r *http.Request, first []byte, from limitedBody) (string, budget.Reservation, error) {
	longest := r.ContentLength
	if longest < 0 {
		longest = int64(len(first)) + from.left.wire
	}
	reserved, err := a.Budget.Reserve(2*longest, a.BodyTimeout)
	if err != nil {
		return "", reserved, err
	}
	SetReadDeadline(w, time.Now().Add(a.BodyTimeout))
	var body strings.Builder
	body.Grow(max(int(r.ContentLength), 4*len(first)))
	body.Write(first)
	_, err = io.CopyBuffer(&body, &from, first)
	if err = a.endBody(w, r, err); err != nil {
		reserved.Release()
		return "", budget.Reservation{}, err
	}
	return body.String(), reserved, nil
}

// discardBody reads and drops a body that has no meaning, within the limits of a form. A watch takes the connection over, so the
// body must not be left in it. discardBody does not request the body of a change with Expect: 100-continue: the client gets the
// response at once, and net/http closes the connection, because the client may or may not send the body.
func (a *API) discardBody(w http.ResponseWriter, r *http.Request) error {
	limit := a.formLimit()
	if r.ContentLength > limit.wire {
		return a.tooLarge()
	}
	expects := strings.EqualFold(r.Header.Get("Expect"), "100-continue")
	if r.ContentLength == 0 || expects && r.Method != http.MethodGet {
		return nil
	}
	from := a.limitBody(r, limit)
	_, err := io.Copy(io.Discard, &from)
	return a.endBody(w, r, err)
}
