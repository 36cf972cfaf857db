package tree

import (
	"strings"
	"sync"

	"github.com/tidwall/btree"
)

// leaseKeys finds the keys of a lease. It follows from the nodes of the tree, so it is not stored. Only the applying goroutine changes it.
// It does so when a batch is published, so any goroutine that reads it sees the keys of a published view.
type leaseKeys struct {
	mu      sync.RWMutex
	byLease *btree.BTreeG[attachment] // ordered by lease and key
	byKey   *btree.BTreeG[attachment] // ordered by key
}

// attachment says that a file is attached to a lease.
type attachment struct {
	lease int64
	key   string
}

// attachmentChange adds an attachment, or removes one.
type attachmentChange struct {
	attachment
	kind attachmentKind
}

type attachmentKind uint8

const (
	attached attachmentKind = iota
	detached
	// detachedBelow removes the attachments of all keys below the path of a removed directory: the key of the change.
	detachedBelow
)

func newLeaseKeys() *leaseKeys {
	options := btree.Options{NoLocks: true}
	return &leaseKeys{
		byLease: btree.NewBTreeGOptions(func(a, b attachment) bool {
			return a.lease < b.lease || a.lease == b.lease && a.key < b.key
		}, options),
		byKey: btree.NewBTreeGOptions(func(a, b attachment) bool { return a.key < b.key }, options),
	}
}

// replace replaces the content by that of other, which must not be used afterwards.
func (l *leaseKeys) replace(other *leaseKeys) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byLease, l.byKey = other.byLease, other.byKey
}

// LeaseKeys returns the keys that are attached to a lease, in their order. The caller owns the result. Any goroutine may call it.
func (s *Store) LeaseKeys(id int64) []string {
	s.leaseKeys.mu.RLock()
	defer s.leaseKeys.mu.RUnlock()
	return s.leaseKeys.of(id)
}

// of returns the keys of a lease. Callers must hold mu, or be the applying goroutine.
func (l *leaseKeys) of(id int64) (keys []string) {
	l.byLease.Ascend(attachment{lease: id}, func(a attachment) bool {
		if a.lease != id {
			return false
		}
		keys = append(keys, a.key)
		return true
	})
	return keys
}

// change makes changes in their order.
func (l *leaseKeys) change(changes []attachmentChange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range changes {
		switch c := &changes[i]; c.kind {
		case attached:
			l.byLease.Set(c.attachment)
			l.byKey.Set(c.attachment)
		case detached:
			l.byLease.Delete(c.attachment)
			l.byKey.Delete(c.attachment)
		case detachedBelow:
			l.removeBelow(c.key)
		}
	}
}

// removeBelow removes the attachments of all keys below a path. Callers must hold mu.
func (l *leaseKeys) removeBelow(path string) {
	var removed []attachment
	prefix := path + "/"
	l.byKey.Ascend(attachment{key: prefix}, func(a attachment) bool {
		if !strings.HasPrefix(a.key, prefix) {
			return false
		}
		if isPathKey(a.key) { // the directory has no plain keys, such as "/a/" or "/a//b"
			removed = append(removed, a)
		}
		return true
	})
	for _, a := range removed {
		l.byLease.Delete(a)
		l.byKey.Delete(a)
	}
}

// moveLease records that a file of the tree is replaced by n, or removed if n is nil. prev is nil if there was none. It must be called for
// each change of a file that has a lease before or after it.
func (s *Store) moveLease(prev, n *Node) {
	var before, after int64
	if prev != nil {
		before = prev.Lease()
	}
	if n != nil {
		after = n.Lease()
	}
	if before == after || s.measures {
		return
	}
	if before != 0 {
		s.attachments = append(s.attachments, attachmentChange{attachment{before, prev.Path()}, detached})
	}
	if after != 0 {
		// A copy of the key: it shares memory with the value.
		s.attachments = append(s.attachments, attachmentChange{attachment{after, strings.Clone(n.Path())}, attached})
	}
}

// detachLeasesBelow records that all nodes below a directory are removed.
func (s *Store) detachLeasesBelow(dir string) {
	if !s.measures && (len(s.attachments) > 0 || s.leaseKeys.byKey.Len() > 0) {
		s.attachments = append(s.attachments, attachmentChange{attachment{key: dir}, detachedBelow})
	}
}

// publishLeaseKeys makes the changes of the current batch. The applying goroutine may also call it before the end of the batch, but not
// within a transaction.
func (s *Store) publishLeaseKeys() {
	if len(s.attachments) > 0 {
		s.leaseKeys.change(s.attachments)
		clear(s.attachments)
		s.attachments = s.attachments[:0]
	}
}
