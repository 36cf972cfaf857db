package v3

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"pando/httpapi/service"
	"pando/members"
	"pando/stats"
)

// maintenanceMethods is the service Maintenance.
var maintenanceMethods = []method{
	unary("Alarm", (*Server).alarm).beforeReady(),
	unary("Status", (*Server).status).beforeReady().fromLearners(),
	unary("Defragment", (*Server).defragment),
	unary("Hash", (*Server).hash),
	unary("HashKV", (*Server).hashKV),
	streaming("Snapshot", stats.ServerStream, (*Server).snapshot).fromLearners(),
	unary("MoveLeader", (*Server).moveLeader),
	unary("Downgrade", (*Server).downgrade),
}

func (s *Server) status(ctx context.Context, _ *pb.StatusRequest) (*pb.StatusResponse, error) {
	if err := s.cfg.Service.AuthorizeUser(ctx, sender(ctx)); err != nil {
		return nil, err
	}
	now := s.cfg.Service.Status()
	r := &pb.StatusResponse{
		Header:    s.headerAt(s.cfg.Service.Revision()),
		Version:   stats.V3APILevel,
		DbSize:    now.DatabaseBytes,
		Leader:    uint64(now.Leader),
		RaftIndex: now.Committed, RaftTerm: now.Term, RaftAppliedIndex: now.Applied,
		DbSizeInUse:    now.DatabaseBytes, // a start needs all of it
		IsLearner:      now.Learner,
		StorageVersion: stats.V3APILevel,
		DbSizeQuota:    now.QuotaBytes,
		DowngradeInfo:  &pb.DowngradeInfo{},
	}
	if now.Leader == 0 {
		r.Errors = append(r.Errors, rpctypes.ErrorDesc(rpctypes.ErrGRPCNoLeader))
	}
	for _, a := range s.alarms(now) {
		r.Errors = append(r.Errors, fmt.Sprintf("memberID:%d  alarm:%s", a.MemberID, a.Alarm))
	}
	return r, nil
}

// hashKV returns a checksum of the keys and their history, by which a client compares members.
func (s *Server) hashKV(ctx context.Context, r *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	h, err := s.cfg.Service.HashKV(ctx, sender(ctx), r.Revision)
	if err != nil {
		return nil, err
	}
	return &pb.HashKVResponse{
		Header: s.headerAt(uint64(h.Revision)), Hash: h.Hash, CompactRevision: h.Compacted, HashRevision: h.Hashed,
	}, nil
}

// hash returns a checksum of all data.
func (s *Server) hash(ctx context.Context, _ *pb.HashRequest) (*pb.HashResponse, error) {
	hash, revision, err := s.cfg.Service.Hash(ctx, sender(ctx))
	if err != nil {
		return nil, err
	}
	return &pb.HashResponse{Header: s.headerAt(revision), Hash: hash}, nil
}

// defragment returns when the state is in a new file without free space.
func (s *Server) defragment(ctx context.Context, _ *pb.DefragmentRequest) (*pb.DefragmentResponse, error) {
	if err := s.cfg.Service.Defragment(ctx, sender(ctx)); err != nil {
		return nil, err
	}
	return &pb.DefragmentResponse{}, nil // without a header, as in the reference
}

// moveLeader transfers the leadership. As in the reference, only the leader does that.
func (s *Server) moveLeader(ctx context.Context, r *pb.MoveLeaderRequest) (*pb.MoveLeaderResponse, error) {
	if err := s.cfg.Service.AuthorizeRoot(ctx, sender(ctx), service.LeaderTransfer, members.ID(r.TargetID).String()); err != nil {
		return nil, err
	}
	if s.cfg.Service.Status().Leader != s.cfg.Service.Self() {
		return nil, service.ErrNotLeader
	}
	target := members.ID(r.TargetID)
	for _, m := range s.cfg.Service.Members(ctx) {
		if m.ID == target && !m.Learner {
			if err := s.cfg.Service.TransferLeader(ctx, sender(ctx), target); err != nil {
				return nil, err
			}
			return &pb.MoveLeaderResponse{Header: s.headerAt(s.cfg.Service.Revision())}, nil
		}
	}
	return nil, rpctypes.ErrGRPCBadLeaderTransferee
}
