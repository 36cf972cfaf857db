package auth

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestUnknownUsers checks that the time of a failed login does not say whether the user exists.
func TestUnknownUsers(t *testing.T) {
	a, c := newTest(t, nil)
	state := someUsers(t)
	for i, name := range []string{"alice", "carol", "dave"} {
		start := time.Now()
		if _, _, err := a.Authenticate(t.Context(), state, as(name, "wrong")); !errors.Is(err, ErrBadCredentials) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took < failureTime {
			t.Errorf("%s took %v", name, took)
		}
		if n := c.hashes.Load(); n != int64(i+1) {
			t.Errorf("%s: %d hashes", name, n)
		}
	}
}

// TestTimeOfFailures checks the least time of failed logins for which no password is hashed, and that it ends with the request.
func TestTimeOfFailures(t *testing.T) {
	a, c := newTest(t, nil)
	state := someUsers(t)
	stopClock(a)
	repeated := as("alice", "wrong")
	if _, _, err := a.Authenticate(t.Context(), state, repeated); !errors.Is(err, ErrBadCredentials) {
		t.Fatalf("got %v", err)
	}
	failUntilLimited(t, a, state, func(i int) Credentials { return as("bob", fmt.Sprint("wrong", i)) })
	hashes := c.hashes.Load()
	for name, test := range map[string]struct {
		who  Credentials
		want error
		time time.Duration
	}{
		"in the cache of wrong passwords": {repeated, ErrBadCredentials, failureTime},
		"limited":                         {as("bob", "another"), ErrTooManyAttempts, limitedTime},
		"malformed":                       {Credentials{Authorization: "Basic ?"}, ErrBadCredentials, failureTime},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			if _, _, err := a.Authenticate(t.Context(), state, test.who); !errors.Is(err, test.want) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(start); took < test.time {
				t.Errorf("the answer took %v", took)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			start = time.Now()
			if _, _, err := a.Authenticate(ended, state, test.who); err == nil {
				t.Error("no error after the end of the request")
			}
			// Of many times the least one is that of an idle machine.
			least := time.Since(start)
			for range 20 {
				start = time.Now()
				_, _, _ = a.Authenticate(ended, state, test.who)
				least = min(least, time.Since(start))
			}
			if least >= test.time {
				t.Errorf("after the end of the request the answer took %v", least)
			}
		})
	}
	if n := c.hashes.Load(); n != hashes {
		t.Errorf("%d passwords were hashed", n-hashes)
	}
}
