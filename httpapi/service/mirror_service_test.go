package service

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pando/httpapi/auth"
	"pando/stats"
	"pando/tree"
)

// followLog is a log that may be used from several goroutines.
type followLog struct {
	*fakeLog
	mu        sync.Mutex
	onBarrier func() // called before Barrier returns; nil for nothing
}

// mirrorService is a service of a cluster that follows an etcd, which is a function.
type mirrorService struct {
	*Service
	log     *followLog
	records *recorder
	counts  map[stats.ForwardOutcome]int
	sent    atomic.Int64
	answer  Answer // of the etcd
	failure error  // of Send
}

// newMirrorService makes a mirrorService. change may modify the configuration, and may be nil.
func newMirrorService(t *testing.T, change func(*Config)) *mirrorService {
	t.Helper()
	return newMirrorServiceOf(t, newTestService, change)
}

// newMirrorServiceOf makes a mirrorService of the service that newService makes.
func newMirrorServiceOf(
	t *testing.T, newService func(*testing.T, func(*Config)) (*Service, *fakeLog), change func(*Config),
) *mirrorService {
	t.Helper()
	f := &mirrorService{records: &recorder{}, counts: map[stats.ForwardOutcome]int{}, answer: Answer{URL: "http://etcd:2379"}}
	service, log := newService(t, func(c *Config) {
		c.Audit, c.ReadyTimeout = f.records, 20*time.Second
		c.CountForward = func(o stats.ForwardOutcome) { f.counts[o]++ }
		if change != nil {
			change(c)
		}
	})
	f.Service, f.log = service, &followLog{fakeLog: log}
	f.cfg.Log = f.log
	log.store.Follow()
	f.answer.Index = log.store.View().Index() + 1
	return f
}

func putCommand() *tree.Command { return &tree.Command{Op: tree.OpSet, Path: "/a", Value: "secret"} }

// await polls until done returns true. It fails the test after 20 s.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

func (l *followLog) Propose(ctx context.Context, c *tree.Command) (*tree.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fakeLog.Propose(ctx, c)
}

func (l *followLog) Barrier(context.Context) error {
	if l.onBarrier != nil {
		l.onBarrier()
	}
	return nil
}

func (*followLog) FeatureLevel() uint64 { return tree.MirrorLevel }

// mirror proposes a change of the mirror at the index of the tree.
func (f *mirrorService) mirror(t testing.TB, c tree.MirrorChange) tree.MirrorState {
	t.Helper()
	c.After = f.log.store.View().Index()
	c.To = max(c.To, c.After)
	state, err := f.ChangeMirror(context.Background(), root, &c)
	if err != nil {
		t.Error(err)
	}
	return state
}

// forwardWrites makes the members forward writes.
func (f *mirrorService) forwardWrites(t testing.TB) {
	t.Helper()
	f.mirror(t, tree.MirrorChange{Sources: []string{"http://etcd:2379"}, ForwardWrites: new(true), To: f.answer.Index})
	f.records.take()
}

// send is the Send of the etcd.
func (f *mirrorService) send([]string) (Answer, error) {
	f.sent.Add(1)
	if f.failure != nil {
		return Answer{}, f.failure
	}
	return f.answer, nil
}

// put writes as package v2 does: by Propose, and then by ForwardChange.
func (f *mirrorService) put(who auth.Credentials) (event *tree.Event, forwarded bool, err error) {
	c := putCommand()
	if event, err = f.Propose(context.Background(), who, c); err != ErrFollowing {
		return event, false, err
	}
	return f.ForwardChange(context.Background(), who, c, f.send)
}

// mustForward writes, and checks that the etcd has answered.
func (f *mirrorService) mustForward(t *testing.T) {
	t.Helper()
	before := f.sent.Load()
	if event, forwarded, err := f.put(guest); event != nil || !forwarded || err != nil || f.sent.Load() != before+1 {
		t.Errorf("got %v, %v, %v after %d sends", event, forwarded, err, f.sent.Load()-before)
	}
}
