package raft

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pando/members"
	"pando/raft/transport"
)

type (
	leaseRequests = []transport.LeaseRequest
	leaseAnswers  = []transport.LeaseAnswer
)

// TestLeaseForwarder sends the requests of many callers to a leader that counts the messages.
func TestLeaseForwarder(t *testing.T) {
	t.Parallel()
	leader := func() members.ID { return 2 }
	t.Run("requests share messages", func(t *testing.T) {
		var messages atomic.Int64
		f := newLeaseForwarder(leader, func(_ context.Context, to members.ID, requests leaseRequests) (leaseAnswers, error) {
			messages.Add(1)
			if to != 2 || len(requests) > transport.MaxLeaseRequests {
				t.Errorf("%d requests to member %s", len(requests), to)
			}
			answers := make([]transport.LeaseAnswer, len(requests))
			for i, r := range requests {
				answers[i].TTL = r.ID * 2
			}
			return answers, nil
		})
		defer f.close()
		const callers = 5000
		var group sync.WaitGroup
		for id := range int64(callers) {
			group.Go(func() {
				if a, err := f.ask(t.Context(), transport.LeaseRequest{ID: id}); err != nil || a.TTL != 2*id {
					t.Errorf("request %d: %+v, %v", id, a, err)
				}
			})
		}
		group.Wait()
		if n := messages.Load(); n > callers/2 {
			t.Errorf("%d messages for %d requests", n, callers)
		}
	})
	t.Run("a lease that is being revoked", func(t *testing.T) {
		f := newLeaseForwarder(leader, func(_ context.Context, _ members.ID, r leaseRequests) (leaseAnswers, error) {
			return []transport.LeaseAnswer{{Revoking: true}}, nil
		})
		defer f.close()
		if _, err := f.ask(t.Context(), transport.LeaseRequest{ID: 1}); !errors.Is(err, errLeaseRevoking) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no leader", func(t *testing.T) {
		f := newLeaseForwarder(func() members.ID { return 0 }, nil)
		defer f.close()
		if _, err := f.ask(t.Context(), transport.LeaseRequest{ID: 1}); !errors.Is(err, errNoLeader) {
			t.Errorf("error %v", err)
		}
	})
}

// TestLeaseForwarderGivesUp has a leader that does not answer.
func TestLeaseForwarderGivesUp(t *testing.T) {
	t.Parallel()
	leader := func() members.ID { return 2 }
	t.Run("closed while the leader is silent", func(t *testing.T) {
		sent := make(chan struct{}, 1)
		f := newLeaseForwarder(leader, func(ctx context.Context, _ members.ID, _ leaseRequests) (leaseAnswers, error) {
			sent <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		})
		answers := make(chan error, 1)
		go func() {
			_, err := f.ask(context.Background(), transport.LeaseRequest{ID: 1})
			answers <- err
		}()
		<-sent
		f.close()
		if err := <-answers; err == nil {
			t.Error("a request without an answer has succeeded")
		}
		if _, err := f.ask(t.Context(), transport.LeaseRequest{ID: 1}); !errors.Is(err, ErrStopped) {
			t.Errorf("error %v after close", err)
		}
	})
	t.Run("a caller gives up", func(t *testing.T) {
		release := make(chan struct{})
		f := newLeaseForwarder(leader, func(_ context.Context, _ members.ID, r leaseRequests) (leaseAnswers, error) {
			<-release
			return make([]transport.LeaseAnswer, len(r)), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := f.ask(ctx, transport.LeaseRequest{ID: 1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		close(release)
		f.close()
	})
}
