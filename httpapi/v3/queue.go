package v3

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pando/httpapi/auth"
	"pando/httpapi/service"
	"pando/tree"
)

// queue is the queue of a lock or of an election: all keys that begin with its name and a slash, in the order of their create revisions.
// The client of the oldest key holds the lock, or is elected. The rest of a key is the ID of the lease of its client, in hexadecimal. The
// client library of the reference uses the same keys, so its users and those of these services wait in one queue.
type queue struct {
	server *Server
	who    auth.Credentials
	keys   tree.KeyRange
}

// queueTTL is the time to live, in seconds, of the lease that the server grants for a request without a lease, as in the reference. Nobody
// renews it unless the client does.
const queueTTL = 60

// queue returns the queue with a name, for the sender of a request.
func (s *Server) queue(ctx context.Context, name []byte) queue {
	return queue{s, sender(ctx), tree.KeyRange{From: string(name) + "/", To: string(name) + "0"}}
}

// place is a key in a queue.
type place struct {
	queue
	key      string
	lease    int64
	created  uint64 // its create revision
	entered  bool   // enter has made the key
	revision uint64 // of the tree when the key was last read or written
	value    string // when enter has found the key
	first    bool   // the key was the oldest one at this revision
}

// errPlaceLost is the error of a place whose key was removed while it waited: its lease has ended, or a client has removed the key.
var errPlaceLost = errors.New("the key in the queue was removed")

// enter returns the place of a lease, and makes it if the lease has none. A lease of 0 stands for a new one.
//
// The log has a time limit of its own, and enter waits for its answer even when ctx is done: otherwise a canceled request could leave a key
// behind.
func (q queue) enter(ctx context.Context, lease int64, value string) (*place, error) {
	ctx = context.WithoutCancel(ctx)
	if lease == 0 {
		granted, err := q.server.cfg.Service.GrantLease(ctx, q.who, 0, queueTTL)
		if err != nil {
			return nil, err
		}
		lease = granted.ID
	}
	p := &place{queue: q, key: fmt.Sprintf("%s%x", q.keys.From, lease), lease: lease}
	own := tree.KVOp{Kind: tree.KVRange, Range: &tree.RangeQuery{KeyRange: tree.SingleKey(p.key)}}
	oldest := tree.KVOp{Kind: tree.KVRange, Range: q.oldest()}
	result, err := p.txn(ctx, &tree.KVTxn{
		Compares: []tree.KVCompare{createdAt(p.key, 0)},
		Then:     []tree.KVOp{{Kind: tree.KVPut, Key: p.key, Value: value, Lease: lease}, oldest},
		Else:     []tree.KVOp{own, oldest},
	})
	if err != nil {
		return nil, err
	}
	p.revision, p.entered, p.created, p.value = result.Revision, result.Succeeded, result.Revision, value
	if !result.Succeeded {
		found := result.Ops[0].Range.Nodes[0]
		p.created, p.value = found.CreateRevision(), found.Value()
	}
	first := result.Ops[1].Range.Nodes
	p.first = len(first) > 0 && first[0].Path() == p.key
	return p, nil
}

// createdAt returns the condition that a key was made at a revision, or that it does not exist if the revision is 0.
func createdAt(key string, revision uint64) tree.KVCompare {
	return tree.KVCompare{
		KeyRange: tree.SingleKey(key), Target: tree.KVTargetCreate, Result: tree.KVEqual, Number: int64(revision),
	}
}

// oldest returns the query for the oldest key.
func (q queue) oldest() *tree.RangeQuery {
	return &tree.RangeQuery{KeyRange: q.keys, Limit: 1, Sort: tree.SortByCreate, Order: tree.SortAscending}
}

// txn executes a transaction. Its number of operations does not depend on the limit for transactions of clients.
func (q queue) txn(ctx context.Context, t *tree.KVTxn) (*tree.KVResult, error) {
	if err := t.Check(tree.DefaultMaxTxnOps); err != nil {
		return nil, err
	}
	return q.server.cfg.Service.KVTxn(ctx, q.who, t, service.Linearizable)
}

