package v2

import (
	"net/url"
	pathpkg "path"
	"strings"
	"testing"
	"time"

	"pando/tree"
)

// FuzzForm compares scan with the parser of the standard library: it must return the same values for the known parameters, and the
// same errors.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"", "value=1", "value=a+b%20c&value=2", "%76alue=x", "value=%zz", "a;b", "&&ttl=&ttl=5", "dir", "=", "value==5",
		"prevExist=true&prevIndex=%31",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "&") > 1000 {
			return // the standard library has a limit
		}
		var got form
		err := got.scan(text)
		want, wantErr := url.ParseQuery(text)
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("%q: error %v, want %v", text, err, wantErr)
		}
		for i, name := range fieldNames {
			values, given := want[name]
			if got.given[i] != given || given && got.values[i] != values[0] {
				t.Errorf("%q: %s is %q (%v), want %q", text, name, got.values[i], got.given[i], values)
			}
		}
	})
}

// FuzzDecode uses any text as a query and any path as a key. decode must return a command that the log can encode, or an error of
// the API.
func FuzzDecode(f *testing.F) {
	for _, seed := range []struct{ method, path, query string }{
		{"PUT", "/v2/keys/a/b", "value=1&ttl=5&prevExist=false"},
		{"DELETE", "/v2/keys/a", "recursive=true&prevIndex=7"},
		{"PUT", "/v2/keys/_x", "refresh=true&ttl=18446744073709551615"},
		{"GET", "/v2/keys/a", "wait=true&stream=true&waitIndex=3"},
	} {
		f.Add(seed.method, seed.path, seed.query)
	}
	f.Fuzz(func(t *testing.T, method, path, query string) {
		var fields form
		if fields.scan(query) != nil {
			return
		}
		q, err := decode(method, pathpkg.Clean("/"+path), &fields, time.Unix(1e9, 0))
		if err != nil {
			if e, ok := err.(*tree.Error); !ok || e.Code.Message() == "Unknown error" || e.Index != 0 {
				t.Fatalf("%s %s %s: %v", method, path, query, err)
			}
			return
		}
		back, rest, err := tree.DecodeCommand(tree.AppendCommand(nil, &q.command))
		if err != nil || len(rest) > 0 || back != q.command {
			t.Fatalf("%+v came back as %+v: %v", q.command, back, err)
		}
	})
}
