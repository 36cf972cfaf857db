package v2

import (
	"errors"
	"math/bits"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"pando/httpapi/budget"
	"pando/httpapi/service"
	"pando/tree"
)

// form contains the known parameters of a request, from its body and its query. Unknown parameters are checked and dropped, so that
// a request with a hundred thousand parameters needs little memory.
type form struct {
	values [fieldCount]string
	given  fieldSet
	paths  []string // all values of fieldPath, but not more than maxPathValues
	body   string   // the whole body of the request, if it is a form
	// rawBody says that the value is the body of the request.
	rawBody bool
}

// maxPathValues is one more than are allowed, so that more are noticed.
const maxPathValues = service.MaxWatchedPaths + 1

// field is a known parameter.
type field int

// fieldSet is a set of fields, one bit for each.
type fieldSet uint32

const _ = uint(32 - fieldCount) // a fieldSet has a bit for each field

// setOf returns the set of some fields.
func setOf(fields ...field) (set fieldSet) {
	for _, f := range fields {
		set |= 1 << f
	}
	return set
}

func (s fieldSet) has(f field) bool { return s&(1<<f) != 0 }

// first returns the first field of a set that is not empty.
func (s fieldSet) first() field { return field(bits.TrailingZeros32(uint32(s))) }

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

	// The parameters that etcd does not have. It ignores them.
	fieldLimit
	fieldAfter
	fieldKeysOnly
	fieldDepth
	fieldHidden
	fieldCounted
	fieldAtIndex
	fieldRaw
	fieldHeartbeat
	fieldWaitTimeout
	fieldTimeoutStatus
	fieldActions
	fieldPath
	fieldEach

	fieldCount
)

var fieldNames = [fieldCount]string{
	"value", "dir", "ttl", "prevValue", "prevIndex", "prevExist", "refresh",
	"recursive", "sorted", "wait", "waitIndex", "stream", "quorum", "noValueOnSuccess",
	"limit", "after", "keysOnly", "depth", "hidden", "count", "atIndex", "raw",
	"heartbeat", "waitTimeout", "timeoutStatus", "actions", "path", "each",
}

// String returns the parameter's name in a request.
func (f field) String() string { return fieldNames[f] }

// fieldOf returns the field with a name, and whether there is one.
func fieldOf(name string) (field, bool) {
	for f, n := range fieldNames {
		if n == name {
			return field(f), true
		}
	}
	return 0, false
}

var errSemicolon = errors.New("invalid semicolon separator in query")

// scan adds the parameters of a URL-encoded text. A parameter that was given before keeps its value. scan continues after an invalid
// parameter. It returns errSemicolon if there is one, and otherwise the first error.
func (f *form) scan(text string) error {
	var first error
	for text != "" {
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		if err := f.add(pair); err != nil && (first == nil || err == errSemicolon) {
			first = err
		}
	}
	return first
}

// add adds the parameter of a pair "name=value".
func (f *form) add(pair string) error {
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
	at, known := fieldOf(name)
	if !known {
		return nil
	}
	if at == fieldPath && len(f.paths) < maxPathValues {
		f.paths = append(f.paths, value)
	}
	if !f.given.has(at) {
		f.values[at] = value
		f.given |= 1 << at
	}
	return nil
}

// readForm reads the parameters of a request: first those of its body, if the method and the content type allow a form, then those
// of the query. The caller must release the reservation when it no longer needs the parameters. Errors are *tree.Error.
func (a *API) readForm(w http.ResponseWriter, r *http.Request, f *form) (budget.Reservation, error) {
	body, reserved, err := a.readFormBody(w, r, f)
	if e, ok := err.(*tree.Error); ok { // a limit was reached
		return reserved, e
	}
	if err == nil {
		f.body = body
		err = f.scan(body)
	}
	if queryErr := f.scan(r.URL.RawQuery); err == nil {
		err = queryErr
	}
	if err != nil {
		return reserved, tree.NewError(tree.CodeInvalidForm, err.Error())
	}
	return reserved, nil
}

const formType = "application/x-www-form-urlencoded"

// readFormBody returns the body if it is a form. Another body of a change with raw=true becomes the value of f. All others are read and
// dropped.
func (a *API) readFormBody(w http.ResponseWriter, r *http.Request, f *form) (body string, reserved budget.Reservation, err error) {
	if r.Method != http.MethodPut && r.Method != http.MethodPost {
		return "", reserved, a.discardBody(w, r)
	}
	kind := r.Header.Get("Content-Type")
	switch kind {
	case "":
		reserved, err = a.readRawBody(w, r, f)
		return "", reserved, err
	case formType:
		return a.readBody(w, r, a.formLimit())
	}
	media, _, err := mime.ParseMediaType(kind)
	switch {
	case media == formType && err != nil: // the parameters of the type are invalid: the body is still read
		if readErr := a.discardBody(w, r); readErr != nil {
			err = readErr
		}
		return "", reserved, err
	case media == formType:
		return a.readBody(w, r, a.formLimit())
	case err != nil:
		return "", reserved, err
	}
	reserved, err = a.readRawBody(w, r, f)
	return "", reserved, err
}
