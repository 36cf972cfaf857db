package v3

import (
	"context"
	"regexp"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pando/httpapi/service"
	"pando/stats"
)

// downgradeTarget is the form of the target version in a request.
var downgradeTarget = regexp.MustCompile(`^[0-9]+\.[0-9]+(\.[0-9]+)?([-+][0-9A-Za-z.+-]*)?$`)

// downgrade refuses every target version: a member of Pando can't become another version of etcd. A request to cancel a downgrade
// succeeds, as in the reference, although there is none.
func (s *Server) downgrade(ctx context.Context, r *pb.DowngradeRequest) (*pb.DowngradeResponse, error) {
	if err := s.cfg.Service.AuthorizeRoot(ctx, sender(ctx), service.OpDowngrade, r.Version); err != nil {
		return nil, err
	}
	switch r.Action {
	case pb.DowngradeRequest_VALIDATE, pb.DowngradeRequest_ENABLE:
		if !downgradeTarget.MatchString(r.Version) {
			return nil, rpctypes.ErrGRPCWrongDowngradeVersionFormat
		}
		return nil, rpctypes.ErrGRPCInvalidDowngradeTargetVersion
	case pb.DowngradeRequest_CANCEL:
		version := stats.V3APILevel[:strings.LastIndexByte(stats.V3APILevel, '.')]
		return &pb.DowngradeResponse{Header: s.currentHeader(), Version: version}, nil
	}
	return nil, status.Error(codes.Unknown, "etcdserver: unknown method")
}
