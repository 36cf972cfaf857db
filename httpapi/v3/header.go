package v3

import pb "go.etcd.io/etcd/api/v3/etcdserverpb"

// header returns the header of a response without a revision. Responses of the services KV, Watch and Lease have one, those of Cluster have
// not, as in the reference.
func (s *Server) header() *pb.ResponseHeader {
	_, term := s.cfg.Service.Position()
	return &pb.ResponseHeader{ClusterId: uint64(s.cfg.Service.ClusterID()), MemberId: uint64(s.cfg.Service.Self()), RaftTerm: term}
}

// headerAt returns the header of a response that shows the tree at a revision.
func (s *Server) headerAt(revision uint64) *pb.ResponseHeader {
	h := s.header()
	h.Revision = int64(revision)
	return h
}

// currentHeader returns the header of a response that shows the newest tree of this member.
func (s *Server) currentHeader() *pb.ResponseHeader { return s.headerAt(s.cfg.Service.Revision()) }
