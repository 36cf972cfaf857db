package users

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"
)

// FuzzDecodeChange decodes arbitrary bytes. The result must be ErrBadChange, or a change with
// exactly these bytes that can be applied and stored.
func FuzzDecodeChange(f *testing.F) {
	for _, c := range []*Change{
		{Op: PutUser, Name: "u", PasswordHash: "h", Roles: []string{"a", ""}, Grant: []string{}},
		{Op: PutUser, Name: "u", Revoke: []string{"a"}},
		{Op: DeleteUser, Name: "u"},
		{Op: PutRole, Name: "r", Permissions: Permissions{Read: ranges("/a*", "/b", "*", ""), Write: []Range{{"/a", "/b"}}}},
		{Op: PutRole, Name: "r", GrantPermissions: Permissions{Read: ranges("/a*")}, RevokePermissions: Permissions{Write: ranges()}},
		{Op: DeleteRole, Name: "r"}, {Op: Enable}, {Op: Disable},
		{Op: UserAdd, Name: "u", PasswordHash: "h"}, {Op: UserAdd}, {Op: UserDelete, Name: "u"}, {Op: UserChangePassword, Name: "u"},
		{Op: UserGrantRole, Name: "u", Role: "r"}, {Op: UserRevokeRole, Name: "u", Role: "root"}, {Op: RoleAdd, Name: "root"},
		{Op: RoleDelete, Name: "r"}, {Op: RoleGrantPermission, Name: "r", Range: Range{"a", "c"}, CanWrite: true},
		{Op: RoleGrantPermission, Name: "r", Range: RangeV3("a", ""), CanRead: true}, {Op: RoleRevokePermission, Name: "r"},
		{Op: AuthEnable}, {Op: AuthDisable}, {Op: SetTokenKey, TokenKey: "key"},
	} {
		f.Add(AppendChange(nil, c))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		src := bytes.Clone(data)
		c, err := DecodeChange(src)
		if err != nil {
			if !errors.Is(err, ErrBadChange) {
				t.Fatalf("not ErrBadChange: %v", err)
			}
			return
		}
		clear(src) // the change must not share its memory
		once := AppendChange(nil, c)
		if !bytes.Equal(once, data) {
			t.Fatalf("%x is encoded as %x", data, once)
		}
		if again, err := DecodeChange(once); err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%+v came back as %+v, %v", c, again, err)
		}
		applyToSamples(t, c)
	})
}

// applyToSamples applies a change to several States, stores the results and loads them.
func applyToSamples(t *testing.T, c *Change) {
	for _, s := range []*State{
		new(State),
		apply(t, new(State), user(Root), user("u", "a"), role("r", "/a*")),
		apply(t, new(State), user(Root), &Change{Op: Enable}),
	} {
		for range 2 {
			s, _, _ = s.Apply(c)
		}
		if s.IsZero() {
			continue
		}
		loaded, err := store(s).load()
		if err != nil || dump(loaded) != dump(s) {
			t.Fatalf("after %+v: %v\nstored %s\nloaded %s", c, err, dump(s), dump(loaded))
		}
	}
}

// FuzzLoader loads arbitrary records: a head, and pairs of key and record, each with its length
// in front. The result must be ErrBadState, or a State that is stored as the same bytes.
func FuzzLoader(f *testing.F) {
	for _, s := range []*State{
		apply(f, new(State), user("u")),
		apply(f, new(State), user(Root, "a", "b"), role("r", "/a*", "/b"), &Change{Op: Enable}),
		apply(f, new(State), &Change{Op: UserAdd, Name: "u"}, &Change{Op: RoleAdd, Name: Root}, &Change{Op: SetTokenKey, TokenKey: "key"}),
	} {
		f.Add(store(s).encode())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		st, ok := decodeStored(data)
		if !ok {
			return
		}
		s, err := st.load()
		if err != nil {
			if !errors.Is(err, ErrBadState) {
				t.Fatalf("not ErrBadState: %v", err)
			}
			return
		}
		for _, r := range [][]byte{st.head, bytes.Join(st.keys, nil), bytes.Join(st.records, nil)} {
			clear(r) // the State must not share its memory
		}
		again, err := store(s).load()
		if err != nil || dump(again) != dump(s) {
			t.Fatalf("%v\nstored %s\nloaded %s", err, dump(s), dump(again))
		}
		s.Allows([]string{"r", "a", "b"}, Read, "/a/b", Subtree)
		if s.Revision() < 1<<62 {
			_, _, _ = s.Apply(user("new"))
		}
	})
}

func (st stored) encode() []byte {
	field := func(b, s []byte) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	b := field(nil, st.head)
	for i := range st.keys {
		b = field(field(b, st.keys[i]), st.records[i])
	}
	return b
}

func decodeStored(data []byte) (st stored, ok bool) {
	d := decoder{src: data}
	st.head = []byte(d.text())
	for len(d.src) > 0 {
		st.keys = append(st.keys, []byte(d.text()))
		st.records = append(st.records, []byte(d.text()))
	}
	return st, !d.bad
}
