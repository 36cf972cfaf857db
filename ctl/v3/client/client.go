package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"math"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// Config is what a Client needs to know. Only Endpoints is required.
type Config struct {
	Endpoints   []string      // HOST:PORT, or a URL with http, https, unix or unixs
	TLS         *tls.Config   // for endpoints with TLS; nil: the CAs of the system. With it, HOST:PORT means TLS
	DialTimeout time.Duration // how long one attempt to connect may take; 0: 2 s

	KeepAliveTime    time.Duration // a connection that has been quiet for so long is probed; 0: never
	KeepAliveTimeout time.Duration // a connection that does not answer a probe for so long is closed

	User, Password string // empty: no user
	Token          string // a token that the caller has; it takes the place of User

	MaxSendBytes, MaxRecvBytes int // of one message; 0: 2 MiB, and no limit

	Debug io.Writer // gets a line for each call; nil: none
}

const (
	defaultDialTimeout  = 2 * time.Second
	defaultMaxSendBytes = 2 << 20
)

// serviceConfig spreads the calls over all endpoints that are connected.
const serviceConfig = `{"loadBalancingConfig": [{"round_robin": {}}]}`

// Client is a client of a cluster, or of one member. Callers must Close it.
type Client struct {
	KV          pb.KVClient
	Watch       pb.WatchClient
	Lease       pb.LeaseClient
	Cluster     pb.ClusterClient
	Maintenance pb.MaintenanceClient
	Auth        pb.AuthClient

	config Config
	conn   *grpc.ClientConn
	token  *tokenSource
}

// New returns a client. It does not connect; the first call does. Its errors are about the Config.
func New(config Config) (*Client, error) {
	byDefault := plainText
	if config.TLS != nil {
		byDefault = overTLS
	}
	addresses, err := parseEndpoints(config.Endpoints, byDefault)
	if err != nil {
		return nil, err
	}
	config.DialTimeout = cmp.Or(config.DialTimeout, defaultDialTimeout)
	c := &Client{config: config}
	c.token = &tokenSource{client: c, token: config.Token}
	endpoints := manual.NewBuilderWithScheme("endpoints")
	endpoints.InitialState(resolver.State{Endpoints: addresses})
	options := []grpc.DialOption{
		grpc.WithResolvers(endpoints),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithTransportCredentials(newCredentials(config.TLS)),
		grpc.WithContextDialer(dial),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second},
			MinConnectTimeout: config.DialTimeout,
		}),
		grpc.WithDefaultCallOptions(
			grpc.WaitForReady(true),
			grpc.MaxCallSendMsgSize(cmp.Or(config.MaxSendBytes, defaultMaxSendBytes)),
			grpc.MaxCallRecvMsgSize(cmp.Or(config.MaxRecvBytes, math.MaxInt32)),
		),
		grpc.WithUnaryInterceptor(c.callUnary),
		grpc.WithStreamInterceptor(c.openStream),
	}
	if config.KeepAliveTime > 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: config.KeepAliveTime, Timeout: config.KeepAliveTimeout,
		}))
	}
	if c.conn, err = grpc.NewClient("endpoints:///cluster", options...); err != nil {
		return nil, err
	}
	c.KV, c.Watch, c.Lease = pb.NewKVClient(c.conn), pb.NewWatchClient(c.conn), pb.NewLeaseClient(c.conn)
	c.Cluster, c.Maintenance, c.Auth = pb.NewClusterClient(c.conn), pb.NewMaintenanceClient(c.conn), pb.NewAuthClient(c.conn)
	return c, nil
}

// At returns a client with the settings of c for one endpoint. Callers must Close it.
func (c *Client) At(endpoint string) (*Client, error) {
	config := c.config
	config.Endpoints = []string{endpoint}
	return New(config)
}

// Login gets the token of the user, if the Config has one. Without Login, the first call does it.
func (c *Client) Login(ctx context.Context) error {
	_, err := c.token.get(ctx)
	return err
}

// Endpoints returns the endpoints as they were given. Callers must not change the slice.
func (c *Client) Endpoints() []string { return c.config.Endpoints }

// Close closes the connections. Calls that are running end with an error.
func (c *Client) Close() error { return c.conn.Close() }
