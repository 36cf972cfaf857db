package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"pando/tree"
)

// form holds the parameters that the API knows, as given in the body and the
// query; what it does not know is checked and dropped. Scanning for a few
// names costs little even for a hundred thousand parameters.
type form struct {
	values [fieldCount]string
	given  [fieldCount]bool
}

// field is a parameter that the API knows.
type field int

const (
	fieldValue field = iota
	fieldDir
	fieldTTL
	fieldPrevValue
	fieldPrevIndex
	fieldPrevExist
	fieldRefresh
	fieldRecursive
	fieldSorted
	fieldWait
	fieldWaitIndex
	fieldStream
	fieldQuorum
	fieldNoValue
	fieldCount
)

var fieldNames = [fieldCount]string{
	"value", "dir", "ttl", "prevValue", "prevIndex", "prevExist", "refresh",
	"recursive", "sorted", "wait", "waitIndex", "stream", "quorum", "noValueOnSuccess",
}

// String is the parameter's name in a request.
func (f field) String() string { return fieldNames[f] }

func fieldOf(name string) (field, bool) {
	for f, n := range fieldNames {
		if n == name {
			return field(f), true
		}
	}
	return 0, false
}

var errSemicolon = errors.New("invalid semicolon separator in query")

// scan takes the parameters of an urlencoded text. Those that were given
// before stay: of several values the first wins. It goes on after a bad one,
// and returns the first error.
func (f *form) scan(text string) error {
	var first error
	for text != "" {
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		if err := f.take(pair); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (f *form) take(pair string) error {
	if pair == "" {
		return nil
	}
	if strings.Contains(pair, ";") {
		return errSemicolon
	}
	name, value, _ := strings.Cut(pair, "=")
	name, err := url.QueryUnescape(name)
	if err != nil {
		return err
	}
	if value, err = url.QueryUnescape(value); err != nil {
		return err
	}
	if at, known := fieldOf(name); known && !f.given[at] {
		f.values[at], f.given[at] = value, true
	}
	return nil
}

// parse reads the parameters of a request: the body's, where the method and
// the content type give it one, and then the query's.
func (s *Server) parse(w http.ResponseWriter, r *http.Request, f *form) *tree.Error {
	var first error
	if r.Method == http.MethodPut || r.Method == http.MethodPost {
		body, err := s.formBody(w, r)
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			return bodyTooLarge
		case err != nil:
			first = err
		default:
			first = f.scan(body)
		}
	}
	if err := f.scan(r.URL.RawQuery); first == nil {
		first = err
	}
	if first != nil {
		return tree.NewError(tree.CodeInvalidForm, first.Error())
	}
	return nil
}

// formBody reads the body if it holds a form.
func (s *Server) formBody(w http.ResponseWriter, r *http.Request) (string, error) {
	kind := r.Header.Get("Content-Type")
	if kind == "" {
		return "", nil
	}
	if kind != formType {
		media, _, err := mime.ParseMediaType(kind)
		if err != nil {
			return "", err
		}
		if media != formType {
			return "", nil
		}
	}
	return s.readBody(w, r)
}

const formType = "application/x-www-form-urlencoded"

// readBody reads a body of at most MaxRequestBytes. Slow senders are cut off,
// by a deadline of the body's own: that of a long poll would be none.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) (string, error) {
	if r.ContentLength > s.MaxRequestBytes {
		return "", &http.MaxBytesError{Limit: s.MaxRequestBytes}
	}
	if r.ContentLength == 0 {
		return "", nil
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(s.BodyTimeout))
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	if r.ContentLength < 0 {
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.MaxRequestBytes))
		return string(b), err
	}
	p := buffers.Get().(*[]byte)
	b := slices.Grow((*p)[:0], int(r.ContentLength))[:r.ContentLength]
	_, err := io.ReadFull(r.Body, b)
	body := string(b)
	if cap(b) <= maxPooled {
		*p = b
		buffers.Put(p)
	}
	return body, err
}
