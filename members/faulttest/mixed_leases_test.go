package faulttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"pando/members/servertest"
)

// mixedLeases are leases, each with a key. Some are renewed all the time, others never.
type mixedLeases struct {
	t       *testing.T
	members []*mixedMember

	mu   sync.Mutex
	list []*mixedLease
	kept time.Duration // the total time for which leases were renewed
}

// mixedLease is a lease that was granted and whose key was put.
type mixedLease struct {
	id  int64
	key string
	// until is the time before which the lease must not end: its TTL after the last renewal that succeeded was sent.
	until time.Time
	// dropped reports whether the lease is not renewed while the clients run, so that it must end by itself.
	dropped bool
}

const (
	keptTTL    = 6 // seconds; longer than the longest time without a leader
	droppedTTL = 2
)

// grant grants a lease and puts its key. It returns nil if that failed; the lease then counts for nothing.
func (l *mixedLeases) grant(ctx context.Context, m *mixedMember, ttl int64, kind string) *mixedLease {
	ctx, cancel := context.WithTimeout(ctx, writerTimeout)
	defer cancel()
	sent := time.Now()
	granted, err := m.lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: ttl})
	if err != nil {
		return nil
	}
	lease := &mixedLease{
		id: granted.ID, key: fmt.Sprintf("%slease/%s/%x", mixedPrefix, kind, granted.ID),
		until: sent.Add(time.Duration(granted.TTL) * time.Second),
	}
	if _, err := m.kv.Put(ctx, &pb.PutRequest{Key: []byte(lease.key), Value: []byte(kind), Lease: lease.id}); err != nil {
		return nil
	}
	l.mu.Lock()
	l.list = append(l.list, lease)
	l.mu.Unlock()
	return lease
}

// keep renews one lease after the other until ctx is done, each for some seconds.
func (l *mixedLeases) keep(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		lease := l.grant(ctx, l.members[random.IntN(len(l.members))], keptTTL, "kept")
		if lease == nil {
			<-time.After(100 * mixedPause)
			continue
		}
		begin := time.Now()
		for end := begin.Add(20 * time.Second); ctx.Err() == nil && time.Now().Before(end); <-time.After(300 * mixedPause) {
			l.renew(ctx, l.members[random.IntN(len(l.members))], lease)
		}
		l.mu.Lock()
		l.kept += time.Since(begin)
		lease.dropped = ctx.Err() == nil
		l.mu.Unlock()
	}
}

// renew sends one renewal. The test fails if a member says too early that the lease does not exist.
func (l *mixedLeases) renew(ctx context.Context, m *mixedMember, lease *mixedLease) {
	ctx, cancel := context.WithTimeout(ctx, writerTimeout/2)
	defer cancel()
	stream, err := m.lease.LeaseKeepAlive(ctx)
	if err != nil {
		return
	}
	sent := time.Now()
	if stream.Send(&pb.LeaseKeepAliveRequest{ID: lease.id}) != nil {
		return
	}
	r, err := stream.Recv()
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case r.TTL > 0:
		lease.until = sent.Add(time.Duration(r.TTL) * time.Second)
	case time.Now().Before(lease.until):
		l.t.Errorf("a member says that lease %x has ended, %v before that may be", lease.id, time.Until(lease.until))
	}
}

// drop grants leases that are not renewed, until ctx is done.
func (l *mixedLeases) drop(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		if lease := l.grant(ctx, l.members[random.IntN(len(l.members))], droppedTTL, "dropped"); lease != nil {
			l.mu.Lock()
			lease.dropped = true
			l.mu.Unlock()
		}
		<-time.After(200 * mixedPause)
	}
}

// awaitEnds revokes the leases that were renewed, and waits until all have ended.
func (l *mixedLeases) awaitEnds() {
	l.t.Helper()
	for i, lease := range l.list {
		m := l.members[i%len(l.members)]
		servertest.AwaitEvery(l.t, 50*time.Millisecond, fmt.Sprintf("the end of lease %x", lease.id), func() bool {
			ctx, cancel := context.WithTimeout(l.t.Context(), writerTimeout)
			defer cancel()
			if !lease.dropped {
				lease.until = time.Time{}
				_, _ = m.lease.LeaseRevoke(ctx, &pb.LeaseRevokeRequest{ID: lease.id}) // LeaseTimeToLive shows whether it succeeded
			}
			r, err := m.lease.LeaseTimeToLive(ctx, &pb.LeaseTimeToLiveRequest{ID: lease.id})
			return err == nil && r.TTL == -1
		})
	}
}

// check finds the end of each lease in the events: one, and not before its time.
func (l *mixedLeases) check(events []arrivedEvent) {
	l.t.Helper()
	ends, kept := map[string]time.Time{}, 0
	for _, e := range events {
		if key := string(e.Kv.Key); e.Type == mvccpb.Event_DELETE && strings.HasPrefix(key, mixedPrefix+"lease/") {
			if _, twice := ends[key]; twice {
				l.t.Errorf("%s was removed twice", key)
			}
			ends[key] = e.at
		}
	}
	for _, lease := range l.list {
		end, ended := ends[lease.key]
		switch {
		case !ended:
			l.t.Errorf("%s was not removed at the end of its lease", lease.key)
		case end.Before(lease.until):
			l.t.Errorf("%s was removed %v too early", lease.key, lease.until.Sub(end))
		}
		if strings.Contains(lease.key, "kept") {
			kept++
		}
	}
	l.t.Logf("%d leases were renewed for %v in sum, %d were not; all ended, none too early", kept, l.kept.Round(time.Second), len(l.list)-kept)
}
