package httpapi

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"pando/tree"
)

// FuzzForm compares the scanner with the standard library's parser: the same
// values for the names that the API knows, an error for the same texts.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"", "value=1", "value=a+b%20c&value=2", "%76alue=x", "value=%zz", "a;b", "&&ttl=&ttl=5", "dir", "=", "value==5", "prevExist=true&prevIndex=%31",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "&") > 1000 {
			return // the standard library has a limit of its own
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

// FuzzRequest lets any text be a query and any path a key: the parser must
// give a command that survives the log, or an error of the API.
func FuzzRequest(f *testing.F) {
	for _, seed := range []struct{ method, path, query string }{
		{"PUT", "/v2/keys/a/b", "value=1&ttl=5&prevExist=false"},
		{"DELETE", "/v2/keys/a", "recursive=true&prevIndex=7"},
		{"PUT", "/v2/keys/_x", "refresh=true&ttl=18446744073709551615"},
		{"GET", "/v2/keys/a", "wait=true&stream=true&waitIndex=3"},
	} {
		f.Add(seed.method, seed.path, seed.query)
	}
	fx := newFixture(f, nil)
	fx.Now = func() time.Time { return time.Unix(1e9, 0) }
	f.Fuzz(func(t *testing.T, method, path, query string) {
		var fields form
		if fields.scan(query) != nil {
			return
		}
		r := newRequest(method, clean("/"+path), query)
		q, e := fx.understand(r, &fields)
		if e != nil {
			if e.Code.Message() == "Unknown error" || e.Index != 0 {
				t.Fatalf("%s %s %s: %v", method, path, query, e)
			}
			return
		}
		back, rest, err := tree.DecodeCommand(tree.AppendCommand(nil, &q.command))
		if err != nil || len(rest) > 0 || back != q.command {
			t.Fatalf("%+v came back as %+v: %v", q.command, back, err)
		}
	})
}
