package v2

import (
	"reflect"
	"slices"
	"testing"

	"pando/tree/users"
)

// checkChange checks that a decoded change is for the name, holds no password, and survives its encoding for the log.
func checkChange(t *testing.T, c *users.Change, name string) {
	t.Helper()
	if c.Name != name || c.PasswordHash != "" {
		t.Errorf("the change is %+v, want one for %q without a hash", c, name)
	}
	if name == "" {
		return // no request has an empty name, and the log refuses it
	}
	decoded, err := users.DecodeChange(users.AppendChange(nil, c))
	if err != nil || !reflect.DeepEqual(decoded, c) {
		t.Errorf("after its encoding the change is %+v, want %+v (error: %v)", decoded, c, err)
	}
}

func FuzzDecodeUser(f *testing.F) {
	for _, body := range []string{
		`{"user":"alice","password":"pw"}`, `{"user":"alice","password":"pw","roles":["a","b"]}`, `{"user":"alice","roles":[]}`,
		`{"user":"alice","grant":["a"],"revoke":["b"]}`, `{"user":"alice","roles":["a"],"grant":["a"]}`, `{"user":"bob"}`,
		`null`, `[]`, `{`, `{"user":7}`, `{"USER":"alice"} more`, "", "\xff", `{"user":"alice","roles":null,"grant":null}`,
	} {
		f.Add("alice", body)
	}
	f.Fuzz(func(t *testing.T, name, body string) {
		c, _, err := decodeUser(name, body)
		if err != nil {
			return
		}
		if len(c.Roles) > 0 && (len(c.Grant) > 0 || len(c.Revoke) > 0) {
			t.Errorf("%+v has roles and changes of roles", c)
		}
		checkChange(t, &c, name)
	})
}

func FuzzDecodeRole(f *testing.F) {
	for _, body := range []string{
		`{"role":"r"}`, `{"role":"r","permissions":{"kv":{"read":["/a","/b*"],"write":[]}}}`, `{"role":"r","grant":{"kv":{"read":["/a"]}}}`,
		`{"role":"r","permissions":{"kv":{"read":["*","","/","/\u0000","/\ufffd*","**"]}}}`, `{"role":"r","grant":{},"revoke":{"kv":null}}`,
		`{"role":"r","permissions":{"kv":{"read":["/a"]}},"grant":{"kv":{"read":["/a"]}}}`, `{"role":"s"}`, `{"role":"r","grant":7}`, `null`,
	} {
		f.Add("r", body)
	}
	f.Fuzz(func(t *testing.T, name, body string) {
		c, err := decodeRole(name, body)
		if err != nil {
			return
		}
		checkChange(t, &c, name)
		var r roleBody
		if err := decodeFirst(body, &r); err != nil {
			t.Fatal(err)
		}
		if got := patterns(c.Permissions.Read); !slices.Equal(got, r.Permissions.KV.Read) || (got == nil) != (r.Permissions.KV.Read == nil) {
			t.Errorf("the patterns are %q, want %q", got, r.Permissions.KV.Read)
		}
	})
}

func TestLongNames(t *testing.T) {
	name := string(make([]byte, maxAuthName+1))
	if _, _, err := decodeUser(name, `{"user":"`+quoted(name)+`"}`); err != errAuthNameLong {
		t.Errorf("user: %v", err)
	}
	if _, err := decodeRole(name, `{"role":"`+quoted(name)+`"}`); err != errAuthNameLong {
		t.Errorf("role: %v", err)
	}
}

// quoted returns a JSON string of as many NULs, without the quotation marks.
func quoted(name string) string {
	var b []byte
	for range name {
		b = append(b, `\u0000`...)
	}
	return string(b)
}
