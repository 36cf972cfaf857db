package tree

import (
	"fmt"
	"math"
	"testing"

	"pando/tree/users"
)

// newRightsStore returns a store with auth, the leases 1 to 4 and the last one, and the user ann, who may write the keys below /a/ and the
// key /c.
func newRightsStore(t *testing.T) *Store {
	s := New(100)
	s.StartRevisions()
	for id := int64(1); id <= 4; id++ {
		s.Apply(1, []Command{{Op: OpLeaseGrant, Lease: id, TTL: 60}})
	}
	s.Apply(1, []Command{{Op: OpLeaseGrant, Lease: math.MaxInt64, TTL: 60}})
	put := func(lease int64, keys ...string) {
		for _, key := range keys {
			must(t, s, Command{Op: OpPut, Path: key, Lease: lease})
		}
	}
	put(1, "/a/1", "/a/2")
	put(2, "/a/3", "/b")
	put(3, "/a/4", "/c")
	for i := range leasePortion + 5 {
		put(3, fmt.Sprint("/a/many/", i))
	}
	put(math.MaxInt64, "/a/5", "/b5")
	for _, c := range []users.Change{
		{Op: users.UserAdd, Name: "root", PasswordHash: "x"}, {Op: users.RoleAdd, Name: "root"},
		{Op: users.UserGrantRole, Name: "root", Role: "root"},
		{Op: users.UserAdd, Name: "ann", PasswordHash: "x"}, {Op: users.RoleAdd, Name: "r"}, {Op: users.UserGrantRole, Name: "ann", Role: "r"},
		{Op: users.RoleGrantPermission, Name: "r", Range: users.Range{From: "/a/", To: "/a0"}, CanWrite: true},
		{Op: users.RoleGrantPermission, Name: "r", Range: SingleKey("/c"), CanWrite: true},
		{Op: users.AuthEnable},
	} {
		must(t, s, usersCommand(c))
	}
	return s
}

// TestLeaseRights applies commands for leases, some of whose keys the user may not write.
func TestLeaseRights(t *testing.T) {
	s := newRightsStore(t)
	lease := func(id int64) []Command {
		put := KVOp{Kind: KVPut, Key: "/a/new", Lease: id}
		nested := KVOp{Kind: KVNested, Txn: &KVTxn{Else: []KVOp{put}}}
		return []Command{
			{Op: OpPut, Path: "/a/new", Lease: id},
			{Op: OpKV, KV: &KVTxn{Then: []KVOp{put}}},
			{Op: OpKV, KV: &KVTxn{Then: []KVOp{nested}}},
			{Op: OpLeaseRevoke, Leases: []int64{id}},
		}
	}
	for _, tc := range []struct {
		id      int64
		user    string
		allowed bool
	}{
		{2, "ann", false}, {math.MaxInt64, "ann", false}, {1, "nobody", false}, {4, "ann", true}, {1, "ann", true}, {3, "ann", true},
		{2, "root", true}, {math.MaxInt64, "root", true},
	} {
		for _, c := range lease(tc.id) {
			t.Run(fmt.Sprintf("%s, %d, op %d", tc.user, tc.id, c.Op), func(t *testing.T) {
				if !c.NeedsUser() {
					t.Fatal("no user is needed")
				}
				c.AuthRevision, c.User = s.View().Users().Revision(), tc.user
				r := s.Apply(2, []Command{decoded(t, c)})[0]
				if denied := r.Err != nil && r.Err.Code == CodePermissionDenied; denied == tc.allowed || r.Err != nil && !denied {
					t.Errorf("got %v", r.Err)
				}
			})
		}
	}
	for _, c := range []Command{{Op: OpPut}, {Op: OpLeaseRevoke, ByLeader: true}, {Op: OpKV, KV: &KVTxn{Then: []KVOp{{Kind: KVPut}}}}} {
		if c.NeedsUser() {
			t.Errorf("%+v needs a user", c)
		}
	}
}

// TestLeaseRightsOfBatch attaches a key of another user to a lease in the batch in which the user writes to the lease.
func TestLeaseRightsOfBatch(t *testing.T) {
	s := newRightsStore(t)
	revision := s.View().Users().Revision()
	results := s.Apply(2, []Command{
		{Op: OpPut, Path: "/a/x", Lease: 4, AuthRevision: revision, User: "ann"},
		{Op: OpPut, Path: "/b/x", Lease: 4, AuthRevision: revision, User: "root"},
		{Op: OpPut, Path: "/a/y", Lease: 4, AuthRevision: revision, User: "ann"},
	})
	if results[0].Err != nil || results[1].Err != nil || results[2].Err == nil || results[2].Err.Code != CodePermissionDenied {
		t.Errorf("got %v, %v, %v", results[0].Err, results[1].Err, results[2].Err)
	}
}
