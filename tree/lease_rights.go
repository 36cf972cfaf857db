package tree

import (
	"math"
	"strings"

	"pando/tree/users"
)

// A user who attaches a key to a lease, or revokes a lease, must have the right to write all keys of the lease. Otherwise the user could
// remove keys without the right to write them, or let other users remove the attached key. As in etcd, the rule is checked when the
// command is applied, in the state that the command changes. The service checks it before, too, so that a command without the right does
// not enter the log.

// NeedsUser reports whether Command.User must be set while auth is enabled.
func (c *Command) NeedsUser() bool {
	switch c.Op {
	case OpPut:
		return c.Lease != 0
	case OpLeaseRevoke:
		return !c.ByLeader
	case OpKV:
		return c.KV.usesLease()
	}
	return false
}

// usesLease reports whether an operation of the transaction attaches a key to a lease.
func (t *KVTxn) usesLease() bool {
	uses := false
	t.eachLease(func(int64) bool {
		uses = true
		return false
	})
	return uses
}

// eachLease visits the leases of all puts, also those that will not be executed. It stops and returns false if visit returns false.
func (t *KVTxn) eachLease(visit func(id int64) bool) bool {
	for _, list := range [...][]KVOp{t.Then, t.Else} {
		for i := range list {
			o := &list[i]
			if o.Kind == KVPut && o.Lease != 0 && !visit(o.Lease) || o.Kind == KVNested && !o.Txn.eachLease(visit) {
				return false
			}
		}
	}
	return true
}

// checkLeases returns an error if the user of a command has no right to write the keys of its leases.
func (s *Store) checkLeases(c *Command) *Error {
	if c.User == "" || s.measures {
		return nil
	}
	s.publishLeaseKeys()
	var roles []string
	if u := s.users.User(c.User); u != nil {
		roles = u.Roles
	}
	allows := func(id int64) bool { return s.AllowsLease(s.users, roles, users.Write, id) }
	allowed := true
	switch c.Op {
	case OpPut:
		allowed = allows(c.Lease)
	case OpKV:
		allowed = c.KV.eachLease(allows)
	case OpLeaseRevoke:
		for _, id := range c.Leases {
			allowed = allowed && allows(id)
		}
	}
	if !allowed {
		return NewError(CodePermissionDenied, "insufficient credentials for the keys of the lease")
	}
	return nil
}

// leasePortion is the number of keys that AllowsLease copies at a time, so that it does not block the applying goroutine for long.
const leasePortion = 1000

// AllowsLease reports whether roles give the access to all keys that are attached to a lease. It takes the time of two look-ups if
// roles give the access to the whole range from the first to the last key of the lease. Otherwise it checks key by key until one is
// denied. Keys that are attached or detached meanwhile may count or not. Any goroutine may call it.
func (s *Store) AllowsLease(state *users.State, roles []string, a users.Access, id int64) bool {
	bounds, some := s.leaseKeys.bounds(id)
	if !some || state.AllowsRange(roles, a, bounds) {
		return true
	}
	for from := ""; ; {
		keys := s.leaseKeys.portion(id, from, leasePortion)
		for _, key := range keys {
			if !state.AllowsRange(roles, a, SingleKey(key)) {
				return false
			}
		}
		if len(keys) < leasePortion {
			return true
		}
		from = keys[len(keys)-1] + "\x00"
	}
}

// bounds returns the range from the first to the last key of a lease. It returns false for some if the lease has no keys.
func (l *leaseKeys) bounds(id int64) (r KeyRange, some bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	l.scan(id, "", func(a *attachment) bool {
		r.From, some = a.key(), true
		return false
	})
	if some {
		r.To = l.last(id).key() + "\x00"
	}
	return r, some
}

// last returns the last attachment of a lease, or of a lease before it if the lease has none. Callers must hold mu.
func (l *leaseKeys) last(id int64) *attachment {
	if id == math.MaxInt64 {
		return l.byLease.Before(afterLeases)
	}
	return l.byLease.Before(attachmentName(id+1, ""))
}

// afterLeases comes after the names of all attachments.
var afterLeases = strings.Repeat("\xff", leaseNameBytes+MaxKeyBytes+1)
