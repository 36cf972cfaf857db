package proxy

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"pando/httpapi"
)

// GRPC passes requests of gRPC on to members, message by message, without decoding them. It chooses the member as for requests of HTTP. A
// request goes to the next member only if the first one has no connection: otherwise a part of it may have been sent. Its methods may be
// called from any goroutine.
type GRPC struct {
	proxy   *Proxy
	server  *grpc.Server
	members *memberConns
	running context.Context // done when Shutdown ends the requests
	end     context.CancelFunc
}

// requestOverhead is what a message may be longer than GRPCLimits.RequestBytes, as in a member.
const requestOverhead = 512 << 10

// NewGRPC makes the GRPC of a proxy. The caller must call Serve, and then Shutdown.
func (p *Proxy) NewGRPC(l httpapi.GRPCLimits) *GRPC {
	g := &GRPC{proxy: p, members: newMemberConns(p.cfg)}
	g.running, g.end = context.WithCancel(context.Background())
	maxDecompressed.Store(l.RequestBytes + requestOverhead)
	maxStreams := l.Streams
	if maxStreams == 0 {
		maxStreams = math.MaxUint32
	}
	g.server = grpc.NewServer(
		grpc.UnknownServiceHandler(g.pass),
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxRecvMsgSize(int(min(l.RequestBytes+requestOverhead, math.MaxInt32))), // as in a member: the proxy keeps whole messages
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: l.PingMinTime}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: l.PingInterval, Timeout: l.PingTimeout}),
	)
	return g
}

// Serve serves the connections of a listener until the listener is closed.
func (g *GRPC) Serve(l net.Listener) error { return g.server.Serve(l) }

// Shutdown refuses new requests and waits for the others. After half of the time of ctx it ends those that are left, such as watches. When
// ctx is done, it closes all connections and returns the error of ctx.
func (g *GRPC) Shutdown(ctx context.Context) error {
	wait := time.Duration(0)
	if deadline, ok := ctx.Deadline(); ok {
		wait = time.Until(deadline) / 2
	}
	defer time.AfterFunc(wait, g.end).Stop()
	defer g.members.close()
	done := make(chan struct{})
	go func() {
		g.server.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		g.end()
		g.server.Stop()
		return ctx.Err()
	}
}

// readMethods are the methods that a read-only proxy passes on.
var readMethods = map[string]bool{
	"/etcdserverpb.KV/Range": true, "/etcdserverpb.Watch/Watch": true,
	"/etcdserverpb.Lease/LeaseTimeToLive": true, "/etcdserverpb.Lease/LeaseLeases": true,
	"/etcdserverpb.Cluster/MemberList": true, "/etcdserverpb.Maintenance/Status": true, "/etcdserverpb.Maintenance/HashKV": true,
	"/etcdserverpb.Auth/Authenticate": true, "/etcdserverpb.Auth/AuthStatus": true,
	"/grpc.health.v1.Health/Check": true, "/grpc.health.v1.Health/List": true, "/grpc.health.v1.Health/Watch": true,
}

// pass serves a request of any method.
func (g *GRPC) pass(_ any, client grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(client) // there always is one
	if g.proxy.cfg.Mode == ReadOnly && !readMethods[method] {
		return status.Error(codes.Unimplemented, "this proxy is read-only (--proxy=readonly); send the request to a member")
	}
	ctx, cancel := context.WithCancel(client.Context())
	defer cancel()
	defer context.AfterFunc(g.running, cancel)()
	host, ctx := outgoing(ctx)
	member, err := g.open(ctx, host, method)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- passRequests(client, member) }()
	err = passResponses(member, client)
	if err == nil {
		return nil
	}
	select {
	case failed := <-sent:
		if failed != nil && client.Context().Err() != nil {
			return status.FromContextError(client.Context().Err()).Err()
		}
	default: // the client may send more
	}
	if g.running.Err() != nil {
		return status.Error(codes.Unavailable, "the proxy stops")
	}
	return err
}

// outgoing returns the host of the client of a request, and the context of the request to a member. Its metadata names the proxy and the
// client, so members don't take the certificate of the proxy for that of the client.
func outgoing(ctx context.Context) (host string, out context.Context) {
	md, _ := metadata.FromIncomingContext(ctx)
	md = md.Copy()
	for _, name := range [...]string{":authority", "content-type", "user-agent", "grpc-accept-encoding"} {
		md.Delete(name) // grpc-go sets them for each connection
	}
	if p, ok := peer.FromContext(ctx); ok {
		if host, _, _ = net.SplitHostPort(p.Addr.String()); host != "" {
			md.Append("x-forwarded-for", host)
		}
	}
	md.Append("via", "2 pando")
	return host, metadata.NewOutgoingContext(ctx, md)
}

// open begins a request to the first member that has a connection.
func (g *GRPC) open(ctx context.Context, host, method string) (grpc.ClientStream, error) {
	last := status.Error(codes.Unavailable, errNoEndpoints.Error())
	for _, endpoint := range g.proxy.endpoints.inOrder(host) {
		conn, err := g.members.conn(endpoint)
		if err != nil {
			return nil, status.Error(codes.Unavailable, err.Error())
		}
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
		if err == nil || status.Code(err) != codes.Unavailable {
			return stream, err
		}
		g.proxy.endpoints.fail(endpoint)
		g.proxy.refresher.trigger()
		g.proxy.log.Warn("a member failed and gets no requests for a while", zap.String("endpoint", endpoint), zap.Error(err))
		last = err
	}
	return nil, last
}

// passRequests passes the messages of the client on until it has sent all.
func passRequests(client grpc.ServerStream, member grpc.ClientStream) error {
	for {
		var m rawMessage
		err := client.RecvMsg(&m)
		if errors.Is(err, io.EOF) {
			return member.CloseSend()
		}
		if err != nil {
			return err
		}
		if err := member.SendMsg(&m); err != nil {
			return err // the member's error comes with its response
		}
	}
}

// passResponses passes the header, the messages and the trailer of a member on. It returns the error with which the request ends.
func passResponses(member grpc.ClientStream, client grpc.ServerStream) error {
	for first := true; ; first = false {
		var m rawMessage
		err := member.RecvMsg(&m)
		if first {
			if header, failed := member.Header(); failed == nil && err == nil {
				if failed := client.SendHeader(header); failed != nil {
					m.free()
					return failed
				}
			}
		}
		if err != nil {
			client.SetTrailer(member.Trailer())
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := client.SendMsg(&m); err != nil {
			return err
		}
	}
}
