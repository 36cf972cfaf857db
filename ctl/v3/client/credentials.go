package client

import (
	"context"
	"crypto/tls"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// mixedCredentials makes TLS connections to the addresses that ask for it, and plain ones to the others.
type mixedCredentials struct {
	credentials.TransportCredentials // with TLS
	plain                            credentials.TransportCredentials
}

func newCredentials(config *tls.Config) credentials.TransportCredentials {
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return &mixedCredentials{credentials.NewTLS(config), insecure.NewCredentials()}
}

// ClientHandshake makes the handshake that the attributes of the address ask for.
func (m *mixedCredentials) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if credentials.ClientHandshakeInfoFromContext(ctx).Attributes.Value(securityKey{}) == overTLS {
		return m.TransportCredentials.ClientHandshake(ctx, authority, conn)
	}
	return m.plain.ClientHandshake(ctx, authority, conn)
}

// Clone returns a copy.
func (m *mixedCredentials) Clone() credentials.TransportCredentials {
	return &mixedCredentials{m.TransportCredentials.Clone(), m.plain.Clone()}
}
