package etcdv3

import (
	"fmt"
	"slices"

	"pando/tree"
	"pando/tree/users"
)

// allows reports whether the sender of a request had the right to it. Etcd checks that when it applies the request, so the log
// also has refused requests. allows returns an error if versions of etcd differ in the result of the check.
func (a *Applier) allows(r *request) (bool, error) {
	state := a.store.View().Users()
	if !state.Enabled() {
		return true, nil
	}
	user := state.User(r.user)
	if r.admin {
		return user != nil && slices.Contains(user.Roles, users.Root), nil
	}
	w := rightsCheck{applier: a, request: r, state: state, user: user}
	switch c := r.command; c.Op {
	case tree.OpPut:
		return w.canWrite(tree.SingleKey(c.Path)) && (!c.PrevKV || w.canRead(tree.SingleKey(c.Path))) && w.canWriteLeased(c.Lease), nil
	case tree.OpDeleteRange:
		keys := tree.KeyRange{From: c.Path, To: c.Value}
		return w.canWrite(keys) && (!c.PrevKV || w.canRead(keys)), nil
	case tree.OpLeaseRevoke:
		return w.canWriteLeased(c.Leases[0]), nil
	case tree.OpKV:
		allowed := w.canExecute(c.KV)
		for _, list := range [...][]tree.KVOp{c.KV.Then, c.KV.Else} {
			if i := slices.IndexFunc(list, func(o tree.KVOp) bool { return o.Kind == tree.KVNested }); i >= 0 && allowed && !w.canNest(list) {
				return false, fmt.Errorf("versions of etcd differ in the rights that nested transactions need; %w", errInexact)
			}
		}
		return allowed, nil
	}
	return true, nil // every user may grant leases and compact
}

// rightsCheck checks the rights of the sender of one request.
type rightsCheck struct {
	applier *Applier
	request *request
	state   *users.State
	user    *users.User // nil if there is none
}

func (w *rightsCheck) canWrite(keys tree.KeyRange) bool { return w.can(users.Write, keys) }

func (w *rightsCheck) canRead(keys tree.KeyRange) bool { return w.can(users.Read, keys) }

// can reports whether the sender has an access to all keys of a range. As in etcd, it returns false if the users have changed since the
// request was sent.
func (w *rightsCheck) can(access users.Access, keys tree.KeyRange) bool {
	return w.user != nil && w.request.authRevision != 0 && w.request.authRevision >= w.applier.authRevision &&
		w.state.AllowsRange(w.user.Roles, access, keys)
}

// canWriteLeased reports whether the sender may write all keys of a lease.
func (w *rightsCheck) canWriteLeased(id int64) bool {
	for _, key := range w.applier.store.LeaseKeys(id) {
		if !w.canWrite(tree.SingleKey(key)) {
			return false
		}
	}
	return true
}

// canExecute reports whether the sender has the rights that a transaction needs, without those that nested transactions need.
func (w *rightsCheck) canExecute(t *tree.KVTxn) bool {
	for i := range t.Compares {
		if !w.canRead(t.Compares[i].KeyRange) {
			return false
		}
	}
	for _, list := range [...][]tree.KVOp{t.Then, t.Else} {
		for i := range list {
			switch o := &list[i]; {
			case o.Kind == tree.KVPut && !w.canWrite(tree.SingleKey(o.Key)),
				o.Kind == tree.KVRange && !w.canRead(o.Range.KeyRange),
				o.Kind == tree.KVDeleteRange && (!w.canWrite(o.Keys) || o.PrevKV && !w.canRead(o.Keys)):
				return false
			}
		}
	}
	return true
}

// canNest reports whether the sender has the rights that the nested transactions of a list need.
func (w *rightsCheck) canNest(list []tree.KVOp) bool {
	for i := range list {
		t := list[i].Txn
		if t != nil && (!w.canExecute(t) || !w.canNest(t.Then) || !w.canNest(t.Else)) {
			return false
		}
	}
	return true
}
