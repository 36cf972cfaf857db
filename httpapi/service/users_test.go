package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pando/httpapi/auth"
	"pando/tree"
	"pando/tree/users"
)

// userChange returns the change that makes a user.
func userChange(name string) *users.Change { return &users.Change{Op: users.PutUser, Name: name} }

// TestChangeUsers checks who may change and read users, and that a password leaves the service only as a hash.
func TestChangeUsers(t *testing.T) {
	s, log := newAuthService(t, nil)
	for name, who := range map[string]auth.Credentials{"guest": guest, "reader": reader, "wrong password": as("root", "wrong")} {
		t.Run(name, func(t *testing.T) {
			before := log.proposals
			if _, err := s.ChangeUsers(t.Context(), who, userChange("alice"), "pw"); !errors.Is(err, ErrNotRoot) || log.proposals != before {
				t.Errorf("change: %v after %d proposals", err, log.proposals-before)
			}
			if _, err := s.Users(t.Context(), who, UserGet, ""); !errors.Is(err, ErrNotRoot) {
				t.Errorf("read: %v", err)
			}
		})
	}
	t.Run("root", func(t *testing.T) {
		outcome, err := s.ChangeUsers(t.Context(), root, userChange("alice"), "pw")
		if err != nil || !outcome.Created || outcome.User.Name != "alice" {
			t.Fatalf("got %+v, %v", outcome, err)
		}
		if hash := outcome.User.PasswordHash; hash == "" || hash == "pw" {
			t.Errorf("the hash is %q", hash)
		}
		state, err := s.Users(t.Context(), root, UserGet, "alice")
		if err != nil || state.User("alice") != outcome.User {
			t.Errorf("read: %v", err)
		}
		changeUsers(t, s, &users.Change{Op: users.PutUser, Name: "alice", Grant: []string{users.Root}})
		if err := s.AuthorizeRoot(t.Context(), as("alice", "pw"), "", ""); err != nil {
			t.Errorf("the password does not verify: %v", err)
		}
	})
	t.Run("errors of the change", func(t *testing.T) {
		_, err := s.ChangeUsers(t.Context(), root, &users.Change{Op: users.DeleteUser, Name: "none"}, "")
		if codeOf(err) != tree.CodeUsersNotFound {
			t.Errorf("got %v", err)
		}
	})
	t.Run("reads wait for the barrier", func(t *testing.T) {
		log.barrierErr = errors.New("no quorum")
		defer func() { log.barrierErr = nil }()
		if _, err := s.Users(t.Context(), root, UserGet, ""); !errors.Is(err, log.barrierErr) {
			t.Errorf("users: %v", err)
		}
		if _, err := s.AuthEnabled(t.Context()); !errors.Is(err, log.barrierErr) {
			t.Errorf("the switch: %v", err)
		}
	})
}

// TestChangeUsersAfterAnother checks that a change needs the right of its sender at the time when it is applied: other changes are
// applied between its authorization and its proposal.
func TestChangeUsersAfterAnother(t *testing.T) {
	revoke := &users.Change{Op: users.PutUser, Name: "admin", Revoke: []string{users.Root}}
	for name, test := range map[string]struct {
		before []*users.Change
		want   error
	}{
		"other changes":         {[]*users.Change{{Op: users.PutRole, Name: "x"}, {Op: users.PutRole, Name: "y"}}, nil},
		"the right is lost":     {[]*users.Change{revoke}, ErrNotRoot},
		"the right is lost too": {[]*users.Change{{Op: users.PutRole, Name: "x"}, revoke}, ErrNotRoot},
		"the user is deleted":   {[]*users.Change{{Op: users.DeleteUser, Name: "admin"}}, ErrNotRoot},
		"auth is disabled":      {[]*users.Change{{Op: users.Disable}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, log := newAuthService(t, nil)
			hash, err := s.cfg.Auth.Hash(t.Context(), "admin")
			if err != nil {
				t.Fatal(err)
			}
			changeUsers(t, s, &users.Change{Op: users.PutUser, Name: "admin", PasswordHash: hash, Roles: []string{users.Root}})
			s.cfg.Log = &laggingLog{fakeLog: log, t: t, changes: test.before}
			if _, err := s.ChangeUsers(t.Context(), as("admin", "admin"), userChange("alice"), "pw"); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if made := log.store.View().Users().User("alice") != nil; made != (test.want == nil) {
				t.Errorf("the user was made: %v", made)
			}
		})
	}
}

// lowLog is a log whose feature level rises.
type lowLog struct {
	*fakeLog
	level atomic.Uint64
	asked chan struct{} // has an element when the level was read
}

func (l *lowLog) FeatureLevel() uint64 {
	select {
	case l.asked <- struct{}{}:
	default:
	}
	return l.level.Load()
}

// TestChangeUsersLevel checks that users are not changed before all members can read the change.
func TestChangeUsersLevel(t *testing.T) {
	s, log := newTestService(t, nil)
	low := &lowLog{fakeLog: log, asked: make(chan struct{}, 1)}
	low.level.Store(tree.UsersLevel - 1)
	s.cfg.Log = low
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-low.asked
		cancel()
	}()
	if _, err := s.ChangeUsers(ctx, guest, userChange("alice"), "pw"); !errors.Is(err, ErrNotUpgraded) || log.proposals != 0 {
		t.Errorf("below the level: %v after %d proposals", err, log.proposals)
	}
	go func() {
		<-low.asked
		low.level.Store(tree.UsersLevel)
	}()
	if _, err := s.ChangeUsers(t.Context(), guest, userChange("alice"), "pw"); err != nil {
		t.Errorf("after the level was raised: %v", err)
	}
}

// lockedLog is a fakeLog for several goroutines.
type lockedLog struct {
	*fakeLog
	mu sync.Mutex
}

func (l *lockedLog) Propose(ctx context.Context, c *tree.Command) (*tree.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fakeLog.Propose(ctx, c)
}

// TestConcurrentChangesOfUsers checks that concurrent changes do not fail, and that each is proposed only once.
func TestConcurrentChangesOfUsers(t *testing.T) {
	s, log := newAuthService(t, nil)
	s.cfg.Log = &lockedLog{fakeLog: log}
	before := log.proposals
	const count = 20
	var wait sync.WaitGroup
	for i := range count {
		wait.Go(func() {
			c := &users.Change{Op: users.PutRole, Name: fmt.Sprintf("role%d", i)}
			if _, err := s.ChangeUsers(t.Context(), root, c, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := log.proposals - before; n != count {
		t.Errorf("%d proposals for %d changes", n, count)
	}
}

// TestChangeUsersTimeout checks that the time is limited for which a change waits for the change before it.
func TestChangeUsersTimeout(t *testing.T) {
	s, log := newTestService(t, func(c *Config) { c.ReadyTimeout = 10 * time.Millisecond })
	s.changingUsers <- struct{}{} // a change that waits for a quorum
	before := log.proposals
	_, err := s.ChangeUsers(t.Context(), guest, userChange("alice"), "pw")
	if e, ok := errors.AsType[*tree.Error](err); !ok || e.Cause != tree.CauseTimedOut || log.proposals != before {
		t.Errorf("got %v", err)
	}
}
