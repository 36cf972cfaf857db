package v3

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"pando/stats"
)

// healthMethods is the health service of gRPC. It knows one service, "": the whole member.
var healthMethods = []method{
	unary("Check", (*Server).checkHealth).beforeReady(),
	unary("List", (*Server).listHealth).beforeReady(),
	streaming("Watch", stats.ServerStream, (*Server).watchHealth).beforeReady(),
}

// healthInterval is the time between two looks at the health of the member for a stream.
const healthInterval = time.Second

var errUnknownService = status.Error(codes.NotFound, "unknown service")

func (s *Server) checkHealth(_ context.Context, r *health.HealthCheckRequest) (*health.HealthCheckResponse, error) {
	if r.Service != "" {
		return nil, errUnknownService
	}
	return &health.HealthCheckResponse{Status: s.health()}, nil
}

func (s *Server) listHealth(context.Context, *health.HealthListRequest) (*health.HealthListResponse, error) {
	return &health.HealthListResponse{Statuses: map[string]*health.HealthCheckResponse{"": {Status: s.health()}}}, nil
}

// watchHealth sends the health of the member, and again after each change.
func (s *Server) watchHealth(stream *Stream) error {
	var r health.HealthCheckRequest
	if err := stream.RecvMsg(&r); err != nil {
		return err
	}
	ticker := time.NewTicker(healthInterval)
	defer ticker.Stop()
	for last := health.HealthCheckResponse_UNKNOWN; ; {
		now := s.health()
		if r.Service != "" {
			now = health.HealthCheckResponse_SERVICE_UNKNOWN
		}
		if now != last {
			if err := stream.SendMsg(&health.HealthCheckResponse{Status: now}); err != nil {
				return err
			}
			last = now
		}
		select {
		case <-ticker.C:
		case <-stream.Context().Done():
			return context.Cause(stream.Context())
		}
	}
}

func (s *Server) health() health.HealthCheckResponse_ServingStatus {
	if s.cfg.Service.Health().OK {
		return health.HealthCheckResponse_SERVING
	}
	return health.HealthCheckResponse_NOT_SERVING
}
