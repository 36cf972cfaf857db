package tree

import (
	"encoding/binary"
	"fmt"
	"iter"

	"pando/tree/btree"
)

// MaxLeaseTTL is the longest time to live of a lease, in seconds.
const MaxLeaseTTL = 9_000_000_000

// Lease is a lease of the v3 API. Files may be attached to it (see Node.Lease), and are removed together with it. When a lease ends is not
// part of the state: the leader measures the time, and proposes an OpLeaseRevoke.
type Lease struct {
	ID  int64
	TTL int64 // the time to live that was granted, in seconds
	// Granted is the time of the batch that granted the lease, in nanoseconds since 1970. It tells leases apart that had the same ID one
	// after the other.
	Granted int64
}

// leaseItem is a lease in the map of leases. Its name orders the leases by their IDs.
type leaseItem struct {
	Lease
	name string
}

// Path returns the name of the lease. It makes leaseItem an item of a btree.Map.
func (l *leaseItem) Path() string { return l.name }

// leaseNameBytes is the length of the name of a lease.
const leaseNameBytes = 8

// leaseName returns the name of the lease with an ID. Names have the order of the IDs.
func leaseName(id int64) [leaseNameBytes]byte {
	var name [leaseNameBytes]byte
	binary.BigEndian.PutUint64(name[:], uint64(id)^1<<63)
	return name
}

func newLeaseItem(l Lease) *leaseItem {
	name := leaseName(l.ID)
	return &leaseItem{Lease: l, name: string(name[:])}
}

// leases is the map of leases of a view. The owner of the map is the epoch of the batch that has changed it.
type leases struct{ byID btree.Map[*leaseItem] }

// noLeases is the map of a tree without leases.
var noLeases = &leases{byID: btree.New[*leaseItem](0, 0)}

func (l *leases) get(id int64) *leaseItem {
	name := leaseName(id)
	return l.byID.Get(string(name[:]))
}

// Lease returns the lease with an ID. It returns false if there is none.
func (v *View) Lease(id int64) (Lease, bool) {
	if item := v.leases.get(id); item != nil {
		return item.Lease, true
	}
	return Lease{}, false
}

// Leases returns all leases in the order of their IDs.
func (v *View) Leases() iter.Seq[Lease] {
	return func(yield func(Lease) bool) {
		v.leases.byID.Scan(func(item *leaseItem) bool { return yield(item.Lease) })
	}
}

// LeaseCount returns the number of leases.
func (v *View) LeaseCount() int { return v.leases.byID.Len() }

// mutableLeases returns the map of leases for a change by the current batch.
func (s *Store) mutableLeases() *btree.Map[*leaseItem] {
	if s.leases == noLeases || s.leases.byID.Owner() != s.epoch {
		s.leases = &leases{byID: s.leases.byID.Clone(s.epoch)}
	}
	return &s.leases.byID
}

// checkGrant returns the error of an OpLeaseGrant that does not depend on the tree, or nil.
func checkGrant(c *Command) *Error {
	switch {
	case c.Lease == 0:
		return NewError(CodeLeaseNotFound, "0 is not the ID of a lease")
	case c.TTL > MaxLeaseTTL:
		return NewError(CodeLeaseTTLTooLarge, fmt.Sprintf("%d s, but at most %d s are allowed", c.TTL, MaxLeaseTTL))
	case c.TTL < 1:
		return NewError(CodeLeaseTTL, fmt.Sprintf("%d s, but at least 1 s is required", c.TTL))
	}
	return nil
}

// grantLease executes an OpLeaseGrant. It takes no index and no revision.
func (s *Store) grantLease(c *Command) *Error {
	if err := checkGrant(c); err != nil {
		return err
	}
	if s.leases.get(c.Lease) != nil {
		return NewError(CodeLeaseExists, leaseCause(c.Lease))
	}
	s.mutableLeases().Insert(newLeaseItem(Lease{ID: c.Lease, TTL: c.TTL, Granted: s.now}))
	s.dirty.leases = append(s.dirty.leases, c.Lease)
	return nil
}

// revokeLeases executes an OpLeaseRevoke. Each lease that has keys takes one revision, in which its keys are removed in their order.
func (s *Store) revokeLeases(c *Command) *Error {
	if !c.ByLeader {
		for _, id := range c.Leases {
			if s.leases.get(id) == nil {
				return NewError(CodeLeaseNotFound, leaseCause(id))
			}
		}
	}
	for i, id := range c.Leases {
		lease := s.leases.get(id)
		if lease == nil || len(c.Granted) > 0 && lease.Granted != c.Granted[i] {
			continue
		}
		name := leaseName(id)
		s.mutableLeases().Delete(string(name[:]))
		s.dirty.leases = append(s.dirty.leases, id)
		s.removeLeased(id)
	}
	return nil
}

func leaseCause(id int64) string { return fmt.Sprintf("lease %016x", uint64(id)) }
