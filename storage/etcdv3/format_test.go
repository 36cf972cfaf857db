package etcdv3

import (
	"errors"
	"reflect"
	"testing"

	"pando/storage/wire"
)

// The texts of these tests are from files of etcd 3.4.23 and 3.7.3, in which they are equal.

func TestRevision(t *testing.T) {
	for _, c := range []struct {
		r         Revision
		tombstone bool
		text      string
	}{
		{Revision{3, 0}, false, "\x00\x00\x00\x00\x00\x00\x00\x03_\x00\x00\x00\x00\x00\x00\x00\x00"},
		{Revision{8, 2}, true, "\x00\x00\x00\x00\x00\x00\x00\x08_\x00\x00\x00\x00\x00\x00\x00\x02t"},
	} {
		encode := AppendRevision
		if c.tombstone {
			encode = AppendTombstone
		}
		if got := encode(nil, c.r); string(got) != c.text {
			t.Errorf("%+v: %q, want %q", c.r, got, c.text)
		}
		r, tombstone, err := ParseRevision([]byte(c.text))
		if r != c.r || tombstone != c.tombstone || err != nil {
			t.Errorf("%q: %+v %v %v", c.text, r, tombstone, err)
		}
	}
	for _, bad := range []string{
		"", "short", "\x00\x00\x00\x00\x00\x00\x00\x08+\x00\x00\x00\x00\x00\x00\x00\x02",
		"\x80\x00\x00\x00\x00\x00\x00\x08_\x00\x00\x00\x00\x00\x00\x00\x02",
		"\x00\x00\x00\x00\x00\x00\x00\x08_\x00\x00\x00\x00\x00\x00\x00\x02x",
	} {
		if _, _, err := ParseRevision([]byte(bad)); !errors.Is(err, ErrRevision) {
			t.Errorf("%q: %v, want %v", bad, err, ErrRevision)
		}
	}
}

func TestMessages(t *testing.T) {
	check(t, "\n\x01a\x10\x02\x18\x03 \x02*\x012", KeyValue{Key: "a", CreateRevision: 2, ModRevision: 3, Version: 2, Value: "2"},
		AppendKeyValue, ParseKeyValue)
	check(t, "\n\x01a", KeyValue{Key: "a"}, AppendKeyValue, ParseKeyValue)
	check(t, "\n\x01l\x10\a\x18\a \x01*\x01x0\x88\x9c\x88\xd3\xde\xc5\xe8\x8eA",
		KeyValue{Key: "l", CreateRevision: 7, ModRevision: 7, Version: 1, Value: "x", Lease: 0x411da22dea620e08}, AppendKeyValue, ParseKeyValue)
	check(t, "\b\x88\x9c\x88\xd3\xde\xc5\xe8\x8eA\x10\xac\x02", Lease{ID: 0x411da22dea620e08, TTL: 300}, AppendLease, ParseLease)
	check(t, "\n\x04nopw\"\x02\b\x01", User{Name: "nopw", NoPassword: true}, AppendUser, ParseUser)
	check(t, "\n\x03joe\x12\x04$2a$\x1a\x02r1\"\x00", User{Name: "joe", PasswordHash: "$2a$", Roles: []string{"r1"}},
		AppendUser, ParseUser)
	check(t, "\n\x02r1\x12\t\b\x02\x12\x01k\x1a\x02kz\x12\b\x12\x02p/\x1a\x02p0\x12\x06\x12\x01q\x1a\x01\x00\x12\n\b\x01\x12\x06single",
		Role{"r1", []Permission{
			{ReadWriteAccess, "k", "kz"}, {ReadAccess, "p/", "p0"}, {ReadAccess, "q", "\x00"}, {WriteAccess, "single", ""}}},
		AppendRole, ParseRole)
}

// check compares a message with its encoded form, in both directions.
func check[T any](t *testing.T, text string, value T, encode func([]byte, *T) []byte, decode func([]byte) (T, error)) {
	t.Helper()
	if got := encode(nil, &value); string(got) != text {
		t.Errorf("%+v: %q, want %q", value, got, text)
	}
	if got, err := decode([]byte(text)); err != nil || !reflect.DeepEqual(got, value) {
		t.Errorf("%q: %+v, %v, want %+v", text, got, err, value)
	}
	if _, err := decode([]byte("\x0a\xff")); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("a torn message: %v, want %v", err, wire.ErrMalformed)
	}
}

func TestMember(t *testing.T) {
	text := `{"id":13813528830322000157,"peerURLs":["http://127.0.0.1:24012"],"name":"one","clientURLs":["http://127.0.0.1:24011"]}`
	m := Member{
		ID: 13813528830322000157, Name: "one",
		PeerURLs: []string{"http://127.0.0.1:24012"}, ClientURLs: []string{"http://127.0.0.1:24011"},
	}
	if got, err := AppendMember(nil, &m); string(got) != text || err != nil {
		t.Errorf("%s, %v, want %s", got, err, text)
	}
	if got, err := ParseMember([]byte(text)); !reflect.DeepEqual(got, m) || err != nil {
		t.Errorf("%+v, %v, want %+v", got, err, m)
	}
	if key := MemberKey(m.ID); key != "bfb38348b1f5c11d" {
		t.Errorf("key %s", key)
	}
	if id, err := ParseMemberKey([]byte("bfb38348b1f5c11d")); id != m.ID || err != nil {
		t.Errorf("ID %d, %v", id, err)
	}
	if _, err := ParseMemberKey([]byte("no number")); err == nil {
		t.Error("no error for a malformed ID")
	}
}
