package service

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"pando/httpapi/auth"
	"pando/tree"
	"pando/tree/users"
)

// LeaseClock measures when leases end. Its methods may be called from any goroutine, on any member. Errors are *tree.Error.
type LeaseClock interface {
	// RenewLease gives a lease its full time to live from now on, and returns this time in seconds. It returns 0 if there is no such lease.
	RenewLease(ctx context.Context, id int64) (ttl int64, err error)
	// LeaseRemaining returns the seconds after which a lease ends unless it is renewed, or -1 if there is no such lease.
	LeaseRemaining(ctx context.Context, id int64) (ttl int64, err error)
	// MinLeaseTTL returns the shortest time to live with which a lease may be granted, in seconds.
	MinLeaseTTL() int64
}

// The names of the operations on leases in the audit log.
const (
	opLeaseGrant  = "lease_grant"
	opLeaseRevoke = "lease_revoke"
	opLeaseRenew  = "lease_keep_alive"
	opLeaseTTL    = "lease_time_to_live"
	opLeases      = "leases"
)

// leaseOperation returns the record of an operation on a lease.
func leaseOperation(name string, id int64) operation {
	return operation{name: name, key: fmt.Sprintf("%016x", uint64(id))}
}

// The following operations are those of the v3 API. While auth is enabled, their senders must be users.

// GrantLease makes a lease, with a free ID if id is 0. A time to live that is too short is made longer: the lease that it returns has the
// one that counts. The errors are *tree.Error.
func (s *Service) GrantLease(ctx context.Context, who auth.Credentials, id, ttl int64) (tree.Lease, error) {
	chosen := id != 0
	for {
		if !chosen {
			id = randomLeaseID()
		}
		c := &tree.Command{Op: tree.OpLeaseGrant, Lease: id, TTL: max(ttl, s.cfg.Leases.MinLeaseTTL())}
		_, err := s.proposeKV(ctx, who, c, leaseOperation(opLeaseGrant, id), func(*sender) *tree.Error { return nil })
		if e, ok := errors.AsType[*tree.Error](err); ok && e.Code == tree.CodeLeaseExists && !chosen {
			continue
		}
		return tree.Lease{ID: id, TTL: c.TTL}, err
	}
}

// randomLeaseID returns an ID that is greater than 0.
func randomLeaseID() int64 {
	var id [8]byte
	_, _ = rand.Read(id[:]) // it never fails
	return int64(binary.LittleEndian.Uint64(id[:])>>1 | 1)
}

// RevokeLease ends a lease and removes its keys, if the sender may write all of them.
func (s *Service) RevokeLease(ctx context.Context, who auth.Credentials, id int64) error {
	c := &tree.Command{Op: tree.OpLeaseRevoke, Leases: []int64{id}}
	_, err := s.proposeKV(ctx, who, c, leaseOperation(opLeaseRevoke, id), func(from *sender) *tree.Error {
		if !s.allowLease(from, id) {
			return errPermissionDenied
		}
		return nil
	})
	return err
}

// RenewLease gives a lease its full time to live from now on, if the sender may write all its keys, and returns this time in seconds. It
// returns 0 if there is no such lease.
func (s *Service) RenewLease(ctx context.Context, who auth.Credentials, id int64) (ttl int64, err error) {
	from, err := s.identifyV3(ctx, who)
	switch {
	case err != nil:
	case !s.mayUseLease(&from, users.Write, id):
		err = errPermissionDenied
	default:
		ttl, err = s.cfg.Leases.RenewLease(ctx, id)
	}
	s.recordLease(who, &from, leaseOperation(opLeaseRenew, id), err)
	return ttl, err
}

// LeaseState is what is known about a lease.
type LeaseState struct {
	Granted   int64 // the time to live, in seconds
	Remaining int64 // the seconds after which it ends unless it is renewed; -1 if there is no such lease
	Keys      []string
}

// LeaseKeys says whether LeaseTTL returns the keys.
type LeaseKeys uint8

// The values of LeaseKeys.
const (
	WithoutKeys LeaseKeys = iota
	WithKeys
)

// LeaseTTL returns the state of a lease, with its keys if the sender may read all of them.
func (s *Service) LeaseTTL(ctx context.Context, who auth.Credentials, id int64, keys LeaseKeys) (LeaseState, error) {
	from, err := s.identifyV3(ctx, who)
	state := LeaseState{Remaining: -1}
	if err == nil {
		state, err = s.leaseState(ctx, &from, id, keys)
	}
	s.recordLease(who, &from, leaseOperation(opLeaseTTL, id), err)
	return state, err
}

func (s *Service) leaseState(ctx context.Context, from *sender, id int64, keys LeaseKeys) (state LeaseState, err error) {
	if state.Remaining, err = s.cfg.Leases.LeaseRemaining(ctx, id); err != nil || state.Remaining < 0 {
		return state, err
	}
	// The leader may know the lease before this member does.
	if _, ok := s.cfg.Tree.View().Lease(id); !ok {
		if err := s.cfg.Log.Barrier(ctx); err != nil {
			return state, err
		}
	}
	lease, ok := s.cfg.Tree.View().Lease(id)
	if !ok {
		return LeaseState{Remaining: -1}, nil
	}
	state.Granted = lease.TTL
	if keys == WithoutKeys {
		return state, nil
	}
	state.Keys = s.cfg.Tree.LeaseKeys(id)
	if !from.mayRead(state.Keys) {
		return LeaseState{}, errPermissionDenied
	}
	return state, nil
}

// Leases returns all leases in the order of their IDs, after all changes that were acknowledged before the call, if the sender may read all
// keys that are attached to leases.
func (s *Service) Leases(ctx context.Context, who auth.Credentials) ([]tree.Lease, error) {
	if err := s.cfg.Log.Barrier(ctx); err != nil {
		return nil, err
	}
	from, err := s.identifyV3(ctx, who)
	var list []tree.Lease
	if err == nil {
		list, err = s.visibleLeases(&from)
	}
	s.recordLease(who, &from, operation{name: opLeases}, err)
	return list, err
}

func (s *Service) visibleLeases(from *sender) (list []tree.Lease, err error) {
	for lease := range from.view.Leases() {
		if !s.mayUseLease(from, users.Read, lease.ID) {
			return nil, errPermissionDenied
		}
		list = append(list, lease)
	}
	return list, nil
}

// mayUseLease reports whether the sender has the access to all keys of a lease.
func (s *Service) mayUseLease(from *sender, a users.Access, id int64) bool {
	state := from.view.Users()
	return !state.Enabled() || s.cfg.Tree.AllowsLease(state, from.roles, a, id)
}

// mayRead reports whether the sender may read all of the keys.
func (s *sender) mayRead(keys []string) bool {
	for _, key := range keys {
		if !s.allowsRange(users.Read, tree.SingleKey(key)) {
			return false
		}
	}
	return true
}

// recordLease records an operation that changes nothing in the state.
func (s *Service) recordLease(who auth.Credentials, from *sender, o operation, err error) {
	o.read = true
	s.record(who, from, o, from.index(), err)
}
