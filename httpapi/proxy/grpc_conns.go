package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"net/url"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
)

// memberConns are the connections of gRPC to the members, one for each client URL. Its methods may be called from any goroutine.
type memberConns struct {
	cfg    Config
	mu     sync.Mutex
	conns  map[string]*grpc.ClientConn
	closed bool
}

func newMemberConns(cfg Config) *memberConns {
	return &memberConns{cfg: cfg, conns: map[string]*grpc.ClientConn{}}
}

// pingInterval is the time without a byte from a member after which a ping is sent, while a request waits. Members allow it.
const pingInterval = 10 * time.Second

// conn returns the connection to a client URL. It is opened with the first request, and again after a failure.
func (m *memberConns) conn(endpoint string) (*grpc.ClientConn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.conns[endpoint]; c != nil {
		return c, nil
	}
	if m.closed {
		return nil, net.ErrClosed
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("httpproxy: the URL of a member: %w", err)
	}
	var secure credentials.TransportCredentials = insecure.NewCredentials()
	if u.Scheme == "https" || u.Scheme == "unixs" {
		secure = memberCredentials{newConfig: m.cfg.NewTLSConfig}
	}
	dialer := &net.Dialer{Timeout: m.cfg.DialTimeout, KeepAliveConfig: keepAlive, Control: limitUnacknowledged(m.cfg.WriteTimeout)}
	c, err := grpc.NewClient("passthrough:///"+u.Host,
		grpc.WithTransportCredentials(secure),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32),
		),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingInterval, Timeout: handshakeTimeout}),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
	)
	if err != nil {
		return nil, fmt.Errorf("httpproxy: %w", err)
	}
	m.conns[endpoint] = c
	return c, nil
}

// close closes all connections.
func (m *memberConns) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, c := range m.conns {
		_ = c.Close() // no request is left on it
	}
}

// memberCredentials performs the handshakes of TLS with members. Each uses the newest certificates and CAs.
type memberCredentials struct {
	newConfig func() *tls.Config // may be nil
}

// ClientHandshake performs a handshake.
func (m memberCredentials) ClientHandshake(ctx context.Context, authority string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	config := &tls.Config{}
	if m.newConfig != nil {
		config = m.newConfig()
	}
	return credentials.NewTLS(config).ClientHandshake(ctx, authority, c)
}

// ServerHandshake is for servers. Clients don't call it.
func (m memberCredentials) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, net.ErrClosed
}

// Info names the protocol.
func (m memberCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone returns the same value: it has no state.
func (m memberCredentials) Clone() credentials.TransportCredentials { return m }

// OverrideServerName has no effect.
func (m memberCredentials) OverrideServerName(string) error { return nil }

// rawMessage is a message that is passed on without decoding it.
type rawMessage struct{ data mem.BufferSlice }

// free releases the message. SendMsg does it, too.
func (m *rawMessage) free() { m.data.Free() }

// rawCodec is the codec of rawMessages.
type rawCodec struct{}

// Name returns the name that is a part of the content type.
func (rawCodec) Name() string { return "proto" }

// Marshal returns the bytes of a rawMessage. grpc-go frees them when they are sent.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) { return v.(*rawMessage).data, nil }

// Unmarshal makes a rawMessage keep the bytes.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	data.Ref()
	v.(*rawMessage).data = data
	return nil
}
