package tree

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"

	"pando/tree/btree"
)

// leaseKeys is an index of the keys of leases. It follows from the nodes of the tree, so it is not stored. Only the applying goroutine
// changes it, when a batch is published: a reader gets the keys of a published view. Any goroutine may read it.
type leaseKeys struct {
	mu      sync.RWMutex
	byLease btree.Map[*attachment] // by lease and key
	byKey   btree.Map[*attachment] // by key
}

// attachment is the attachment of a file to a lease. It is an item of both maps.
type attachment struct {
	name string // the name of the lease, followed by the key
}

// Path returns the name by which byLease has the attachment. Its name in byKey is the end of that name: the key.
func (a *attachment) Path() string { return a.name }

func (a *attachment) key() string { return a.name[leaseNameBytes:] }

// attachmentChange adds an attachment, or removes some. The fields belong to the kinds that their comments name.
type attachmentChange struct {
	kind  attachmentKind
	added *attachment // of attached
	key   string      // of detached, the key; of detachedBelow, the path of the directory
	lease int64       // of detachedAll
}

type attachmentKind uint8

const (
	attached attachmentKind = iota
	detached
	// detachedBelow removes the attachments of all keys below the path of a removed directory.
	detachedBelow
	// detachedAll removes all attachments of a lease.
	detachedAll
)

func newLeaseKeys() *leaseKeys {
	// The maps are never cloned, so the owner is of no importance.
	return &leaseKeys{byLease: btree.NewCounted[*attachment](0, 1), byKey: btree.New[*attachment](leaseNameBytes, 1)}
}

// replace replaces the content by that of other, which must not be used afterwards.
func (l *leaseKeys) replace(other *leaseKeys) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byLease, l.byKey = other.byLease, other.byKey
}

// LeaseKeys returns the keys that are attached to a lease, in their order. The caller owns the result. Any goroutine may call it.
func (s *Store) LeaseKeys(id int64) []string { return s.leaseKeys.portion(id, "", math.MaxInt) }

// LeaseKeyCount returns the number of keys that are attached to a lease. It takes the time of a look-up. Any goroutine may call it.
func (s *Store) LeaseKeyCount(id int64) int {
	l := s.leaseKeys
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.end(id) - l.byLease.Rank(attachmentName(id, ""))
}

// end returns the number of attachments of a lease and of all leases with lower IDs. Callers must hold mu, or be the applying goroutine.
func (l *leaseKeys) end(id int64) int {
	if id == math.MaxInt64 {
		return l.byLease.Len()
	}
	return l.byLease.Rank(attachmentName(id+1, ""))
}

// attachmentName returns the name of the attachment of a key to a lease. With the empty key it is a name before those of all keys.
func attachmentName(id int64, key string) string {
	name := leaseName(id)
	return string(name[:]) + key
}

// portion returns the keys of a lease from a key on, in their order, but at most limit of them.
func (l *leaseKeys) portion(id int64, from string, limit int) (keys []string) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	l.scan(id, from, func(a *attachment) bool {
		keys = append(keys, a.key())
		return len(keys) < limit
	})
	return keys
}

// scan visits the attachments of a lease from a key on, until visit returns false. Callers must hold mu, or be the applying goroutine.
func (l *leaseKeys) scan(id int64, from string, visit func(*attachment) bool) {
	name := attachmentName(id, "")
	l.byLease.ScanFrom(name+from, func(a *attachment) bool { return strings.HasPrefix(a.name, name) && visit(a) })
}

// change makes changes in their order.
func (l *leaseKeys) change(changes []attachmentChange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range changes {
		switch c := &changes[i]; c.kind {
		case attached:
			l.byLease.Append(c.added)
			l.byKey.Append(c.added)
		case detached:
			if a := l.byKey.Get(c.key); a != nil {
				l.byLease.Delete(a.name)
				l.byKey.Delete(c.key)
			}
		case detachedBelow:
			l.removeBelow(c.key)
		case detachedAll:
			l.removeAll(c.lease)
		}
	}
}

// removeBelow removes the attachments of all keys below a path. Callers must hold mu.
func (l *leaseKeys) removeBelow(path string) {
	var removed []*attachment
	prefix := path + "/"
	l.byKey.ScanFrom(prefix, func(a *attachment) bool {
		if !strings.HasPrefix(a.key(), prefix) {
			return false
		}
		if isPathKey(a.key()) { // the directory has no plain keys, such as "/a/" or "/a//b"
			removed = append(removed, a)
		}
		return true
	})
	l.byKey.DeleteAll(removed)
	slices.SortFunc(removed, func(a, b *attachment) int { return cmp.Compare(a.name, b.name) })
	l.byLease.DeleteAll(removed)
}

// removeAll removes the attachments of a lease. Callers must hold mu.
func (l *leaseKeys) removeAll(id int64) {
	var removed []*attachment
	l.scan(id, "", func(a *attachment) bool {
		removed = append(removed, a)
		return true
	})
	l.byLease.DeleteAll(removed)
	l.byKey.DeleteAll(removed)
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
	if before != 0 && before != s.endingLease {
		s.attachments = append(s.attachments, attachmentChange{kind: detached, key: prev.Path()})
	}
	if after != 0 {
		added := &attachment{attachmentName(after, n.Path())}
		s.attachments = append(s.attachments, attachmentChange{kind: attached, added: added})
	}
}

// detachLeasesBelow records that all nodes below a directory are removed.
func (s *Store) detachLeasesBelow(dir string) {
	if !s.measures && (len(s.attachments) > 0 || s.leaseKeys.byKey.Len() > 0) {
		s.attachments = append(s.attachments, attachmentChange{kind: detachedBelow, key: dir})
	}
}

// removeLeased removes the keys of a lease that has ended, in their order and in one revision.
func (s *Store) removeLeased(id int64) {
	s.publishLeaseKeys()
	files := make([]removedFile, 0, s.LeaseKeyCount(id))
	find := fileFinder{store: s}
	s.leaseKeys.scan(id, "", func(a *attachment) bool {
		files = append(files, find.file(a.key()))
		return true
	})
	if len(files) == 0 {
		return
	}
	s.beginTxn()
	defer s.endTxn()
	s.endingLease = id
	s.removeFiles(ActionExpire, files)
	s.endingLease = 0
	s.attachments = append(s.attachments, attachmentChange{kind: detachedAll, lease: id})
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
