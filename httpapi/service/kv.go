package service

import (
	"context"

	"pando/httpapi/auth"
	"pando/tree"
	"pando/tree/users"
)

// ErrKVNotUpgraded is the error of a change of the v3 API while the feature level of the cluster is too low for it.
var ErrKVNotUpgraded = tree.NewError(tree.CodeRaftInternal,
	"the v3 API can't change keys yet: not all members of the cluster have been upgraded; nothing was done")

// The names of the operations of the v3 API in the audit log.
const (
	opRange       = "range"
	opPut         = "put"
	opDeleteRange = "delete_range"
	opKVTxn       = "kv_txn"
	opCompact     = "compact"
)

// The following operations on keys are those of the v3 API. Their errors are *tree.Error. The caller must not change a request until the
// operation returns.

// Range executes a query, if the sender may read all keys of its range. revision is that of the newest state that the member had then. The
// error has the code tree.CodeResultTooLarge if the result exceeds Config.ResponseBytes.
func (s *Service) Range(
	ctx context.Context, who auth.Credentials, q *tree.RangeQuery, c Consistency,
) (result tree.RangeResult, revision uint64, err error) {
	return s.rangeWithin(ctx, who, q, c, s.cfg.ResponseBytes)
}

// RangeForStream is Range for a response that is sent in parts, whose size is therefore not limited.
func (s *Service) RangeForStream(
	ctx context.Context, who auth.Credentials, q *tree.RangeQuery, c Consistency,
) (result tree.RangeResult, revision uint64, err error) {
	return s.rangeWithin(ctx, who, q, c, 0)
}

// rangeWithin is Range with a limit in bytes, or zero.
func (s *Service) rangeWithin(
	ctx context.Context, who auth.Credentials, q *tree.RangeQuery, c Consistency, maxBytes int64,
) (result tree.RangeResult, revision uint64, err error) {
	from, result, err := s.rangeKeys(ctx, who, q, c, maxBytes)
	if err == nil {
		revision = from.view.Revision()
	}
	if s.cfg.Audit != nil {
		s.record(who, &from, operation{name: opRange, key: q.From, read: true}, revision, err)
	}
	return result, revision, err
}

// RangeMayWait reports whether Range may wait for other members.
func (s *Service) RangeMayWait(c Consistency) bool {
	if c == Local && !s.cfg.Tree.View().Users().Enabled() {
		return false
	}
	return !s.cfg.Log.ReadsLocally()
}

func (s *Service) rangeKeys(
	ctx context.Context, who auth.Credentials, q *tree.RangeQuery, c Consistency, maxBytes int64,
) (from sender, result tree.RangeResult, err error) {
	if c == Linearizable {
		if err := s.cfg.Log.Barrier(ctx); err != nil {
			return from, result, err
		}
	}
	for {
		if from, err = s.authorizeRange(ctx, who, users.Read, q.KeyRange); err != nil {
			return from, result, err
		}
		if q.Revision == 0 || q.Revision == from.view.Revision() {
			result, failed := q.RunWithin(from.view, maxBytes)
			if failed != nil {
				return from, result, failed
			}
			return from, result, nil
		}
		read, failed := s.cfg.Tree.ReadKV(&tree.KVTxn{Then: []tree.KVOp{{Kind: tree.KVRange, Range: q}}}, maxBytes)
		switch {
		case s.haveUsersChanged(&from):
		case failed != nil:
			return from, result, failed
		default:
			return from, read.Ops[0].Range, nil
		}
	}
}

// haveUsersChanged reports whether the users have changed since the sender was identified. What was read from a later view must then be
// read again, for the sender may have lost its rights.
func (s *Service) haveUsersChanged(from *sender) bool {
	return s.cfg.Tree.View().Users().Revision() != from.view.Users().Revision()
}

// PutResponse says what the response to a put shows.
type PutResponse int

// The values of PutResponse.
const (
	WithoutPrevious PutResponse = iota
	WithPrevious                // the file that was replaced
)

// Put executes an OpPut, and DeleteRange an OpDeleteRange, if the sender may write the keys. If the response shows the files that were
// replaced or removed (WithPrevious, c.PrevKV), the sender must have the right to read them, too.
func (s *Service) Put(ctx context.Context, who auth.Credentials, c *tree.Command, response PutResponse) (*tree.Event, error) {
	r, err := s.proposeKV(ctx, who, c, operation{name: opPut, key: c.Path}, func(from *sender) *tree.Error {
		op := tree.KVOp{Kind: tree.KVPut, Key: c.Path, Lease: c.Lease, PrevKV: response == WithPrevious}
		return s.allowOp(from, &op)
	})
	return r.Event, err
}

// DeleteRange is described at Put.
func (s *Service) DeleteRange(ctx context.Context, who auth.Credentials, c *tree.Command) (*tree.KVResult, error) {
	r, err := s.proposeKV(ctx, who, c, operation{name: opDeleteRange, key: c.Path}, func(from *sender) *tree.Error {
		op := tree.KVOp{Kind: tree.KVDeleteRange, Keys: tree.KeyRange{From: c.Path, To: c.Value}, PrevKV: c.PrevKV}
		return s.allowOp(from, &op)
	})
	return r.KV, err
}

// KVTxn executes a transaction, if the sender has the right to all compares and operations, also to those that will not be executed. A
// transaction that changes nothing is executed on this member: with Linearizable after everything that was acknowledged before. t must
// have passed its Check.
func (s *Service) KVTxn(ctx context.Context, who auth.Credentials, t *tree.KVTxn, c Consistency) (*tree.KVResult, error) {
	o := operation{name: opKVTxn, read: t.IsReadOnly()}
	if !o.read {
		r, err := s.proposeKV(ctx, who, &tree.Command{Op: tree.OpKV, KV: t}, o, func(from *sender) *tree.Error {
			return s.allowTxn(from, t)
		})
		return r.KV, err
	}
	from, result, err := s.readTxn(ctx, who, t, c)
	s.record(who, &from, o, from.index(), err)
	return result, err
}

