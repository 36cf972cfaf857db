package v3

import (
	"context"
	"crypto/tls"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"pando/httpapi/auth"
	"pando/httpapi/h2"
)

// sender returns the credentials of the sender of a request.
func sender(ctx context.Context) auth.Credentials {
	var remote string
	var state *tls.ConnectionState
	if p, ok := peer.FromContext(ctx); ok {
		remote = p.Addr.String()
		if info, ok := p.AuthInfo.(transportInfo); ok {
			state = info.state
		}
	}
	md, _ := metadata.FromIncomingContext(ctx)
	return auth.FromMetadata(remote, state, md)
}

// transport is the credentials.TransportCredentials of connections whose handshake of TLS is complete, and of those without TLS.
type transport struct{}

// transportInfo is what a connection has proved. state is nil without TLS.
type transportInfo struct {
	credentials.CommonAuthInfo
	state *tls.ConnectionState
}

// AuthType returns a name for logs.
func (i transportInfo) AuthType() string {
	if i.state == nil {
		return "insecure"
	}
	return "tls"
}

// newTransportInfo returns the transportInfo of a connection with a state of TLS; nil without TLS.
func newTransportInfo(state *tls.ConnectionState) transportInfo {
	level := credentials.NoSecurity
	if state != nil {
		level = credentials.PrivacyAndIntegrity
	}
	return transportInfo{credentials.CommonAuthInfo{SecurityLevel: level}, state}
}

// ServerHandshake returns the connection and what it has proved.
func (transport) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	var state *tls.ConnectionState
	if c, ok := c.(*h2.Conn); ok {
		state = c.TLS()
	}
	return c, newTransportInfo(state), nil
}

// ClientHandshake is for clients. Servers don't call it.
func (transport) ClientHandshake(_ context.Context, _ string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c, newTransportInfo(nil), nil
}

// Info returns nothing that a server uses.
func (transport) Info() credentials.ProtocolInfo { return credentials.ProtocolInfo{} }

// Clone returns the same value: it has no state.
func (t transport) Clone() credentials.TransportCredentials { return t }

// OverrideServerName is for clients.
func (transport) OverrideServerName(string) error { return nil }
