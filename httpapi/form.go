package httpapi

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"pando/httpapi/budget"
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
// and returns the first error, but a semicolon before any other.
func (f *form) scan(text string) error {
	var told error
	for text != "" {
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		if err := f.take(pair); err != nil && (told == nil || err == errSemicolon) {
			told = err
		}
	}
	return told
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
// the content type give it one, and then the query's. The room must be freed when the
// parameters are not needed any more.
func (s *Server) parse(w http.ResponseWriter, r *http.Request, f *form) (room budget.Reservation, e *tree.Error) {
	body, room, first := s.formBody(w, r)
	switch {
	case first == nil:
		first = f.scan(body)
	case errors.Is(first, errBodyTooLarge):
		return room, s.tooLarge()
	case first == error(budget.ErrExhausted):
		return room, budget.ErrExhausted
	}
	if err := f.scan(r.URL.RawQuery); first == nil {
		first = err
	}
	if first != nil {
		e = tree.NewError(tree.CodeInvalidForm, first.Error())
	}
	return room, e
}

// formBody gives the body if it holds a form, and skips any other.
func (s *Server) formBody(w http.ResponseWriter, r *http.Request) (body string, room budget.Reservation, err error) {
	kind := r.Header.Get("Content-Type")
	if kind == "" || r.Method != http.MethodPut && r.Method != http.MethodPost {
		return "", room, s.skipBody(w, r)
	}
	if kind == formType {
		return s.readBody(w, r, s.formLimit())
	}
	media, _, err := mime.ParseMediaType(kind)
	switch {
	case media == formType && err != nil: // what is wrong is behind the type: the body is read all the same
		if unread := s.skipBody(w, r); unread != nil {
			err = unread
		}
		return "", room, err
	case media == formType:
		return s.readBody(w, r, s.formLimit())
	case err != nil:
		return "", room, err
	}
	return "", room, s.skipBody(w, r)
}

const formType = "application/x-www-form-urlencoded"
