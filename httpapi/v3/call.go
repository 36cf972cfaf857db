package v3

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pando/httpapi/rpc"
	"pando/stats"
	"pando/tree"
)

// call serves the requests of a method. Its methods are called from any goroutine.
type call struct {
	server *Server
	method *method
	counts *stats.GRPCMethod
}

// unary is the handler of a rpc.Method.
func (c *call) unary(ctx context.Context, decode func(any) error) (any, error) {
	start := time.Now()
	c.counts.Started()
	var reply any
	err := error(rpctypes.ErrGRPCRequestTooManyRequests)
	if c.server.cfg.Requests.Begin() {
		reply, err = c.serve(ctx, decode)
		c.server.cfg.Requests.End()
	}
	if err != nil {
		err = c.failed(ctx, err)
	}
	c.counts.Handled(status.Code(err), time.Since(start))
	return reply, err
}

// failed returns the error that a client gets for an error of the method.
func (c *call) failed(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*tree.Error](err); ok && e.Code == tree.CodeResultTooLarge {
		c.counts.ResponseTooLarge()
	}
	return toStatus(ctx, err)
}

// serve serves one request, which the caller counts. The errors are those of the method: see failed.
func (c *call) serve(ctx context.Context, decode func(any) error) (reply any, err error) {
	defer c.recover(&err)
	if err := c.admit(ctx); err != nil {
		return nil, err
	}
	return c.method.serve(c.server, ctx, decode)
}

// admit returns an error if the member can't serve a request now. It waits until the member is ready.
func (c *call) admit(ctx context.Context) error {
	if !c.method.byLearners && c.server.cfg.Service.IsLearner() {
		return rpctypes.ErrGRPCNotSupportedForLearner
	}
	if wantsLeader(ctx) && !c.server.cfg.Service.HasLeader() {
		return rpctypes.ErrGRPCNoLeader
	}
	if c.method.early || c.server.cfg.Service.IsReady() {
		return nil
	}
	rpc.MayWait(ctx)
	return c.server.cfg.Service.AwaitReady(ctx)
}

// wantsLeader reports whether a client wants an error if the member has no leader.
func wantsLeader(ctx context.Context) bool { return origin(ctx).wantsLeader }

// recover turns a panic into an error: a request must not end the process. Callers must defer it.
func (c *call) recover(err *error) {
	if p := recover(); p != nil {
		c.server.cfg.Logger.Error("a request of gRPC caused a panic; please report it",
			zap.String("method", c.method.name), zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
		*err = status.Error(codes.Internal, "the server has a fault, see its log")
	}
}
