package v3

import (
	"context"
	"errors"

	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pando/tree"
)

// lockMethods is the service Lock.
var lockMethods = []method{
	unary("Lock", (*Server).lock),
	unary("Unlock", (*Server).unlock),
}

// errSessionExpired is the error of a Lock whose key was removed while it waited.
var errSessionExpired = status.Error(codes.Unknown, "mutex: session is expired")

// lock waits until the sender holds a lock. It holds the lock until the key of the response is removed, by Unlock or with its lease. A
// request that is canceled while it waits leaves no key.
func (s *Server) lock(ctx context.Context, r *v3lockpb.LockRequest) (*v3lockpb.LockResponse, error) {
	p, err := s.queue(ctx, r.Name).enter(ctx, r.Lease, "")
	if err == nil {
		err = p.await(ctx)
	}
	if errors.Is(err, errPlaceLost) {
		return nil, errSessionExpired
	}
	if err != nil {
		return nil, libraryError(ctx, err)
	}
	return &v3lockpb.LockResponse{Header: s.headerAt(p.revision), Key: []byte(p.key)}, nil
}

// unlock removes the key of a lock. One that does not exist is no error, as in the reference.
func (s *Server) unlock(ctx context.Context, r *v3lockpb.UnlockRequest) (*v3lockpb.UnlockResponse, error) {
	c := tree.Command{Op: tree.OpDeleteRange, Path: string(r.Key), Value: tree.SingleKey(string(r.Key)).To}
	if err := c.CheckKV(s.cfg.Limits.TxnOps); err != nil {
		return nil, libraryError(ctx, err)
	}
	result, err := s.cfg.Service.DeleteRange(ctx, sender(ctx), &c)
	if err != nil {
		return nil, libraryError(ctx, err)
	}
	return &v3lockpb.UnlockResponse{Header: s.headerAt(result.Revision)}, nil
}
