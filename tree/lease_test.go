package tree

import "testing"

// TestRevokeGranted ends leases by the times at which they were granted. A lease that was granted again stays, with its keys.
func TestRevokeGranted(t *testing.T) {
	s := New(100)
	s.StartRevisions()
	apply := func(now int64, commands ...Command) {
		t.Helper()
		for i, r := range s.Apply(now, commands) {
			if r.Err != nil {
				t.Fatalf("command %d: %v", i, r.Err)
			}
		}
		s.Announce()
	}
	grant := func(id int64) Command { return Command{Op: OpLeaseGrant, Lease: id, TTL: 10} }
	apply(5, grant(1), grant(2), grant(3))
	apply(6, Command{Op: OpLeaseRevoke, Leases: []int64{1}}, grant(1))
	apply(7, Command{Op: OpPut, Path: "a", Value: "v", Lease: 1}, Command{Op: OpPut, Path: "b", Value: "v", Lease: 2})
	apply(8, Command{Op: OpLeaseRevoke, ByLeader: true, Leases: []int64{1, 2, 9}, Granted: []int64{5, 5, 5}})
	v := s.View()
	if l, ok := v.Lease(1); !ok || l.Granted != 6 || v.Key("a") == nil {
		t.Errorf("the lease that was granted again: %+v, %t, key %v", l, ok, v.Key("a"))
	}
	if _, ok := v.Lease(2); ok || v.Key("b") != nil {
		t.Error("the lease whose time has ended, or its key, is there")
	}
	if l, ok := v.Lease(3); !ok || l.Granted != 5 {
		t.Errorf("another lease: %+v, %t", l, ok)
	}
}
