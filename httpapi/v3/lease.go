package v3

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/httpapi/service"
	"pando/stats"
)

// leaseMethods is the service Lease.
var leaseMethods = []method{
	unary("LeaseGrant", (*Server).leaseGrant),
	unary("LeaseRevoke", (*Server).leaseRevoke),
	streaming("LeaseKeepAlive", stats.BidirectionalStream, (*Server).leaseKeepAlive),
	unary("LeaseTimeToLive", (*Server).leaseTimeToLive),
	unary("LeaseLeases", (*Server).leaseLeases),
}

func (s *Server) leaseGrant(ctx context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	lease, err := s.cfg.Service.GrantLease(ctx, sender(ctx), r.ID, r.TTL)
	if err != nil {
		return nil, err
	}
	return &pb.LeaseGrantResponse{Header: s.currentHeader(), ID: lease.ID, TTL: lease.TTL}, nil
}

func (s *Server) leaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	if err := s.cfg.Service.RevokeLease(ctx, sender(ctx), r.ID); err != nil {
		return nil, err
	}
	return &pb.LeaseRevokeResponse{Header: s.currentHeader()}, nil
}

// leaseKeepAlive renews leases, one with each request. A lease that does not exist gets a response with a TTL of 0. A client that does not
// read its responses blocks only this stream.
func (s *Server) leaseKeepAlive(stream *Stream) error {
	ctx := stream.Context()
	who := sender(ctx)
	requests, ended := receive[pb.LeaseKeepAliveRequest](stream)
	for {
		select {
		case r := <-requests:
			ttl, err := s.cfg.Service.RenewLease(ctx, who, r.ID)
			if err != nil {
				return err
			}
			if err := stream.SendMsg(&pb.LeaseKeepAliveResponse{Header: s.currentHeader(), ID: r.ID, TTL: ttl}); err != nil {
				return err
			}
		case err := <-ended:
			return err
		case <-ctx.Done():
			return nil // the caller returns the cause
		}
	}
}

// leaseTimeToLive shows a lease. One that does not exist has a TTL of -1.
func (s *Server) leaseTimeToLive(ctx context.Context, r *pb.LeaseTimeToLiveRequest) (*pb.LeaseTimeToLiveResponse, error) {
	keys := service.WithoutKeys
	if r.Keys {
		keys = service.WithKeys
	}
	state, err := s.cfg.Service.LeaseTTL(ctx, sender(ctx), r.ID, keys)
	if err != nil {
		return nil, err
	}
	reply := &pb.LeaseTimeToLiveResponse{Header: s.currentHeader(), ID: r.ID, TTL: state.Remaining, GrantedTTL: state.Granted}
	for _, key := range state.Keys {
		reply.Keys = append(reply.Keys, []byte(key))
	}
	return reply, nil
}

func (s *Server) leaseLeases(ctx context.Context, _ *pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error) {
	leases, err := s.cfg.Service.Leases(ctx, sender(ctx))
	if err != nil {
		return nil, err
	}
	reply := &pb.LeaseLeasesResponse{Header: s.currentHeader(), Leases: make([]*pb.LeaseStatus, len(leases))}
	for i, lease := range leases {
		reply.Leases[i] = &pb.LeaseStatus{ID: lease.ID}
	}
	return reply, nil
}
