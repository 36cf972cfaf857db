package v3

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pando/httpapi/service"
	"pando/members"
	"pando/stats"
)

// maintenanceMethods is the service Maintenance.
var maintenanceMethods = []method{
	unary("Alarm", (*Server).alarm).beforeReady(),
	unary("Status", (*Server).status).beforeReady(),
	unary("MoveLeader", (*Server).moveLeader),
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

// alarm lists the alarms of this member. They follow from its state: no request can activate one, and none ends while its cause lasts.
func (s *Server) alarm(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	if err := s.authorizeAlarm(ctx, r.Action); err != nil {
		return nil, err
	}
	header := s.headerAt(s.cfg.Service.Revision())
	switch r.Action {
	case pb.AlarmRequest_GET:
		reply := &pb.AlarmResponse{Header: header}
		for _, a := range s.alarms(s.cfg.Service.Status()) {
			if (r.Alarm == pb.AlarmType_NONE || r.Alarm == a.Alarm) && (r.MemberID == 0 || r.MemberID == a.MemberID) {
				reply.Alarms = append(reply.Alarms, a)
			}
		}
		return reply, nil
	case pb.AlarmRequest_DEACTIVATE:
		return &pb.AlarmResponse{Header: header}, nil
	}
	return nil, status.Error(codes.Unimplemented,
		"alarms can't be activated: NOSPACE follows from --quota-bytes, and a member that differs from the others stops by itself")
}

// authorizeAlarm returns nil if the sender may list alarms, or change them, for which it needs the role root.
func (s *Server) authorizeAlarm(ctx context.Context, action pb.AlarmRequest_AlarmAction) error {
	if action == pb.AlarmRequest_GET {
		return s.cfg.Service.AuthorizeUser(ctx, sender(ctx))
	}
	return s.cfg.Service.AuthorizeRoot(ctx, sender(ctx), service.OpAlarm, "")
}

func (s *Server) alarms(now service.Status) []*pb.AlarmMember {
	if !now.QuotaReached {
		return nil
	}
	return []*pb.AlarmMember{{MemberID: uint64(s.cfg.Service.Self()), Alarm: pb.AlarmType_NOSPACE}}
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
