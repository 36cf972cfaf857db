package client

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Session is a lease that is renewed until the session ends. The keys of a lock or an election are attached to it, so they vanish when the
// program dies.
type Session struct {
	ID int64 // of the lease

	client *Client
	done   chan struct{}
	stop   context.CancelFunc
	err    error // why the lease was lost; valid after done is closed
}

// revokeTimeout is how long Close waits for the end of the lease.
const revokeTimeout = 2 * time.Second

// NewSession grants a lease of ttl seconds and renews it until Close.
func (c *Client) NewSession(ctx context.Context, ttl int64) (*Session, error) {
	granted, err := c.Lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: ttl})
	if err != nil {
		return nil, err
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Session{ID: granted.ID, client: c, done: make(chan struct{}), stop: stop}
	go func() {
		defer close(s.done)
		s.err = c.KeepAlive(renewing, s.ID, func(*pb.LeaseKeepAliveResponse) {})
	}()
	return s, nil
}

// Done is closed when the lease is lost, and after Close.
func (s *Session) Done() <-chan struct{} { return s.done }

// Close ends the renewals and revokes the lease, so that its keys vanish.
func (s *Session) Close() error {
	s.stop()
	<-s.done
	if s.err != nil {
		return nil // the lease has ended already
	}
	ctx, cancel := context.WithTimeout(context.Background(), revokeTimeout)
	defer cancel()
	_, err := s.client.Lease.LeaseRevoke(ctx, &pb.LeaseRevokeRequest{ID: s.ID})
	return err
}
