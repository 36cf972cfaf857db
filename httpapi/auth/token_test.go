package auth

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"pando/tree/users"
)

const testTTL = 5 * time.Minute

// clock is the time of an Authenticator in a test.
type clock struct{ now time.Time }

// newTokenTest returns an Authenticator with a clock, and someUsers with a key for tokens.
func newTokenTest(t testing.TB) (*Authenticator, *clock, *users.State) {
	a, _ := newTest(t, func(c *Config) { c.TokenTTL = testTTL })
	c := &clock{time.Unix(1_700_000_000, 0)}
	a.now = func() time.Time { return c.now }
	return a, c, apply(t, someUsers(t), users.Change{Op: users.SetTokenKey, TokenKey: NewTokenKey()})
}

// tokenOf logs alice in.
func tokenOf(t testing.TB, a *Authenticator, state *users.State) string {
	t.Helper()
	p, _, err := a.Login(context.Background(), state, "alice", "secret", "10.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	text, err := a.NewToken(state, p)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestToken(t *testing.T) {
	a, c, state := newTokenTest(t)
	text := tokenOf(t, a, state)
	p, roles, err := a.VerifyToken(state, text)
	if want := (Principal{"alice", Token, secretHash}); p != want || err != nil || len(roles) != 1 || roles[0] != "reader" {
		t.Fatalf("%+v, %q, %v", p, roles, err)
	}
	t.Run("another state", func(t *testing.T) { testTokenStates(t, a, state, text, &p) })
	t.Run("changed", func(t *testing.T) {
		for i := range text {
			for _, b := range []byte("Aa_") {
				changed := []byte(text)
				if changed[i] = b; string(changed) == text {
					continue
				}
				if _, _, err := a.VerifyToken(state, string(changed)); err == nil {
					t.Fatalf("byte %d may be %q", i, b)
				}
			}
		}
		for _, other := range []string{"", "x", text[:len(text)-4], text + "AAAA", text + "\n"} {
			if _, _, err := a.VerifyToken(state, other); !errors.Is(err, ErrBadToken) {
				t.Errorf("%.20q: %v", other, err)
			}
		}
	})
	t.Run("unused", func(t *testing.T) {
		c.now = c.now.Add(testTTL + 2*time.Second)
		if _, _, err := a.VerifyToken(state, text); !errors.Is(err, ErrBadToken) {
			t.Errorf("after its time: %v", err)
		}
	})
}

// testTokenStates verifies the token of alice with other states.
func testTokenStates(t *testing.T, a *Authenticator, state *users.State, text string, p *Principal) {
	remove := users.Change{Op: users.UserDelete, Name: "alice"}
	for name, test := range map[string]struct {
		changes []users.Change
		want    error
		ended   bool // Principal.Roles says so
	}{
		"other roles":     {[]users.Change{{Op: users.PutUser, Name: "alice", Grant: []string{"writer"}}}, nil, false},
		"new password":    {[]users.Change{{Op: users.UserChangePassword, Name: "alice", PasswordHash: newHash("secret")}}, ErrBadToken, true},
		"deleted":         {[]users.Change{remove}, ErrBadToken, true},
		"made anew":       {[]users.Change{remove, {Op: users.UserAdd, Name: "alice", PasswordHash: newHash("secret")}}, ErrBadToken, true},
		"auth is enabled": {[]users.Change{{Op: users.PutUser, Name: users.Root, PasswordHash: "h"}, {Op: users.Enable}}, ErrBadToken, false},
		"another key": {[]users.Change{{Op: users.PutUser, Name: users.Root, PasswordHash: "h"}, {Op: users.AuthEnable},
			{Op: users.SetTokenKey, TokenKey: NewTokenKey()}}, ErrBadToken, false},
	} {
		t.Run(name, func(t *testing.T) {
			changed := apply(t, state, test.changes...)
			if _, _, err := a.VerifyToken(changed, text); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if _, ok := p.Roles(changed); ok == test.ended {
				t.Errorf("the principal has its roles: %v", ok)
			}
		})
	}
	t.Run("earlier", func(t *testing.T) {
		if _, _, err := a.VerifyToken(someUsers(t), text); !errors.Is(err, ErrTokenAhead) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("without a key", func(t *testing.T) {
		if _, err := a.NewToken(someUsers(t), *p); !errors.Is(err, ErrNoTokenKey) {
			t.Errorf("got %v", err)
		}
	})
}

// TestTokenUses checks that a token that is used stays valid, and ends after the last use.
func TestTokenUses(t *testing.T) {
	a, c, state := newTokenTest(t)
	text := tokenOf(t, a, state)
	for i := range 20 {
		c.now = c.now.Add(testTTL - time.Second)
		if _, _, err := a.VerifyToken(state, text); err != nil {
			t.Fatalf("use %d: %v", i, err)
		}
	}
	c.now = c.now.Add(testTTL)
	if _, _, err := a.VerifyToken(state, text); !errors.Is(err, ErrBadToken) {
		t.Errorf("after the last use: %v", err)
	}
}

// TestTokenUsesAreBounded checks that the tokens that are remembered are bounded, and that those in use are kept.
func TestTokenUsesAreBounded(t *testing.T) {
	u := newTokenUses(testTTL)
	now := time.Unix(1_700_000_000, 0)
	d := newDigester()
	kept := d.digest("kept")
	for i := range 4 * maxUses {
		if !u.use(d.digest(strconv.Itoa(i)), now.Add(time.Second), now) {
			t.Fatal("a token that has not expired is refused")
		}
		if i%maxUses == 0 && !u.use(kept, now.Add(time.Second), now) {
			t.Fatal("the token in use is refused")
		}
	}
	if n := len(u.young) + len(u.old); n > 2*maxUses {
		t.Errorf("%d tokens are remembered", n)
	}
	if !u.use(kept, now.Add(-time.Second), now.Add(time.Second)) {
		t.Error("the token in use was forgotten")
	}
}

// TestLogin checks that a login has the cache and the limits of requests with a password.
func TestLogin(t *testing.T) {
	a, n := newTest(t, nil)
	state := apply(t, someUsers(t), users.Change{Op: users.UserAdd, Name: "empty", PasswordHash: Unusable},
		users.Change{Op: users.UserAdd, Name: "none"}, users.Change{Op: users.UserAdd, Name: "a:b", PasswordHash: secretHash})
	login := func(name, password string) error {
		_, _, err := a.Login(context.Background(), state, name, password, "10.0.0.1:1")
		return err
	}
	for range 3 {
		if err := errors.Join(login("alice", "secret"), login("carol", "secret"), login("a:b", "secret")); err != nil {
			t.Fatal(err)
		}
	}
	if n.hashes.Load() != 3 || n.hits.Load() != 6 {
		t.Errorf("%d hashes and %d hits of the cache", n.hashes.Load(), n.hits.Load())
	}
	for _, test := range [][2]string{
		{"empty", ""}, {"empty", Unusable}, {"none", ""}, {"none", "x"}, {"nobody", "x"}, {"", ""}, {"alice", ""},
	} {
		if err := login(test[0], test[1]); !errors.Is(err, ErrBadCredentials) {
			t.Errorf("%q: %v", test, err)
		}
	}
	for range 10 {
		a.limits.fail("alice", "10.0.0.9", a.now())
	}
	if err := login("alice", "wrong again"); !errors.Is(err, ErrTooManyAttempts) {
		t.Errorf("after many failures: %v", err)
	}
	if err := login("alice", "secret"); err != nil {
		t.Errorf("a user who has logged in before: %v", err)
	}
}

func FuzzVerifyToken(f *testing.F) {
	a, _, state := newTokenTest(f)
	text := tokenOf(f, a, state)
	f.Add(text)
	f.Add(text[:20])
	f.Add("bad")
	f.Fuzz(func(t *testing.T, other string) {
		if _, _, err := a.VerifyToken(state, other); err == nil && other != text {
			t.Errorf("%q is a token", other)
		}
	})
}

func BenchmarkVerifyToken(b *testing.B) {
	a, _, state := newTokenTest(b)
	text := tokenOf(b, a, state)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := a.VerifyToken(state, text); err != nil {
			b.Fatal(err)
		}
	}
}
