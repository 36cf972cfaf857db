package etcdv3

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"pando/storage/wire"
	"pando/tree"
	"pando/tree/users"
)

// message returns a message with the fields 1, 2, ... that are not nil: int, string or []byte, which is a message.
func message(fields ...any) (m []byte) {
	for i, f := range fields {
		num := protowire.Number(i + 1)
		switch f := f.(type) {
		case int:
			m = wire.AppendInt(m, num, int64(f))
		case string:
			m = wire.AppendText(m, num, f)
		case []byte:
			m = wire.AppendMessage(m, num, f)
		}
	}
	return m
}

// internal returns an InternalRaftRequest by a user.
func internal(user string, authRevision int, num protowire.Number, request []byte) []byte {
	m := wire.AppendInt(nil, 1, 77)
	m = wire.AppendMessage(m, num, request)
	return wire.AppendMessage(m, fieldHeader, message(77, user, authRevision))
}

// newApplied returns an Applier for a tree with the v2 key /v2/key, and the keys a and b of v3, of which b has the lease 5.
func newApplied(t *testing.T) *Applier {
	t.Helper()
	l := tree.NewLoader(10)
	if err := l.ImportState(5, tree.Counters{}, new(users.State)); err != nil {
		t.Fatal(err)
	}
	l.ImportRevisions(tree.ImportBase(0))
	for _, f := range []tree.NodeFields{{Path: "/v2", Dir: true, Created: 5, Modified: 5}, {Path: "/v2/key", Created: 5, Modified: 5}} {
		if err := l.ImportNode(f); err != nil {
			t.Fatal(err)
		}
	}
	s, err := l.Finish()
	if err != nil {
		t.Fatal(err)
	}
	k, err := s.ImportKeys(0)
	if err == nil {
		err = k.Lease(tree.Lease{ID: 5, TTL: 60})
	}
	for i, key := range []string{"a", "b"} {
		at := uint64(i + 2)
		if err == nil {
			err = k.Add(&tree.KeyFields{Key: key, CreateRevision: at, ModRevision: at, Version: 1, Lease: int64(i * 5)})
		}
	}
	if err == nil {
		_, err = k.Finish()
	}
	if err != nil {
		t.Fatal(err)
	}
	return NewApplier(s, &File{Meta: Meta{AuthRevision: 1}}, k)
}

