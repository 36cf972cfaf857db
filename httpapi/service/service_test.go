package service

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"pando/httpapi/auth"
	"pando/members"
	"pando/stats"
	"pando/tree"
	"pando/tree/users"
)

// guest has no credentials.
var guest auth.Credentials

// fakeLog applies each command at once and counts its calls.
type fakeLog struct {
	store               *tree.Store
	leader              members.ID
	barrierErr, fail    error // of Barrier and Propose; nil for none
	barriers, proposals int
}

func (l *fakeLog) Propose(_ context.Context, c *tree.Command) (*tree.Event, error) {
	r, err := l.apply(c)
	return r.Event, err
}

func (l *fakeLog) ProposeTxn(_ context.Context, c *tree.Command) (*tree.TxnResult, error) {
	r, err := l.apply(c)
	return r.Txn, err
}

func (l *fakeLog) ProposeKV(_ context.Context, c *tree.Command) (tree.Result, error) {
	return l.apply(c)
}

func (l *fakeLog) apply(c *tree.Command) (tree.Result, error) {
	l.proposals++
	if l.fail != nil {
		return tree.Result{}, l.fail
	}
	r := l.store.Apply(1, []tree.Command{*c})[0]
	l.store.Announce()
	if r.Err != nil {
		return tree.Result{}, r.Err
	}
	return r, nil
}

func (l *fakeLog) ReadsLocally() bool { return false }

func (l *fakeLog) Barrier(context.Context) error {
	l.barriers++
	return l.barrierErr
}

func (l *fakeLog) Index() uint64      { return 7 }
func (l *fakeLog) Term() uint64       { return 3 }
func (l *fakeLog) Leader() members.ID { return l.leader }
func (*fakeLog) FeatureLevel() uint64 { return tree.KVLevel }

func (l *fakeLog) Applied() uint64 { return l.Index() }

func (*fakeLog) Replayed() bool { return true }

// fakeCluster accepts all changes.
type fakeCluster struct{}

func (fakeCluster) AddMember(context.Context, members.Member) error          { return nil }
func (fakeCluster) RemoveMember(context.Context, members.ID) error           { return nil }
func (fakeCluster) UpdateMember(context.Context, members.ID, []string) error { return nil }
func (fakeCluster) PromoteMember(context.Context, members.ID) error          { return nil }

func (fakeCluster) TransferLeader(context.Context, members.ID) error { return nil }

// fakeSnapshots gives files with a text.
type fakeSnapshots struct{}

func (fakeSnapshots) OpenSnapshot(context.Context) (io.ReadCloser, int64, error) {
	return io.NopCloser(strings.NewReader("state")), 5, nil
}

// historySize is the number of events in the history of a test.
const historySize = 20

// newTestService makes a service with one member, which leads and is ready. change may modify its configuration.
func newTestService(t *testing.T, change func(*Config)) (*Service, *fakeLog) {
	t.Helper()
	log := &fakeLog{store: tree.New(historySize), leader: 1}
	registry := members.NewRegistry(0xc1)
	one := members.Member{ID: 1, PeerURLs: []string{"http://127.0.0.1:1"}, ClientURLs: []string{"http://127.0.0.1:2"}}
	if err := registry.Add(one); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	close(ready)
	cfg := Config{
		Log: log, Cluster: fakeCluster{}, Snapshots: fakeSnapshots{}, Tree: log.store, Members: registry, Self: 1,
		Stats: stats.NewServer("one", 1, time.Now), Leader: stats.NewLeader(1), Ready: ready, ReadyTimeout: time.Hour,
		CheckpointFailing: func() (time.Time, error) { return time.Time{}, nil },
		Auth:              testAuthenticator(),
	}
	if change != nil {
		change(&cfg)
	}
	return New(cfg), log
}

// set proposes a file and fails the test after an error.
func set(t *testing.T, s *Service, path string) *tree.Event {
	t.Helper()
	event, err := s.Propose(t.Context(), guest, &tree.Command{Op: tree.OpSet, Path: path, Value: "v"})
	if err != nil {
		t.Fatal(err)
	}
	return event
}

// codeOf returns the code of an error of the tree, or 0 for another error.
func codeOf(err error) tree.Code {
	if e, ok := errors.AsType[*tree.Error](err); ok {
		return e.Code
	}
	return 0
}

func TestGet(t *testing.T) {
	s, log := newTestService(t, nil)
	index := set(t, s, "/a").Index()
	t.Run("local reads wait for nothing", func(t *testing.T) {
		read, err := s.Get(t.Context(), guest, "/a", users.One, Local)
		if err != nil || read.Index != index || read.Node.Value() != "v" || log.barriers != 0 {
			t.Errorf("got %+v, %v after %d barriers", read, err, log.barriers)
		}
		if op := ReadOperation(Local, read.Node); op != stats.OpGet {
			t.Errorf("the operation is %v", op)
		}
	})
	t.Run("linearizable reads wait for the barrier", func(t *testing.T) {
		log.barrierErr = errors.New("no quorum")
		defer func() { log.barrierErr = nil }()
		read, err := s.Get(t.Context(), guest, "/a", users.One, Linearizable)
		if !errors.Is(err, log.barrierErr) || log.barriers != 1 {
			t.Errorf("got %v after %d barriers", err, log.barriers)
		}
		if op := ReadOperation(Linearizable, read.Node); op != stats.OpQuorumGet {
			t.Errorf("the operation is %v", op)
		}
	})
	t.Run("reads are counted", func(t *testing.T) {
		if _, err := s.Get(t.Context(), guest, "/none", users.One, Local); codeOf(err) != tree.CodeKeyNotFound {
			t.Errorf("got %v", err)
		}
		if got := string(s.StoreStats()); !strings.HasPrefix(got, `{"getsSuccess":1,"getsFail":1,`) {
			t.Errorf("got %s", got)
		}
	})
}

