package client

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// KeepAliveOnce renews a lease once. The error for a lease that does not exist is rpctypes.ErrLeaseNotFound.
func (c *Client) KeepAliveOnce(ctx context.Context, id int64) (*pb.LeaseKeepAliveResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		response, err := c.renew(ctx, id)
		switch {
		case err != nil && unavailable(err) && pause(ctx, streamPause):
		case err != nil:
			return nil, err
		case response.TTL <= 0:
			return nil, rpctypes.Error(rpctypes.ErrGRPCLeaseNotFound)
		default:
			return response, nil
		}
	}
}

// renew renews a lease by a stream of its own.
func (c *Client) renew(ctx context.Context, id int64) (*pb.LeaseKeepAliveResponse, error) {
	stream, err := c.Lease.LeaseKeepAlive(RequireLeader(ctx))
	if err != nil {
		return nil, err
	}
	defer stream.CloseSend()
	if err = stream.Send(&pb.LeaseKeepAliveRequest{ID: id}); err != nil {
		_, err = stream.Recv() // it has the error of the stream
		return nil, Error(ctx, err)
	}
	response, err := stream.Recv()
	return response, Error(ctx, err)
}

// KeepAlive renews a lease until ctx is done, each time when a third of its TTL has passed, and calls renewed with every response. It
// returns nil when ctx is done, and rpctypes.ErrLeaseNotFound when the lease has ended, or must have ended because no member has
// renewed it.
func (c *Client) KeepAlive(ctx context.Context, id int64, renewed func(*pb.LeaseKeepAliveResponse)) error {
	var stream pb.Lease_LeaseKeepAliveClient
	var deadline time.Time // zero before the first response
	for {
		response, err := c.renewBy(ctx, &stream, id)
		wait := streamPause
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && (!unavailable(err) && !c.token.expired(err)):
			return err
		case err != nil && !deadline.IsZero() && time.Now().After(deadline):
			return rpctypes.Error(rpctypes.ErrGRPCLeaseNotFound)
		case err != nil:
		case response.TTL <= 0:
			return rpctypes.Error(rpctypes.ErrGRPCLeaseNotFound)
		default:
			ttl := time.Duration(response.TTL) * time.Second
			deadline, wait = time.Now().Add(ttl), ttl/3
			renewed(response)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// renewBy renews a lease by a stream. It opens the stream if there is none, and removes a broken one.
func (c *Client) renewBy(ctx context.Context, stream *pb.Lease_LeaseKeepAliveClient, id int64) (*pb.LeaseKeepAliveResponse, error) {
	if *stream == nil {
		opened, err := c.Lease.LeaseKeepAlive(RequireLeader(ctx))
		if err != nil {
			return nil, err
		}
		*stream = opened
	}
	_ = (*stream).Send(&pb.LeaseKeepAliveRequest{ID: id}) // Recv has the error of a broken stream
	response, err := (*stream).Recv()
	if err != nil {
		*stream = nil
	}
	return response, Error(ctx, err)
}