// await returns when the key is the oldest one. While it waits, the request counts as a watch. After an error the key is removed. The
// errors are those of package service, errPlaceLost, rpctypes.ErrGRPCRequestTooManyRequests, rpctypes.ErrGRPCStopped and those of ctx.
func (p *place) await(ctx context.Context) error {
	under := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.server.stopping, func() { cancel(rpctypes.ErrGRPCStopped) })()
	var err error
	switch {
	case !p.first:
		err = p.awaitOlder(ctx)
	case p.entered: // the client gets no response if it has canceled the request
		err = ctx.Err()
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	p.leave(context.WithoutCancel(under))
	return err
}

// awaitOlder waits until there is no older key.
func (p *place) awaitOlder(ctx context.Context) error {
	limits := &p.server.cfg
	if !limits.Watches.Begin() {
		return rpctypes.ErrGRPCRequestTooManyRequests
	}
	defer limits.Watches.End()
	limits.Requests.End()
	defer limits.Requests.Resume()
	for {
		older, err := p.look(ctx)
		if err != nil || older == "" {
			return err
		}
		if err := p.awaitRemoval(ctx, older); err != nil {
			return err
		}
	}
}

// look returns the key before this one in the queue, or "" if there is none. It returns errPlaceLost if the key itself does not exist.
func (p *place) look(ctx context.Context) (older string, err error) {
	// The create revision of a key is at least 1, and a bound of 0 would be none.
	before := &tree.RangeQuery{KeyRange: p.keys, Limit: 1, Sort: tree.SortByCreate, Order: tree.SortDescending, MaxCreate: p.created - 1}
	if p.created <= 1 {
		before.KeyRange = tree.SingleKey(p.key)
		before.MinCreate = p.created + 1
	}
	result, err := p.txn(ctx, &tree.KVTxn{Then: []tree.KVOp{
		{Kind: tree.KVRange, Range: &tree.RangeQuery{KeyRange: tree.SingleKey(p.key)}}, {Kind: tree.KVRange, Range: before},
	}})
	if err != nil {
		return "", err
	}
	p.revision = result.Revision
	own, found := result.Ops[0].Range.Nodes, result.Ops[1].Range.Nodes
	switch {
	case len(own) == 0 || own[0].CreateRevision() != p.created:
		return "", errPlaceLost
	case len(found) == 0:
		return "", nil
	}
	return found[0].Path(), nil
}

// awaitRemoval waits until an older key or the key itself is removed. It may return too early.
func (p *place) awaitRemoval(ctx context.Context, older string) error {
	changes := newKeyChanges(p.queue)
	defer changes.close()
	for _, key := range [...]string{older, p.key} {
		if err := changes.watch(ctx, tree.SingleKey(key), p.revision+1); err != nil {
			return ignoreCompacted(err)
		}
	}
	for {
		events, err := changes.next(ctx)
		if err != nil {
			return ignoreCompacted(err)
		}
		for _, e := range events {
			if e.Deleted {
				return nil
			}
		}
	}
}

// ignoreCompacted returns nil for the error of a watch whose events are no longer kept: its caller reads the keys again.
func ignoreCompacted(err error) error {
	if e, ok := errors.AsType[*tree.Error](err); ok && e.Code == tree.CodeCompacted {
		return nil
	}
	return err
}

// leave removes the key, unless another request has made it anew. An error is ignored: the lease of the key ends some time.
func (p *place) leave(ctx context.Context) {
	_, _ = p.txn(ctx, &tree.KVTxn{
		Compares: []tree.KVCompare{createdAt(p.key, p.created)},
		Then:     []tree.KVOp{{Kind: tree.KVDeleteRange, Keys: tree.SingleKey(p.key)}},
	})
}

// libraryError returns the error of a lock or of an election. In the reference these services use the client library, which keeps the text
// of an error and loses its code.
func libraryError(ctx context.Context, err error) error {
	err = toStatus(ctx, err)
	if errors.Is(err, rpctypes.ErrGRPCStopped) {
		return err
	}
	if known, ok := errors.AsType[rpctypes.EtcdError](rpctypes.Error(err)); ok {
		return status.Error(codes.Unknown, known.Error())
	}
	return err
}
