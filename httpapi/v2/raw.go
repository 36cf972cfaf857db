package v2

import (
	"net/http"

	"pando/httpapi/budget"
	"pando/tree"
)

// The headers of a raw response. A value may be a script or a page that somebody has stored: no browser must run it with the rights of
// this origin. All responses share the slices, so they must not be changed.
var (
	rawType     = []string{octetStream}
	rawNoSniff  = []string{"nosniff"}
	rawSecurity = []string{"sandbox"}
)

// writeRaw responds with the value of a file alone. The headers of the read must be set.
func (a *API) writeRaw(w http.ResponseWriter, n *tree.Node) error {
	h := w.Header()
	h["Content-Type"] = rawType
	h["X-Content-Type-Options"] = rawNoSniff
	h["Content-Security-Policy"] = rawSecurity
	return a.writeResult(w, http.StatusOK, tree.EncodeValue(n))
}

// readRawBody reads the body of a PUT or a POST that is no form. With raw=true in the query the body becomes the value. Otherwise it has
// no meaning, and is dropped.
func (a *API) readRawBody(w http.ResponseWriter, r *http.Request, f *form) (reserved budget.Reservation, err error) {
	var p parser
	if r.URL.RawQuery == "" || p.form.scan(r.URL.RawQuery) != nil {
		return reserved, a.discardBody(w, r)
	}
	if raw := p.flag(fieldRaw); !raw || p.form.given.has(fieldValue) {
		if err = a.discardBody(w, r); err == nil && raw {
			err = tree.NewError(tree.CodeInvalidField, `"value" can not be used with "raw": the body is the value`)
		}
		return reserved, err
	}
	f.values[fieldValue], reserved, err = a.readBody(w, r, a.plainLimit())
	f.given |= 1 << fieldValue
	f.rawBody = true
	return reserved, err
}

// checkRaw checks a change with raw=true.
func (p *parser) checkRaw(c *tree.Command) {
	switch {
	case !p.form.rawBody:
		p.fail(tree.CodeInvalidForm, `"raw" makes the body the value, but the Content-Type of the body is that of a form; `+
			`send another one, such as application/octet-stream`)
	case c.Dir && p.form.values[fieldValue] != "":
		p.fail(tree.CodeInvalidField, `"raw" can not be used with "dir": a directory has no value`)
	}
}
