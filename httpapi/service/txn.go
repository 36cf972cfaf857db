package service

import (
	"context"

	"pando/httpapi/auth"
	"pando/stats"
	"pando/tree"
	"pando/tree/users"
)

// ErrTxnNotUpgraded is the error of a transaction while the feature level of the cluster is too low for it. Its HTTP status is 503.
var ErrTxnNotUpgraded = tree.NewError(tree.CodeRaftInternal,
	"transactions are not possible yet: not all members of the cluster have been upgraded; nothing was done")

// Txn executes a transaction, if the sender may read the keys of all compares and has the right to each operation of both lists. The caller
// must not use t until Txn returns.
//
// Errors are *tree.Error. After an error with CodeRaftInternal that is not ErrTxnNotUpgraded, the transaction may still be executed. With
// CodeFollowing the cluster follows an etcd, which has no transactions, and nothing was done.
func (s *Service) Txn(ctx context.Context, who auth.Credentials, t *tree.Txn) (*tree.TxnResult, error) {
	from, result, err := s.txn(ctx, who, t)
	if s.cfg.Audit != nil {
		s.recordTxn(who, &from, t, result, err)
	}
	return result, err
}

// txn is Txn without the records of the audit log.
func (s *Service) txn(ctx context.Context, who auth.Credentials, t *tree.Txn) (sender, *tree.TxnResult, error) {
	var last sender
	for range maxAuthorizations {
		from, err := s.identifyForKeys(ctx, who)
		switch {
		case err != nil:
			return from, nil, err
		case from.missingRight(t) != "":
			return from, nil, errUnauthorized
		case from.view.Mirror() != nil:
			return from, nil, refuseTxn(sourcesOf(from.view.Mirror()))
		}
		if err := s.awaitLevel(ctx, tree.TxnLevel, ErrTxnNotUpgraded); err != nil {
			return from, nil, err
		}
		if err := s.txnWithinQuota(from.view, t); err != nil {
			return from, nil, err
		}
		result, err := s.proposeTxnAs(ctx, &from, t)
		switch {
		case isFollowing(err): // this member has not applied the mirror yet
			return from, nil, refuseTxn("")
		case !isAuthChanged(err):
			return from, result, err
		}
		last = from
	}
	return last, nil, errAuthChanging
}

// refuseTxn returns the error of a transaction while the cluster follows an etcd.
func refuseTxn(sources string) error {
	return tree.NewError(tree.CodeFollowing, "this cluster follows an etcd"+sources+
		", which has no transactions; send them after `pando migrate switch`, or change the keys one by one; nothing was done")
}

// missingRight returns the path of the first compare or operation to which the sender has no right, or "" if there is none. A transaction
// needs the rights to the list that will not be executed, too. An empty one needs the right to read the root: it takes an entry of the log,
// and a sender without any right must not cause that.
func (s *sender) missingRight(t *tree.Txn) (path string) {
	if len(t.Compares)+len(t.Then)+len(t.Else) == 0 && !s.hasAccess(users.Read, "/", users.One) {
		return "/"
	}
	for i := range t.Compares {
		if !s.hasAccess(users.Read, t.Compares[i].Path, users.One) {
			return t.Compares[i].Path
		}
	}
	for _, list := range [...][]tree.Command{t.Then, t.Else} {
		for i := range list {
			access, scope := users.Write, users.One
			if list[i].Op == tree.OpGet {
				access = users.Read
			}
			if list[i].Recursive {
				scope = users.Subtree
			}
			if !s.hasAccess(access, list[i].Path, scope) {
				return list[i].Path
			}
		}
	}
	return ""
}

// proposeTxnAs proposes a transaction for which the sender is authorized. The error has CodeAuthChanged as that of proposeAs.
func (s *Service) proposeTxnAs(ctx context.Context, from *sender, t *tree.Txn) (*tree.TxnResult, error) {
	for _, list := range [...][]tree.Command{t.Then, t.Else} {
		for i := range list {
			list[i].FileOnly = from.needsFile(&list[i])
		}
	}
	c := tree.Command{Op: tree.OpTxn, Txn: t, AuthRevision: from.authRevision()}
	result, err := s.cfg.Log.ProposeTxn(ctx, &c)
	return result, hideUnauthorized(err)
}

// recordTxn passes the records of a transaction to the audit log: one for each compare and each operation of the list that was executed, as
// if it had been a request of its own. A transaction that has failed has one record. Its key is the first one to which the sender has no
// right.
func (s *Service) recordTxn(who auth.Credentials, from *sender, t *tree.Txn, result *tree.TxnResult, err error) {
	if err != nil {
		o := operation{name: stats.OpTxn.String()}
		if from.identified && isDenied(err) {
			o.key = from.missingRight(t)
		}
		s.record(who, from, o, 0, err)
		return
	}
	for i := range t.Compares {
		s.record(who, from, operation{name: opCompare, key: t.Compares[i].Path, read: true}, result.Index(), nil)
	}
	list := t.Then
	if !result.Succeeded() {
		list = t.Else
	}
	for i := range list {
		o, index := operation{name: ChangeOperation(&list[i]).String(), key: list[i].Path, read: list[i].Op == tree.OpGet}, result.Index()
		if event := result.Event(i); event != nil {
			o.key, index = event.Node().Path(), event.Index() // createInOrder has made a name below the path
		}
		s.record(who, from, o, index, nil)
	}
}
