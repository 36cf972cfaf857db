package v3

import (
	"context"
	"crypto/tls"
	"net"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/metadata"

	"pando/httpapi/auth"
	"pando/httpapi/h2"
)

// requestOrigin has the data about the sender of a request, from its connection and its metadata.
type requestOrigin struct {
	sender      auth.Credentials
	wantsLeader bool // the request must fail if the member has no leader
}

// originKey is the context key of the *requestOrigin.
type originKey struct{}

// sender returns the credentials of the sender of a request.
func sender(ctx context.Context) auth.Credentials { return origin(ctx).sender }

func origin(ctx context.Context) *requestOrigin { return ctx.Value(originKey{}).(*requestOrigin) }

// withOrigin returns a context for a request of a client at an address, with a state of TLS, nil without TLS, and metadata.
func withOrigin(ctx context.Context, remote string, state *tls.ConnectionState, md metadata.MD) context.Context {
	leader := md[rpctypes.MetadataRequireLeaderKey]
	return context.WithValue(ctx, originKey{}, &requestOrigin{
		sender:      auth.FromMetadata(remote, state, md),
		wantsLeader: len(leader) > 0 && leader[0] == rpctypes.MetadataHasLeader,
	})
}

// newContext is the function rpc.Config.NewContext.
func newContext(c net.Conn, md metadata.MD) context.Context {
	var state *tls.ConnectionState
	if c, ok := c.(*h2.Conn); ok {
		state = c.TLS()
	}
	return withOrigin(context.Background(), c.RemoteAddr().String(), state, md)
}