func (s *Service) readTxn(ctx context.Context, who auth.Credentials, t *tree.KVTxn, c Consistency) (sender, *tree.KVResult, error) {
	if c == Linearizable {
		if err := s.cfg.Log.Barrier(ctx); err != nil {
			return sender{}, nil, err
		}
	}
	for {
		from, err := s.identifyV3(ctx, who)
		if err != nil {
			return from, nil, err
		}
		if err := s.allowTxn(&from, t); err != nil {
			return from, nil, err
		}
		result, failed := s.cfg.Tree.ReadKV(t, s.cfg.ResponseBytes)
		switch {
		case s.haveUsersChanged(&from):
		case failed != nil:
			return from, nil, failed
		default:
			return from, result, nil
		}
	}
}

// Compact drops the history before a revision, if the sender has the role root. It returns the revision of the tree.
func (s *Service) Compact(ctx context.Context, who auth.Credentials, revision int64) (uint64, error) {
	c := &tree.Command{Op: tree.OpCompact, Revision: uint64(max(0, revision))}
	_, err := s.proposeKV(ctx, who, c, operation{name: opCompact}, func(from *sender) *tree.Error {
		if !from.isRoot() {
			return errPermissionDenied
		}
		if revision < 0 {
			return tree.NewError(tree.CodeCompacted, "no tree has a negative revision")
		}
		return nil
	})
	return s.Revision(), err
}

// proposeKV sends a command of the v3 API through the log, if the sender is known and allow returns nil for it. It records the operation.
func (s *Service) proposeKV(
	ctx context.Context, who auth.Credentials, c *tree.Command, o operation, allow func(*sender) *tree.Error,
) (tree.Result, error) {
	from, result, err := s.tryKV(ctx, who, c, allow)
	s.record(who, &from, o, from.index(), err)
	return result, err
}

func (s *Service) tryKV(
	ctx context.Context, who auth.Credentials, c *tree.Command, allow func(*sender) *tree.Error,
) (sender, tree.Result, error) {
	var last sender
	for range maxAuthorizations {
		from, err := s.identifyV3(ctx, who)
		if err != nil {
			return from, tree.Result{}, err
		}
		if err := allow(&from); err != nil {
			return from, tree.Result{}, err
		}
		if m := from.view.Mirror(); m != nil {
			return from, tree.Result{}, refuseKV(sourcesOf(m))
		}
		if err := s.awaitLevel(ctx, tree.KVLevel, ErrKVNotUpgraded); err != nil {
			return from, tree.Result{}, err
		}
		if s.quotaReached(from.view) {
			if err := s.refuseGrowth(from.view, from.view.Growth(c)); err != nil {
				return from, tree.Result{}, err
			}
		}
		c.AuthRevision, c.User = from.authRevision(), ""
		if c.AuthRevision != 0 && c.NeedsUser() {
			c.User = from.principal.Name
		}
		result, err := s.cfg.Log.ProposeKV(ctx, c)
		switch {
		case isFollowing(err): // this member has not applied the mirror yet
			return from, tree.Result{}, refuseKV("")
		case !isAuthChanged(err):
			if failed := s.cfg.Tree.TooLargeError(result.KV); err == nil && failed != nil {
				err = failed
			}
			return from, result, err
		}
		last = from
	}
	return last, tree.Result{}, errAuthChanging
}

// refuseKV returns the error of a change of the v3 API while the cluster follows an etcd.
func refuseKV(sources string) error {
	return tree.NewError(tree.CodeFollowing, "this cluster follows an etcd"+sources+
		", whose v2 API has no such operations; send them after `pando migrate switch`; nothing was done")
}

// allowTxn returns nil if the sender has the right to all compares and operations of a transaction.
func (s *Service) allowTxn(from *sender, t *tree.KVTxn) *tree.Error {
	if !from.view.Users().Enabled() {
		return nil
	}
	for i := range t.Compares {
		if !from.allowsRange(users.Read, t.Compares[i].KeyRange) {
			return errPermissionDenied
		}
	}
	for _, list := range [...][]tree.KVOp{t.Then, t.Else} {
		for i := range list {
			if err := s.allowOp(from, &list[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// allowOp returns nil if the sender has the right to an operation.
func (s *Service) allowOp(from *sender, o *tree.KVOp) *tree.Error {
	if !from.view.Users().Enabled() {
		return nil
	}
	keys, access := o.Keys, users.Write
	switch o.Kind {
	case tree.KVNested:
		return s.allowTxn(from, o.Txn)
	case tree.KVRange:
		keys, access = o.Range.KeyRange, users.Read
	case tree.KVPut:
		keys = tree.SingleKey(o.Key)
		if !s.allowLease(from, o.Lease) {
			return errPermissionDenied
		}
	}
	if !from.allowsRange(access, keys) || o.PrevKV && !from.allowsRange(users.Read, keys) {
		return errPermissionDenied
	}
	return nil
}

// allowLease reports whether the sender may write all keys of a lease. Attaching a key to the lease of another user would otherwise give
// that user the power over the key. The command is checked again when it is applied: see tree.Command.User.
func (s *Service) allowLease(from *sender, lease int64) bool {
	state := from.view.Users()
	return lease == 0 || !state.Enabled() || s.cfg.Tree.AllowsLease(state, from.roles, users.Write, lease)
}

// index returns the index of the state with which the sender was identified; 0 if there is none.
func (s *sender) index() uint64 {
	if s.view == nil {
		return 0
	}
	return s.view.Index()
}
