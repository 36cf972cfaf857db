package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/tree/users"
)

// counts are the Metrics of a test.
type counts struct{ hits, succeeded, failed, limited, hashes, running, most atomic.Int64 }

func (c *counts) CacheHit()  { c.hits.Add(1) }
func (c *counts) Succeeded() { c.succeeded.Add(1) }
func (c *counts) Failed()    { c.failed.Add(1) }
func (c *counts) Limited()   { c.limited.Add(1) }

func (c *counts) Hashing(n int) {
	running := c.running.Add(int64(n))
	if n > 0 {
		c.hashes.Add(1)
	}
	if running > c.most.Load() {
		c.most.Store(running)
	}
}

// newTest makes an Authenticator. change may modify its configuration.
func newTest(t testing.TB, change func(*Config)) (*Authenticator, *counts) {
	t.Helper()
	c := &counts{}
	cfg := Config{FailedLogins: 60, Processors: 2, Metrics: c, Logger: zap.NewNop()}
	if change != nil {
		change(&cfg)
	}
	return New(cfg), c
}

// apply applies changes to a state.
func apply(t testing.TB, s *users.State, changes ...users.Change) *users.State {
	t.Helper()
	for i := range changes {
		next, _, err := s.Apply(&changes[i])
		if err != nil {
			t.Fatal(err)
		}
		s = next
	}
	return s
}

// secretHash is a hash of "secret".
var secretHash = newHash("secret")

// someUsers returns a state with the users alice and bob, whose passwords are "secret", and carol, whose hash is from etcd.
func someUsers(t testing.TB) *users.State {
	return apply(t, &users.State{},
		users.Change{Op: users.PutUser, Name: "alice", PasswordHash: secretHash, Roles: []string{"reader"}},
		users.Change{Op: users.PutUser, Name: "bob", PasswordHash: newHash("secret")},
		users.Change{Op: users.PutUser, Name: "carol", PasswordHash: etcdHash(t, "secret")})
}

func from(remote string) Credentials { return Credentials{Remote: remote + ":1"} }

// as returns credentials with a password.
func as(name, password string) Credentials {
	c := from("10.0.0.1")
	c.Authorization = basic(name, password)
	return c
}

func TestAuthenticate(t *testing.T) {
	withCertificate := func(c Credentials, name string) Credentials {
		c.CommonName = name
		return c
	}
	guest, reader := []string{"guest"}, []string{"reader"}
	alice := Principal{Name: "alice", Proof: Password, hash: secretHash}
	for name, test := range map[string]struct {
		who   Credentials
		want  Principal
		roles []string
		err   error
	}{
		"nothing":                  {from("10.0.0.1"), Principal{}, guest, nil},
		"right password":           {as("alice", "secret"), alice, reader, nil},
		"wrong password":           {as("alice", "Secret"), Principal{Name: "alice"}, nil, ErrBadCredentials},
		"empty password":           {as("alice", ""), Principal{Name: "alice"}, nil, ErrBadCredentials},
		"unknown user":             {as("dave", "secret"), Principal{Name: "dave"}, nil, ErrBadCredentials},
		"no name":                  {as("", "secret"), Principal{}, nil, ErrBadCredentials},
		"malformed":                {Credentials{Authorization: "Basic ?"}, Principal{}, nil, ErrBadCredentials},
		"another scheme":           {Credentials{Authorization: "Bearer x"}, Principal{}, nil, ErrBadCredentials},
		"certificate":              {withCertificate(from("10.0.0.1"), "alice"), Principal{Name: "alice", Proof: Certificate}, reader, nil},
		"certificate of nobody":    {withCertificate(from("10.0.0.1"), "dave"), Principal{}, guest, nil},
		"certificate and password": {withCertificate(as("alice", "secret"), "bob"), alice, reader, nil},
		"certificate and a wrong password": {
			withCertificate(as("alice", "Secret"), "alice"), Principal{Name: "alice"}, nil, ErrBadCredentials,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := newTest(t, func(c *Config) { c.Certificates = true })
			state := someUsers(t)
			for range 2 { // the second time from the cache
				got, roles, err := a.Authenticate(t.Context(), state, test.who)
				if got != test.want || !slices.Equal(roles, test.roles) || !errors.Is(err, test.err) {
					t.Errorf("got %+v, %v, %v", got, roles, err)
				}
			}
		})
	}
	t.Run("etcd's hash", func(t *testing.T) {
		a, _ := newTest(t, nil)
		if p, _, err := a.Authenticate(t.Context(), someUsers(t), as("carol", "secret")); err != nil || p.Name != "carol" {
			t.Errorf("got %+v, %v", p, err)
		}
	})
	t.Run("certificates off", func(t *testing.T) {
		a, _ := newTest(t, nil)
		p, roles, err := a.Authenticate(t.Context(), someUsers(t), withCertificate(from("10.0.0.1"), "alice"))
		if err != nil || p != (Principal{}) || !slices.Equal(roles, []string{"guest"}) {
			t.Errorf("got %+v, %v, %v", p, roles, err)
		}
	})
}

