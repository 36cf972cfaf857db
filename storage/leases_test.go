package storage

import (
	"fmt"
	"strings"
	"testing"

	"pando/tree"
)

// newMemberWithLeases makes a member with leases and attached keys in its checkpoint.
func newMemberWithLeases(t testing.TB) *member {
	m := newMember(t)
	m.level = tree.KVLevel
	m.store.StartRevisions()
	m.write(
		tree.Command{Op: tree.OpLeaseGrant, Lease: 7, TTL: 60}, tree.Command{Op: tree.OpLeaseGrant, Lease: -1, TTL: 1},
		tree.Command{Op: tree.OpLeaseGrant, Lease: 1 << 62, TTL: tree.MaxLeaseTTL},
		tree.Command{Op: tree.OpPut, Path: "/a/b", Value: "1", Lease: 7}, tree.Command{Op: tree.OpPut, Path: "/a", Lease: 7},
		tree.Command{Op: tree.OpPut, Path: "plain/", Value: strings.Repeat("v", 300), Lease: -1},
	)
	m.checkpoint()
	return m
}

// TestLeases stores leases, and reads them in each way.
func TestLeases(t *testing.T) { checkStored(t, newMemberWithLeases(t)) }

// TestLeasesWritten checks that a checkpoint writes only the leases that have changed.
func TestLeasesWritten(t *testing.T) {
	m := newMemberWithLeases(t)
	for _, step := range []struct {
		name    string
		command tree.Command
		want    int
	}{
		{"a key", tree.Command{Op: tree.OpPut, Path: "/a/c", Lease: 7}, 0},
		{"a lease", tree.Command{Op: tree.OpLeaseGrant, Lease: 9, TTL: 5}, 1},
		{"a failure", tree.Command{Op: tree.OpLeaseGrant, Lease: 9, TTL: 6}, 0},
		{"two ends", tree.Command{Op: tree.OpLeaseRevoke, Leases: []int64{9, 7}}, 2},
		{"the end of an unknown lease", tree.Command{Op: tree.OpLeaseRevoke, Leases: []int64{9}, ByLeader: true}, 0},
	} {
		m.write(step.command)
		if got := m.checkpoint().Leases; got != step.want {
			t.Errorf("%s: %d records written, want %d", step.name, got, step.want)
		}
		if got, want := m.stored(), dump(m.store); got != want {
			t.Fatalf("%s: got %s, want %s", step.name, got, want)
		}
	}
	m.write(tree.Command{Op: tree.OpLeaseGrant, Lease: 11, TTL: 5})
	m.store.ReturnDelta(m.position().Delta)
	if got := m.checkpoint().Leases; got != 1 || m.stored() != dump(m.store) {
		t.Errorf("a delta that was returned: %d records written", got)
	}
}

// TestManyLeases stores 100,000 leases with a key each, and then changes one of them.
func TestManyLeases(t *testing.T) {
	leases := 100_000
	if testing.Short() {
		leases = 5000
	}
	m := newMember(t)
	m.level = tree.KVLevel
	m.store.StartRevisions()
	var commands []tree.Command
	for i := range leases {
		id := int64(i)*7919 + 1
		commands = append(commands, tree.Command{Op: tree.OpLeaseGrant, Lease: id, TTL: 60},
			tree.Command{Op: tree.OpPut, Path: fmt.Sprintf("/leased/%d", i), Lease: id})
		if len(commands) >= 500 {
			m.write(commands...)
			commands = commands[:0]
		}
	}
	m.write(commands...)
	if got := m.checkpoint().Leases; got != leases {
		t.Errorf("%d records written", got)
	}
	m.write(tree.Command{Op: tree.OpLeaseRevoke, Leases: []int64{7920}}, tree.Command{Op: tree.OpLeaseGrant, Lease: -8, TTL: 1})
	if stats := m.checkpoint(); stats.Leases != 2 || stats.PageBytes > 1<<20 {
		t.Errorf("a change of two writes %d records and %d bytes", stats.Leases, stats.PageBytes)
	}
	if m.stored() != dump(m.store) {
		t.Error("other leases are stored")
	}
}

// TestLeasesBelowLevel checks that leases are not written for programs that can't read them.
func TestLeasesBelowLevel(t *testing.T) {
	m := newMember(t)
	m.write(tree.Command{Op: tree.OpLeaseGrant, Lease: 7, TTL: 60})
	m.level = tree.KVLevel - 1
	if _, err := m.disk.Checkpoint(m.position()); err == nil || !strings.Contains(err.Error(), "level") {
		t.Errorf("got %v", err)
	}
}
