package v3

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"pando/members"
)

// clusterMethods is the service Cluster.
var clusterMethods = []method{
	unary("MemberList", (*Server).memberList),
	unary("MemberAdd", (*Server).memberAdd),
	unary("MemberRemove", (*Server).memberRemove),
	unary("MemberUpdate", (*Server).memberUpdate),
	unary("MemberPromote", (*Server).memberPromote),
}

func (s *Server) memberList(ctx context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	if err := s.cfg.Service.AuthorizeUser(ctx, sender(ctx)); err != nil {
		return nil, err
	}
	list := s.cfg.Service.Members(ctx)
	if r.Linearizable {
		var err error
		if list, err = s.cfg.Service.LatestMembers(ctx); err != nil {
			return nil, err
		}
	}
	return &pb.MemberListResponse{Header: s.header(), Members: wireMembers(list)}, nil
}

// memberAdd adds a member. A new member is a learner until it has caught up, or until it is promoted if the request asks for a learner.
func (s *Server) memberAdd(ctx context.Context, r *pb.MemberAddRequest) (*pb.MemberAddResponse, error) {
	urls, err := members.ParseURLs(r.PeerURLs)
	if err != nil {
		return nil, rpctypes.ErrGRPCMemberBadURLs
	}
	add := s.cfg.Service.AddMember
	if r.IsLearner {
		add = s.cfg.Service.AddLearner
	}
	m, err := add(ctx, sender(ctx), urls, time.Now())
	if err != nil {
		return nil, err
	}
	list := s.cfg.Service.Members(ctx)
	for _, added := range list {
		if added.ID == m.ID {
			m = added
		}
	}
	return &pb.MemberAddResponse{Header: s.header(), Member: wireMember(m), Members: wireMembers(list)}, nil
}

func (s *Server) memberRemove(ctx context.Context, r *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	if err := s.cfg.Service.RemoveMember(ctx, sender(ctx), members.ID(r.ID)); err != nil {
		return nil, err
	}
	return &pb.MemberRemoveResponse{Header: s.header(), Members: wireMembers(s.cfg.Service.Members(ctx))}, nil
}

func (s *Server) memberUpdate(ctx context.Context, r *pb.MemberUpdateRequest) (*pb.MemberUpdateResponse, error) {
	urls, err := members.ParseURLs(r.PeerURLs)
	if err != nil {
		return nil, rpctypes.ErrGRPCMemberBadURLs
	}
	if err := s.cfg.Service.UpdateMember(ctx, sender(ctx), members.ID(r.ID), urls); err != nil {
		return nil, err
	}
	return &pb.MemberUpdateResponse{Header: s.header(), Members: wireMembers(s.cfg.Service.Members(ctx))}, nil
}

func (s *Server) memberPromote(ctx context.Context, r *pb.MemberPromoteRequest) (*pb.MemberPromoteResponse, error) {
	if err := s.cfg.Service.PromoteMember(ctx, sender(ctx), members.ID(r.ID)); err != nil {
		return nil, err
	}
	return &pb.MemberPromoteResponse{Header: s.header(), Members: wireMembers(s.cfg.Service.Members(ctx))}, nil
}

func wireMembers(list []members.Member) []*pb.Member {
	wire := make([]*pb.Member, len(list))
	for i, m := range list {
		wire[i] = wireMember(m)
	}
	return wire
}

func wireMember(m members.Member) *pb.Member {
	return &pb.Member{ID: uint64(m.ID), Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, IsLearner: m.Learner}
}