func (a *Applier) must(t *testing.T, requests ...[]byte) {
	t.Helper()
	for _, r := range requests {
		if err := a.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestApplier(t *testing.T) {
	put := func(user string, revision int, key string) []byte {
		return internal(user, revision, fieldPut, message(key, "value of "+key))
	}
	has := func(t *testing.T, a *Applier, key string, want bool) {
		t.Helper()
		if n := a.store.View().Key(key); (n != nil) != want {
			t.Errorf("%s exists: %v", key, n != nil)
		}
	}
	t.Run("keys and leases", func(t *testing.T) {
		a := newApplied(t)
		compare := message(0, 1, "a", nil, 2) // the create revision of a is 2
		ops := [][]byte{
			wire.AppendMessage(nil, 2, message("txn", "x")), wire.AppendMessage(nil, 3, message("a")),
			// A nested transaction without compares has succeeded.
			wire.AppendMessage(nil, 4, wire.AppendMessage(nil, 3, wire.AppendMessage(nil, 2, message("nested", "x")))),
		}
		txn := wire.AppendMessage(nil, 1, compare)
		for _, o := range ops {
			txn = wire.AppendMessage(txn, 2, o)
		}
		a.must(t, internal("", 0, fieldTxn, txn), internal("", 0, fieldLeaseGrant, message(1, 6)),
			internal("", 0, fieldPut, message("leased", "x", 6)), internal("", 0, fieldPut, message("refused", "x", 99)),
			internal("", 0, fieldLeaseRevoke, message(5)), internal("", 0, fieldDeleteRange, message("x", "z")),
			internal("", 0, fieldCompaction, message(4)), internal("", 0, 11, message("checkpoint")))
		for key, want := range map[string]bool{"txn": true, "a": false, "nested": false, "leased": true, "refused": false, "b": false} {
			has(t, a, key, want)
		}
		v := a.store.View()
		if l, ok := v.Lease(6); v.Revision() != 6 || v.CompactRevision() != 4 || !ok || l.TTL != minTTL {
			t.Errorf("revision %d, compacted at %d, lease %+v", v.Revision(), v.CompactRevision(), l)
		}
	})
	t.Run("rights", func(t *testing.T) {
		a := newApplied(t)
		perm := message(2, "k", "l") // read and write
		a.must(t, internal("", 0, fieldRoleAdd, message("r")), internal("", 0, fieldRolePermission, message("r", perm)),
			internal("", 0, fieldUserAdd, message("root", nil, nil, "$2a$")), internal("", 0, fieldRoleAdd, message("root")),
			internal("", 0, fieldUserGrantRole, message("root", "root")), internal("", 0, fieldUserAdd, message("u", nil, nil, "$2a$")),
			internal("", 0, fieldUserGrantRole, message("u", "r")), internal("", 0, fieldAuthEnable, nil))
		a.must(t, put("u", 8, "k1"), put("u", 7, "k2"), put("u", 8, "m"), put("", 0, "k3"), put("root", 8, "m1"),
			internal("u", 8, fieldLeaseRevoke, message(5)), internal("u", 8, fieldUserDelete, message("root")))
		for key, want := range map[string]bool{"k1": true, "k2": false, "m": false, "k3": false, "m1": true, "b": true} {
			has(t, a, key, want)
		}
		if u := a.store.View().Users(); !u.Enabled() || u.User(users.Root) == nil {
			t.Error("u has deleted root")
		}
	})
	t.Run("alarms", func(t *testing.T) {
		a := newApplied(t)
		alarm := func(action int) []byte { return internal("", 0, fieldAlarm, message(action, 9, int(AlarmNoSpace))) }
		a.must(t, alarm(raiseAlarm), put("", 0, "full"), internal("", 0, fieldDeleteRange, message("a")), alarm(clearAlarm), put("", 0, "space"))
		for key, want := range map[string]bool{"full": false, "a": false, "space": true} {
			has(t, a, key, want)
		}
	})
	t.Run("beside v2", func(t *testing.T) {
		a := newApplied(t)
		if err := a.Apply(internal("", 0, fieldDeleteRange, message("/", "0"))); !errors.Is(err, errInexact) {
			t.Errorf("got %v", err)
		}
		a.must(t, put("", 0, "/v2/key/below"), put("", 0, "/v2/other"))
		var clash *ClashError
		if err := a.Clash(); !errors.As(err, &clash) || clash.Keys[0] != "/v2/key/below" {
			t.Errorf("got %v", err)
		}
		has(t, a, "/v2/key", true)
	})
}

// TestApplierRefuses applies requests whose result is not known.
func TestApplierRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		request []byte
		want    error
	}{
		"no message":       {[]byte{0xff}, wire.ErrMalformed},
		"a damaged put":    {internal("", 0, fieldPut, []byte{0xff}), wire.ErrMalformed},
		"a later request":  {internal("", 0, 1400, nil), errInexact},
		"a plain password": {internal("", 0, fieldUserAdd, message("u", "secret")), errInexact},
	} {
		if err := newApplied(t).Apply(test.request); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	long := internal("", 0, fieldPut, message(strings.Repeat("k", tree.MaxKeyBytes+1)))
	if err := newApplied(t).Apply(long); err == nil {
		t.Error("a long key was accepted")
	}
}

// FuzzApplier applies any bytes. It must not panic.
func FuzzApplier(f *testing.F) {
	f.Add(internal("u", 1, fieldTxn, wire.AppendMessage(nil, 1, message(0, 1, "a"))))
	f.Add(internal("", 0, fieldRolePermission, message("r", message(2, "k", "l"))))
	f.Fuzz(func(t *testing.T, request []byte) {
		_ = newApplied(t).Apply(request) // any error will do
	})
}