// mustLogin authenticates and fails the test after an error.
func mustLogin(t testing.TB, a *Authenticator, s *users.State, who Credentials) Principal {
	t.Helper()
	p, _, err := a.Authenticate(t.Context(), s, who)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestHashIsRunOnce(t *testing.T) {
	a, c := newTest(t, nil)
	state := someUsers(t)
	t.Run("by requests at the same time", func(t *testing.T) {
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { mustLogin(t, a, state, as("alice", "secret")) })
		}
		all.Wait()
		if n := c.hashes.Load(); n != 1 {
			t.Errorf("%d hashes", n)
		}
	})
	t.Run("by later requests", func(t *testing.T) {
		mustLogin(t, a, state, as("alice", "secret"))
		if c.hashes.Load() != 1 || c.hits.Load() == 0 {
			t.Errorf("%d hashes, %d cache hits", c.hashes.Load(), c.hits.Load())
		}
	})
	t.Run("by a client that repeats a wrong password", func(t *testing.T) {
		for range failureBurst + 3 {
			if _, _, err := a.Authenticate(t.Context(), state, as("alice", "wrong")); !errors.Is(err, ErrBadCredentials) {
				t.Fatalf("got %v", err)
			}
		}
		if n := c.hashes.Load(); n != 2 {
			t.Errorf("%d hashes", n)
		}
	})
}

func TestChangesOfUsers(t *testing.T) {
	state := someUsers(t)
	password := apply(t, state, users.Change{Op: users.PutUser, Name: "alice", PasswordHash: newHash("new")})
	deleted := apply(t, state, users.Change{Op: users.DeleteUser, Name: "alice"})
	again := apply(t, deleted, users.Change{Op: users.PutUser, Name: "alice", PasswordHash: newHash("other")})
	roles := apply(t, state, users.Change{Op: users.PutUser, Name: "alice", Grant: []string{"writer"}})
	for name, test := range map[string]struct {
		state *users.State
		roles []string
		err   error
	}{
		"new password":       {password, nil, ErrBadCredentials},
		"deleted":            {deleted, nil, ErrBadCredentials},
		"deleted, made anew": {again, nil, ErrBadCredentials},
		"other roles":        {roles, []string{"reader", "writer"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := newTest(t, nil)
			before := mustLogin(t, a, state, as("alice", "secret"))
			_, got, err := a.Authenticate(t.Context(), test.state, as("alice", "secret"))
			if !slices.Equal(got, test.roles) || !errors.Is(err, test.err) {
				t.Errorf("got %v, %v", got, err)
			}
			if got, ok := before.Roles(test.state); !slices.Equal(got, test.roles) || ok != (test.err == nil) {
				t.Errorf("the principal has %v, %v", got, ok)
			}
		})
	}
	t.Run("the old password is right again", func(t *testing.T) {
		a, _ := newTest(t, nil)
		_, _, _ = a.Authenticate(t.Context(), password, as("alice", "secret"))
		mustLogin(t, a, state, as("alice", "secret"))
	})
}

// failUntilLimited tries passwords, which must be wrong, until one is refused by the limits. It returns the number of the passwords that
// were verified. It does not wait for failureTime.
func failUntilLimited(t *testing.T, a *Authenticator, s *users.State, who func(i int) Credentials) int {
	t.Helper()
	for i := range 100 {
		c := who(i)
		name, password, _ := parseBasic(c.Authorization)
		attempt := &attempt{digest: a.digester.digest(c.Authorization), name: name, password: password, address: addressOf(c.Remote)}
		if u := s.User(name); u != nil {
			attempt.stored = u.PasswordHash
		}
		if err := a.verifyOnce(attempt); errors.Is(err, ErrTooManyAttempts) {
			return i
		}
	}
	t.Fatal("no login was refused")
	return 0
}

// stopClock stops the clock of an Authenticator, and returns its time.
func stopClock(a *Authenticator) time.Time {
	now := time.Now()
	a.now = func() time.Time { return now }
	return now
}

