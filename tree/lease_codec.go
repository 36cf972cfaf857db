package tree

import (
	"encoding/binary"
	"fmt"
)

// leaseVersion is the version of the stored form of a lease.
const leaseVersion = 1

// AppendLeaseKey appends the key under which the lease with an ID is stored. Keys have the order of the IDs.
func AppendLeaseKey(dst []byte, id int64) []byte {
	name := leaseName(id)
	return append(dst, name[:]...)
}

// AppendLease appends the stored form of a lease, without its ID.
func AppendLease(dst []byte, l Lease) []byte {
	return binary.AppendVarint(binary.AppendVarint(append(dst, leaseVersion), l.TTL), l.Granted)
}

// Lease adds a lease. key and record are what AppendLeaseKey and AppendLease appended. The leases must come before the nodes
// that are attached to them. It is fastest if they come in the order of their keys.
func (l *Loader) Lease(key, record []byte) error {
	if len(key) != leaseNameBytes {
		return fmt.Errorf("%w: the key of a lease has %d bytes", ErrBadState, len(key))
	}
	r := decoder{src: record}
	version := r.octet()
	lease := Lease{ID: int64(binary.BigEndian.Uint64(key) ^ 1<<63), TTL: r.varint(), Granted: r.varint()}
	switch {
	case version > leaseVersion:
		return fmt.Errorf("%w: a lease of version %d, but this program reads version %d", ErrBadState, version, leaseVersion)
	case r.bad || len(r.src) > 0 || version == 0 || lease.ID == 0 || lease.TTL < 1 || lease.TTL > MaxLeaseTTL:
		return fmt.Errorf("%w: %s", ErrBadState, leaseCause(lease.ID))
	case !l.store.mutableLeases().Append(newLeaseItem(lease)):
		return fmt.Errorf("%w: %s is there twice", ErrBadState, leaseCause(lease.ID))
	}
	return nil
}

// attach adds the key of a node to its lease, if it has one.
func (l *Loader) attach(n *Node) error {
	id := n.Lease()
	if id == 0 {
		return nil
	}
	if l.store.leases.get(id) == nil {
		return fmt.Errorf("%w: %.64q is attached to %s, which does not exist", ErrBadState, n.Path(), leaseCause(id))
	}
	l.store.moveLease(nil, n)
	if len(l.store.attachments) >= loadedAttachments {
		l.store.publishLeaseKeys()
	}
	return nil
}

// loadedAttachments is the number of attachments that a Loader collects before it adds them.
const loadedAttachments = 1 << 10
