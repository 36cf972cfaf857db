package v2

import (
	"net/url"
	pathpkg "path"
	"reflect"
	"strings"
	"testing"
	"time"

	"pando/tree"
)

// TestDecode checks the command of changes, and which of several errors is returned.
func TestDecode(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, test := range []struct {
		name, method, query string
		want                tree.Command
		code                tree.Code // of the error; 0 for none
	}{
		{"set", "PUT", "value=v", tree.Command{Op: tree.OpSet, Value: "v"}, 0},
		{"the first value counts", "PUT", "value=v&value=w", tree.Command{Op: tree.OpSet, Value: "v"}, 0},
		{"a TTL counts from now", "PUT", "ttl=5", tree.Command{Op: tree.OpSet, Expires: now.Add(5 * time.Second).UnixNano()}, 0},
		{"create", "PUT", "prevExist=false", tree.Command{Op: tree.OpCreate}, 0},
		{"prevExist=false comes before a compare", "PUT", "prevExist=false&prevIndex=3", tree.Command{Op: tree.OpCreate, PrevIndex: 3}, 0},
		{"update", "PUT", "prevExist=true", tree.Command{Op: tree.OpUpdate}, 0},
		{"compare and swap", "PUT", "prevExist=true&prevValue=x", tree.Command{Op: tree.OpCompareAndSwap, PrevValue: "x"}, 0},
		{"an index of 0 is no condition", "PUT", "prevIndex=0", tree.Command{Op: tree.OpSet}, 0},
		{"in order", "POST", "prevValue=x", tree.Command{Op: tree.OpCreateInOrder, PrevValue: "x"}, 0},
		{"delete", "DELETE", "recursive=true", tree.Command{Op: tree.OpDelete, Recursive: true}, 0},
		{"compare and delete", "DELETE", "prevIndex=3", tree.Command{Op: tree.OpCompareAndDelete, PrevIndex: 3}, 0},
		{"an index comes before a flag", "PUT", "dir=x&prevIndex=x", tree.Command{}, tree.CodeIndexNaN},
		{"a flag comes before a TTL", "PUT", "ttl=x&dir=x", tree.Command{}, tree.CodeInvalidField},
		{"wait in a change", "PUT", "wait=true", tree.Command{}, tree.CodeInvalidField},
		{"an empty prevValue", "PUT", "prevValue=", tree.Command{}, tree.CodePrevValue},
		{"a TTL beyond the year 2262", "PUT", "ttl=9300000000", tree.Command{}, tree.CodeTTLNaN},
		{"a refresh with a value", "PUT", "refresh=true&value=v", tree.Command{}, tree.CodeRefreshValue},
		{"a refresh without a TTL", "PUT", "refresh=true", tree.Command{}, tree.CodeRefreshTTL},
	} {
		t.Run(test.name, func(t *testing.T) {
			var p parser
			if err := p.form.scan(test.query); err != nil {
				t.Fatal(err)
			}
			q, err := p.decode(test.method, KeysPath+"/a", nil, now)
			if test.code != 0 {
				if e, ok := err.(*tree.Error); !ok || e.Code != test.code {
					t.Errorf("got %v, want code %d", err, test.code)
				}
				return
			}
			test.want.Path = "/a"
			if err != nil || !reflect.DeepEqual(q.command, test.want) {
				t.Errorf("got %+v, %v\nwant %+v", q.command, err, test.want)
			}
		})
	}
}

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
			if got.given.has(field(i)) != given || given && got.values[i] != values[0] {
				t.Errorf("%q: %s is %q (%v), want %q", text, name, got.values[i], got.given.has(field(i)), values)
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
		var p parser
		if p.form.scan(query) != nil {
			return
		}
		q, err := p.decode(method, pathpkg.Clean("/"+path), nil, time.Unix(1e9, 0))
		if err != nil {
			if e, ok := err.(*tree.Error); !ok || e.Code.Message() == "Unknown error" || e.Index != 0 {
				t.Fatalf("%s %s %s: %v", method, path, query, err)
			}
			return
		}
		back, rest, err := tree.DecodeCommand(tree.AppendCommand(nil, &q.command))
		if err != nil || len(rest) > 0 || !reflect.DeepEqual(back, q.command) {
			t.Fatalf("%+v came back as %+v: %v", q.command, back, err)
		}
	})
}