// TestRefreshOfDirectories checks that a refresh with dir=true never enters the log.
func TestRefreshOfDirectories(t *testing.T) {
	s, log := newTestService(t, nil)
	set(t, s, "/d/file")
	before := log.proposals
	for path, code := range map[string]tree.Code{"/none": tree.CodeKeyNotFound, "/d": tree.CodeNotFile, "/d/file": tree.CodeNotDir} {
		_, err := s.Propose(t.Context(), guest, &tree.Command{Op: tree.OpSet, Path: path, Dir: true, Refresh: true, Expires: 9})
		if codeOf(err) != code {
			t.Errorf("%s: %v, want %d", path, err, code)
		}
	}
	if log.proposals != before {
		t.Errorf("%d commands entered the log", log.proposals-before)
	}
}

func TestAwaitReady(t *testing.T) {
	notReady := func(c *Config) { c.Ready = make(chan struct{}) }
	expect := func(t *testing.T, err error, cause string) {
		t.Helper()
		if e, ok := errors.AsType[*tree.Error](err); !ok || e.Code != tree.CodeRaftInternal || e.Cause != cause {
			t.Errorf("got %v, want %s", err, cause)
		}
	}
	t.Run("ready", func(t *testing.T) {
		s, _ := newTestService(t, nil)
		if err := s.AwaitReady(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("stopped", func(t *testing.T) {
		s, _ := newTestService(t, notReady)
		s.Stop()
		s.Stop() // a second call has no effect
		expect(t, s.AwaitReady(t.Context()), tree.CauseStopped)
	})
	t.Run("the client is gone", func(t *testing.T) {
		s, _ := newTestService(t, notReady)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		expect(t, s.AwaitReady(ctx), tree.CauseTimedOut)
	})
	t.Run("the time counts from the arrival", func(t *testing.T) {
		s, _ := newTestService(t, notReady) // waits for an hour
		ctx := WithArrival(t.Context(), time.Now().Add(-time.Hour))
		expect(t, s.AwaitReady(ctx), tree.CauseTimedOut)
	})
}

func TestMembers(t *testing.T) {
	s, log := newTestService(t, nil)
	if m, err := s.LeaderMember(t.Context()); err != nil || m.ID != 1 {
		t.Errorf("leader %+v, %v", m, err)
	}
	if err := s.TransferLeader(t.Context(), guest, 2); !errors.Is(err, members.ErrIDNotFound) {
		t.Errorf("TransferLeader to an unknown member: %v", err)
	}
	log.leader = 0
	if _, err := s.LeaderMember(t.Context()); !errors.Is(err, ErrNoLeader) {
		t.Errorf("got %v, want %v", err, ErrNoLeader)
	}
	if _, err := s.LeaderStats(); !errors.Is(err, ErrNotLeader) {
		t.Errorf("got %v, want %v", err, ErrNotLeader)
	}
}

func TestOpenSnapshot(t *testing.T) {
	s, log := newTestService(t, nil)
	log.barrierErr = errors.New("no quorum")
	if _, _, err := s.OpenSnapshot(t.Context(), guest, Linearizable); !errors.Is(err, ErrNotConfirmed) {
		t.Errorf("got %v, want %v", err, ErrNotConfirmed)
	}
	file, size, err := s.OpenSnapshot(t.Context(), guest, Local) // the failed call does not count as open
	if err != nil || size != 5 {
		t.Fatalf("%d bytes, %v", size, err)
	}
	if _, _, err := s.OpenSnapshot(t.Context(), guest, Local); !errors.Is(err, ErrSnapshotBusy) {
		t.Errorf("got %v, want %v", err, ErrSnapshotBusy)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	again, _, err := s.OpenSnapshot(t.Context(), guest, Local)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestHealth(t *testing.T) {
	for name, test := range map[string]struct {
		leader members.ID
		change func(*Config)
		want   Health
	}{
		"healthy":   {1, nil, Health{OK: true}},
		"no leader": {0, nil, Health{}},
		"not ready": {1, func(c *Config) { c.Ready = make(chan struct{}) }, Health{}},
		"checkpoints fail": {1, func(c *Config) {
			c.CheckpointFailing = func() (time.Time, error) { return time.Unix(0, 0), errors.New("input/output error") }
		}, Health{Reason: "checkpoints have failed since 1970-01-01T00:00:00Z, see the log"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, log := newTestService(t, test.change)
			log.leader = test.leader
			if got := s.Health(); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
