package auth

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"pando/tree/users"
)

var (
	// ErrBadCredentials says that the credentials of a request are malformed or wrong, or belong to no user.
	ErrBadCredentials = errors.New("auth: bad credentials")
	// ErrTooManyAttempts says that a password was not verified, because too many logins of the user or from the address have failed,
	// or because too many requests wait for the verification of theirs.
	ErrTooManyAttempts = errors.New("auth: too many failed logins, try again later")
)

// Proof is the way in which the sender of a request has proved its identity.
type Proof uint8

// The proofs.
const (
	// Anonymous is the proof of a request without credentials. Its sender is a guest.
	Anonymous Proof = iota
	// Password is the proof by name and password.
	Password
	// Certificate is the proof by a verified client certificate.
	Certificate
)

// String returns the name of the proof in the audit log.
func (p Proof) String() string {
	switch p {
	case Password:
		return "password"
	case Certificate:
		return "certificate"
	}
	return "anonymous"
}

// Principal is the sender of a request.
type Principal struct {
	// Name is the name of the user. It is empty for a guest.
	Name  string
	Proof Proof
	// hash is the stored hash that verified the password; empty for any other proof.
	hash string
}

// Roles returns the roles of the principal in a later state, without verifying a password again. ok is false if the user no longer
// exists or has another password. The caller must not change the roles.
func (p *Principal) Roles(state *users.State) (roles []string, ok bool) {
	if p.Proof == Anonymous {
		return guestRoles, true
	}
	u := state.User(p.Name)
	if u == nil || p.Proof == Password && u.PasswordHash != p.hash {
		return nil, false
	}
	return u.Roles, true
}

// Metrics counts logins. It is called from any goroutine.
type Metrics interface {
	// CacheHit counts a request whose password was in the cache. It is called for nearly every request.
	CacheHit()
	// Succeeded counts a login whose password was verified by its hash.
	Succeeded()
	// Failed counts a request with bad credentials.
	Failed()
	// Limited counts a request with ErrTooManyAttempts.
	Limited()
	// Hashing adds to the number of passwords that are being hashed. n is 1 or -1.
	Hashing(n int)
}

// Config contains the parameters of an Authenticator. All fields must be set, except those whose comment gives zero
// a meaning.
type Config struct {
	// Certificates is true if a client certificate proves who sends a request (--client-cert-auth).
	Certificates bool
	// FailedLogins is the number of logins per minute that may fail for each user name and for each address. Zero means no limit.
	FailedLogins int
	// Processors is the number of processors of this process.
	Processors int
	Metrics    Metrics
	Logger     *zap.Logger
}

// Authenticator identifies the senders of requests. Its methods may be called from any goroutine.
type Authenticator struct {
	cfg      Config
	digester *digester
	verified cache // of logins with the right password
	rejected cache // of logins with a wrong password, so that its repetition needs no further hash
	limits   *limits
	hashes   hashQueue          // of logins
	changes  hashQueue          // of new passwords
	inFlight singleflight.Group // the running verifications, by digest and stored hash
	now      func() time.Time
}

// New makes an Authenticator. It verifies passwords on at most half of the processors, so that other requests have the rest. It hashes new
// passwords on as many.
func New(cfg Config) *Authenticator {
	slots := int64(max(1, cfg.Processors/2))
	return &Authenticator{
		cfg: cfg, digester: newDigester(), limits: newLimits(cfg.FailedLogins, cfg.Processors), now: time.Now,
		hashes:  hashQueue{slots: semaphore.NewWeighted(slots)},
		changes: hashQueue{slots: semaphore.NewWeighted(slots)},
	}
}

// guestRoles are the roles of a guest. The slice must not be changed.
var guestRoles = []string{users.Guest}

// Authenticate returns the sender of a request, and its roles in the state. The caller must not change the roles. ctx bounds how long
// the request waits for the verification of a password that is not in the cache. The errors are ErrBadCredentials and
// ErrTooManyAttempts. The Principal then has only the name that the request claims, without a proof.
func (a *Authenticator) Authenticate(ctx context.Context, state *users.State, c Credentials) (Principal, []string, error) {
	if c.Authorization == "" {
		principal, roles := a.identifyByCertificate(state, c)
		return principal, roles, nil
	}
	digest := a.digester.digest(c.Authorization)
	if l := a.verified.get(digest); l != nil {
		if u := state.User(l.name); u != nil && u.PasswordHash == l.hash {
			a.cfg.Metrics.CacheHit()
			return Principal{u.Name, Password, u.PasswordHash}, u.Roles, nil
		}
	}
	return a.login(ctx, state, digest, c)
}

// identifyByCertificate returns the sender of a request without the header Authorization: the user that the certificate names, or a
// guest. As in the reference, the sender is a guest if the certificate names no user: the certificate may only prove that the host
// belongs to the network.
func (a *Authenticator) identifyByCertificate(state *users.State, c Credentials) (Principal, []string) {
	if a.cfg.Certificates && c.CommonName != "" {
		if u := state.User(c.CommonName); u != nil {
			return Principal{Name: u.Name, Proof: Certificate}, u.Roles
		}
	}
	return Principal{}, guestRoles
}
