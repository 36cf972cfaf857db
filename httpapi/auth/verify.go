package auth

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"pando/tree/users"
)

// failureTime is the least time between the request and the answer of a failed login, for whatever reason it fails. It hides whether
// the user exists: verifying a hash of etcd takes longer than verifying unknownHash. It also bounds the failed logins that a
// client sends one after another, so that the answers do not take the processors from other requests.
const failureTime = 100 * time.Millisecond

// limitedTime is failureTime for a login that was refused with ErrTooManyAttempts. It is longer, because most of these logins belong to an
// attack: twenty connections then send twenty requests in a second.
const limitedTime = time.Second

// unknownHash is the hash with which the passwords of unknown users are verified, so that they cost as much as the passwords of known
// users. It is not the hash of any password.
var unknownHash = (&argonHash{
	memory: argonMemory, passes: argonPasses, lanes: argonLanes, salt: make([]byte, argonSalt), key: make([]byte, argonKey),
}).String()

// login verifies a password that is not in the cache of verified ones. Its results are those of Authenticate. An error takes at least
// failureTime or limitedTime, unless ctx ends earlier.
func (a *Authenticator) login(ctx context.Context, state *users.State, t *attempt) (Principal, []string, error) {
	begun := time.Now()
	user, err := (*users.User)(nil), ErrBadCredentials
	if t.malformed {
		a.cfg.Metrics.Failed()
	} else {
		t.address = addressOf(t.address)
		user, err = a.verifyUser(ctx, state, t)
	}
	if err != nil {
		atLeast := failureTime
		if errors.Is(err, ErrTooManyAttempts) {
			atLeast = limitedTime
		}
		waitUntil(ctx, begun.Add(atLeast))
		return Principal{Name: t.name}, nil, err
	}
	return Principal{user.Name, Password, user.PasswordHash}, user.Roles, nil
}

// verifyUser returns the user of an attempt whose password is right. It sets the stored hash of the attempt.
func (a *Authenticator) verifyUser(ctx context.Context, state *users.State, t *attempt) (*users.User, error) {
	user := state.User(t.name)
	if user != nil {
		t.stored = user.PasswordHash
	}
	if l := a.rejected.get(t.digest); l != nil && l.hash == t.stored {
		a.cfg.Metrics.Failed()
		return nil, ErrBadCredentials
	}
	// A request that goes away does not end the verification: other requests may wait for the same result.
	done := a.inFlight.DoChan(string(t.digest[:])+t.stored, func() (any, error) { return nil, a.verifyOnce(t) })
	select {
	case result := <-done:
		return user, result.Err
	case <-ctx.Done():
		a.cfg.Metrics.Limited()
		return nil, ErrTooManyAttempts
	}
}

// attempt is a login whose password has to be verified.
type attempt struct {
	digest         digest
	name, password string
	stored         string // the stored hash; empty for an unknown user, and for one without a password
	address        string
	malformed      bool // the Authorization header has no name and password
}

// verifyOnce verifies a password and puts the result into a cache. It returns nil if the password is right.
func (a *Authenticator) verifyOnce(t *attempt) error {
	if !a.limits.allow(t.name, t.address, a.now()) || !a.hashes.enter(context.Background()) {
		a.cfg.Metrics.Limited()
		return ErrTooManyAttempts
	}
	defer a.hashes.leave()
	if l := a.verified.get(t.digest); l != nil && l.hash == t.stored {
		return nil // another verification has ended after the caller has searched the cache
	}
	if !a.limits.allow(t.name, t.address, a.now()) { // other logins may have failed since
		a.cfg.Metrics.Limited()
		return ErrTooManyAttempts
	}
	if a.matches(t) {
		a.verified.put(&login{digest: t.digest, name: strings.Clone(t.name), hash: t.stored})
		a.cfg.Metrics.Succeeded()
		return nil
	}
	a.limits.fail(t.name, t.address, a.now())
	a.rejected.put(&login{digest: t.digest, hash: t.stored})
	a.cfg.Metrics.Failed()
	return ErrBadCredentials
}

// matches reports whether the password of an attempt belongs to its stored hash.
func (a *Authenticator) matches(t *attempt) bool {
	a.cfg.Metrics.Hashing(1)
	defer a.cfg.Metrics.Hashing(-1)
	if t.stored == "" || t.stored == Unusable {
		_, _ = verify(unknownHash, t.password) // only for its time
		return false
	}
	ok, err := verify(t.stored, t.password)
	if err != nil {
		a.cfg.Logger.Error("a user can't log in: set a new password for the user", zap.String("user", t.name), zap.Error(err))
	}
	return ok
}

// waitUntil waits until a time, or until ctx is done.
func waitUntil(ctx context.Context, t time.Time) {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Hash returns a hash of a new password, in the format that Authenticate verifies. Callers must have authorized root, because a new
// password does not wait for logins: it waits only for other new passwords. The errors are ErrEmptyPassword, ErrTooManyAttempts if too
// many new passwords wait, ErrLongPassword, and the error of ctx when it is done.
func (a *Authenticator) Hash(ctx context.Context, password string) (string, error) {
	if password == "" {
		return "", ErrEmptyPassword
	}
	if !a.changes.enter(ctx) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		a.cfg.Metrics.Limited()
		return "", ErrTooManyAttempts
	}
	defer a.changes.leave()
	a.cfg.Metrics.Hashing(1)
	defer a.cfg.Metrics.Hashing(-1)
	if a.cfg.Bcrypt {
		return newBcryptHash(password)
	}
	return newHash(password), nil
}

// maxWaiting bounds the number of passwords that wait to be hashed. The last one waits for 20 s on two processors.
const maxWaiting = 1000

// hashQueue bounds the number of passwords that are hashed at a time. The others wait, first come, first served.
type hashQueue struct {
	slots   *semaphore.Weighted
	waiting atomic.Int64
}

// enter waits until a password may be hashed. It returns false if too many are waiting, or when ctx is done. After true the caller
// must call leave.
func (q *hashQueue) enter(ctx context.Context) bool {
	defer q.waiting.Add(-1)
	return q.waiting.Add(1) <= maxWaiting && q.slots.Acquire(ctx, 1) == nil
}

// leave allows the next password to be hashed.
func (q *hashQueue) leave() { q.slots.Release(1) }
