package service

import (
	"context"
	"errors"
	"slices"
	"testing"

	"pando/httpapi/audit"
	"pando/httpapi/auth"
	"pando/stats"
	"pando/tree"
	"pando/tree/users"
)

// setTxn returns a transaction that reads /dir/b and sets a key if /a exists.
func setTxn(key string) *tree.Txn {
	return &tree.Txn{
		Compares: []tree.Compare{{Kind: tree.CompareExists, Path: "/a"}},
		Then:     []tree.Command{{Op: tree.OpSet, Path: key, Value: "new"}},
		Else:     []tree.Command{{Op: tree.OpDelete, Path: "/dir/b"}},
	}
}

// TestTxnWhileUsersChange changes users between the authorization of a transaction and its application.
func TestTxnWhileUsersChange(t *testing.T) {
	both := users.Permissions{Read: []users.Range{users.ParsePattern("/a")}, Write: []users.Range{users.ParsePattern("/dir*")}}
	for name, test := range map[string]struct {
		change users.Change
		want   tree.Code
	}{
		"the rights stay":    {users.Change{Op: users.PutUser, Name: "reader", PasswordHash: "another"}, 0},
		"a right is revoked": {users.Change{Op: users.PutRole, Name: "w", RevokePermissions: both}, tree.CodeUnauthorized},
		"auth is disabled":   {users.Change{Op: users.Disable}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, log := newAuthService(t, nil)
			changeUsers(t, s, &users.Change{Op: users.PutRole, Name: "w", GrantPermissions: users.Permissions{Read: both.Read}})
			s.cfg.Log = &laggingLog{fakeLog: log, t: t, changes: []*users.Change{&test.change}}
			before := s.cfg.Tree.View().Lookup("/dir/b").ModifiedIndex()
			result, err := s.Txn(t.Context(), writer, setTxn("/dir/b"))
			if codeOf(err) != test.want || (result != nil) != (err == nil) {
				t.Errorf("got %+v, %v; want %d", result, err, test.want)
			}
			if written := s.cfg.Tree.View().Lookup("/dir/b").ModifiedIndex() != before; written != (test.want == 0) {
				t.Errorf("written: %v", written)
			}
		})
	}
}

// TestTxnTTLOfDirectory checks that the TTL of a directory needs the right to what is below, in a transaction, too.
func TestTxnTTLOfDirectory(t *testing.T) {
	s, _ := newAuthService(t, nil)
	if _, err := s.Propose(t.Context(), root, &tree.Command{Op: tree.OpSet, Path: "/one/file"}); err != nil {
		t.Fatal(err)
	}
	one := users.Permissions{Write: []users.Range{users.ParsePattern("/one"), users.ParsePattern("/one/file")}}
	changeUsers(t, s, &users.Change{Op: users.PutRole, Name: "w", GrantPermissions: one})
	for path, want := range map[string]tree.Code{"/one": tree.CodeUnauthorized, "/one/file": 0, "/dir": 0} {
		_, err := s.Txn(t.Context(), writer, &tree.Txn{Then: []tree.Command{{Op: tree.OpUpdate, Path: path, Expires: 1 << 60}}})
		if codeOf(err) != want || want != 0 && !errors.Is(err, errUnauthorized) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestTxnLevel checks that no transaction is proposed before all members can read it.
func TestTxnLevel(t *testing.T) {
	s, log := newTestService(t, nil)
	low := &lowLog{fakeLog: log, asked: make(chan struct{}, 1)}
	low.level.Store(tree.TxnLevel - 1)
	s.cfg.Log = low
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-low.asked
		cancel()
	}()
	if _, err := s.Txn(ctx, guest, setTxn("/b")); err != error(ErrTxnNotUpgraded) || log.proposals != 0 {
		t.Errorf("%v after %d proposals", err, log.proposals)
	}
}

// records keeps the records of the audit log.
type records []audit.Record

func (r *records) Record(one audit.Record) { *r = append(*r, one) }

// TestTxnAudit checks the records of a transaction.
func TestTxnAudit(t *testing.T) {
	var log records
	s, _ := newAuthService(t, func(c *Config) { c.Audit = &log })
	for name, test := range map[string]struct {
		who  auth.Credentials
		txn  *tree.Txn
		want []string // operation, key and outcome of each record
	}{
		"executed": {root, setTxn("/dir/b"), []string{"compare /a ok", "set /dir/b ok"}},
		"in order": {root, &tree.Txn{Then: []tree.Command{{Op: tree.OpGet, Path: "/a"}, {Op: tree.OpDelete, Path: "/other"}}},
			[]string{"get /a ok", "delete /other ok"}},
		"failed":   {root, &tree.Txn{Then: []tree.Command{{Op: tree.OpGet, Path: "/none"}}}, []string{"txn  failed"}},
		"no right": {writer, setTxn("/other"), []string{"txn /a denied"}},
	} {
		t.Run(name, func(t *testing.T) {
			log = nil
			_, _ = s.Txn(t.Context(), test.who, test.txn) // the records have the error
			var got []string
			for _, r := range log {
				got = append(got, r.Operation+" "+r.Key+" "+string(r.Outcome))
				reads := r.Operation == opCompare || r.Operation == stats.OpGet.String()
				if r.Read != reads || (r.Index == 0) != (r.Outcome != audit.OK) {
					t.Errorf("%+v", r)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