// TestLimits lets attackers fail until they are refused.
func TestLimits(t *testing.T) {
	state := someUsers(t)
	at := func(i int, name string) Credentials {
		c := as(name, fmt.Sprint("wrong", i))
		c.Remote = fmt.Sprintf("10.1.%d.%d:1", i/250, i%250)
		return c
	}
	t.Run("of one user", func(t *testing.T) {
		a, c := newTest(t, nil)
		stopClock(a)
		mustLogin(t, a, state, as("alice", "secret"))
		if n := failUntilLimited(t, a, state, func(i int) Credentials { return at(i, "alice") }); n != failureBurst {
			t.Errorf("%d passwords were verified", n)
		}
		mustLogin(t, a, state, as("alice", "secret")) // from the cache
		mustLogin(t, a, state, as("bob", "secret"))   // another user
		if c.limited.Load() != 1 {
			t.Errorf("%d are counted", c.limited.Load())
		}
	})
	t.Run("from one address", func(t *testing.T) {
		a, _ := newTest(t, nil)
		stopClock(a)
		mustLogin(t, a, state, as("alice", "secret"))
		if n := failUntilLimited(t, a, state, func(i int) Credentials { return as(fmt.Sprint("user", i), "x") }); n != failureBurst {
			t.Errorf("%d passwords were verified", n)
		}
		mustLogin(t, a, state, as("alice", "secret")) // from the cache
		other := as("bob", "secret")
		other.Remote = "10.0.0.2:1"
		mustLogin(t, a, state, other)
	})
	t.Run("of all suspects", func(t *testing.T) {
		a, _ := newTest(t, nil)
		stopClock(a)
		verified := failUntilLimited(t, a, state, func(i int) Credentials {
			c := as(fmt.Sprint("user", i), "x")
			c.Remote = fmt.Sprintf("10.1.0.%d:1", i/5)
			return c
		})
		if verified > 2*failureBurst {
			t.Errorf("%d passwords were verified", verified)
		}
		mustLogin(t, a, state, as("bob", "secret")) // no suspect
	})
	t.Run("the tokens come back", func(t *testing.T) {
		a, _ := newTest(t, nil)
		now := stopClock(a)
		failUntilLimited(t, a, state, func(i int) Credentials { return at(i, "alice") })
		if _, _, err := a.Authenticate(t.Context(), state, as("alice", "secret")); !errors.Is(err, ErrTooManyAttempts) {
			t.Fatalf("got %v", err)
		}
		a.now = func() time.Time { return now.Add(2 * time.Second) }
		mustLogin(t, a, state, as("alice", "secret"))
	})
	t.Run("no limits", func(t *testing.T) {
		a, _ := newTest(t, func(c *Config) { c.FailedLogins = 0 })
		for i := range failureBurst + 3 {
			if _, _, err := a.Authenticate(t.Context(), state, as("alice", fmt.Sprint("wrong", i))); !errors.Is(err, ErrBadCredentials) {
				t.Fatalf("got %v", err)
			}
		}
	})
}

// TestHashesAtATime checks the number of hashes at a time, and that the others wait in a queue that ends with ctx.
func TestHashesAtATime(t *testing.T) {
	a, c := newTest(t, func(c *Config) { c.Processors = 4 })
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if _, err := a.Hash(t.Context(), "secret"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if c.most.Load() > 2 || c.hashes.Load() != 12 || c.running.Load() != 0 {
		t.Errorf("%d at a time, %d in all, %d are running", c.most.Load(), c.hashes.Load(), c.running.Load())
	}
	t.Run("a new password does not wait for logins", func(t *testing.T) {
		for range 2 {
			a.hashes.enter(t.Context())
			defer a.hashes.leave()
		}
		a.hashes.waiting.Add(maxWaiting)
		defer a.hashes.waiting.Add(-maxWaiting)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := a.Hash(ctx, "secret"); err != nil {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the request ends in the queue", func(t *testing.T) {
		for range 2 {
			a.hashes.enter(t.Context())
			defer a.hashes.leave()
			a.changes.enter(t.Context())
			defer a.changes.leave()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := a.Hash(ctx, "secret"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if _, _, err := a.Authenticate(ctx, someUsers(t), as("alice", "secret")); !errors.Is(err, ErrTooManyAttempts) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the queue is full", func(t *testing.T) {
		a.changes.waiting.Add(maxWaiting)
		defer a.changes.waiting.Add(-maxWaiting)
		if _, err := a.Hash(t.Context(), "secret"); !errors.Is(err, ErrTooManyAttempts) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("empty", func(t *testing.T) {
		if _, err := a.Hash(t.Context(), ""); !errors.Is(err, ErrEmptyPassword) {
			t.Errorf("got %v", err)
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	a, _ := newTest(b, nil)
	state := someUsers(b)
	for i := range 10_000 {
		state = apply(b, state, users.Change{Op: users.PutUser, Name: fmt.Sprint("user", i), PasswordHash: "x"})
	}
	who := as("alice", "secret")
	mustLogin(b, a, state, who)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := a.Authenticate(context.Background(), state, who); err != nil {
				b.Fatal(err)
			}
		}
	})
}
