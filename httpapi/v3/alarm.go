package v3

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pando/httpapi/service"
)

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

// authorizeAlarm returns an error if the sender has no right to the action. To change alarms, the sender needs the role root.
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
