package httpapi

import (
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestGRPCDowngrade expects what etcd 3.7.3 answers for versions to which it can't go.
func TestGRPCDowngrade(t *testing.T) {
	_, conn := serveGRPC(t, newFixture(t, nil))
	maintenance := pb.NewMaintenanceClient(conn)
	for _, action := range []pb.DowngradeRequest_DowngradeAction{pb.DowngradeRequest_VALIDATE, pb.DowngradeRequest_ENABLE} {
		for version, want := range map[string]error{
			"": rpctypes.ErrGRPCWrongDowngradeVersionFormat, "abc": rpctypes.ErrGRPCWrongDowngradeVersionFormat,
			"3": rpctypes.ErrGRPCWrongDowngradeVersionFormat, "v3.6.0": rpctypes.ErrGRPCWrongDowngradeVersionFormat,
			"3.5": rpctypes.ErrGRPCInvalidDowngradeTargetVersion, "3.5.0": rpctypes.ErrGRPCInvalidDowngradeTargetVersion,
			"3.8.0": rpctypes.ErrGRPCInvalidDowngradeTargetVersion, "2.0.0-alpha": rpctypes.ErrGRPCInvalidDowngradeTargetVersion,
		} {
			_, err := maintenance.Downgrade(t.Context(), &pb.DowngradeRequest{Action: action, Version: version})
			expectStatus(t, err, want)
		}
	}
	r, err := maintenance.Downgrade(t.Context(), &pb.DowngradeRequest{Action: pb.DowngradeRequest_CANCEL})
	if err != nil || r.Version != "3.6" {
		t.Errorf("got %v, %v", r, err)
	}
	_, err = maintenance.Downgrade(t.Context(), &pb.DowngradeRequest{Action: 9, Version: "3.5.0"})
	expectStatus(t, err, status.Error(codes.Unknown, "etcdserver: unknown method"))
}
