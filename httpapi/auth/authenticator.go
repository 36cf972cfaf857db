package auth

import (
	"context"
	"errors"
	"strconv"
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

var (
	// ErrNoCredentials says that a request of the v3 API has neither a token nor a client certificate.
	ErrNoCredentials = errors.New("auth: no credentials")
	// ErrNoUser says that the client certificate of a request of the v3 API names no user.
	ErrNoUser = errors.New("auth: the certificate names no user")
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
	// Token is the proof by a token of the v3 API.
	Token
)

// String returns the name of the proof in the audit log.
func (p Proof) String() string {
	switch p {
	case Password:
		return "password"
	case Certificate:
		return "certificate"
	case Token:
		return "token"
	}
	return "anonymous"
}

// Principal is the sender of a request.
type Principal struct {
	// Name is the name of the user. It is empty for a guest.
	Name  string
	Proof Proof
	// hash is the stored hash of the password with which the sender has logged in; empty if it has not.
	hash string
}

// Roles returns the roles of the principal in a later state, without verifying a password again. ok is false if the user no longer
// exists or has another password. The caller must not change the roles.
func (p *Principal) Roles(state *users.State) (roles []string, ok bool) {
	if p.Proof == Anonymous {
		return guestRoles, true
	}
	u := state.User(p.Name)
	if u == nil || p.Proof != Certificate && u.PasswordHash != p.hash {
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
	// TokenTTL is the time after which a token ends that is not used (--auth-token-ttl).
	TokenTTL time.Duration
	// Bcrypt is set if Hash makes hashes of bcrypt, which etcd can verify, in place of argon2id (--password-hash).
	Bcrypt bool
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
	uses     *tokenUses
	now      func() time.Time
}

// New makes an Authenticator. It verifies passwords on at most half of the processors, so that other requests have the rest. It hashes new
// passwords on as many.
func New(cfg Config) *Authenticator {
	slots := int64(max(1, cfg.Processors/2))
	return &Authenticator{
		cfg: cfg, digester: newDigester(), limits: newLimits(cfg.FailedLogins, cfg.Processors), now: time.Now,
		uses:    newTokenUses(cfg.TokenTTL),
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
	if u := a.verifiedUser(state, digest); u != nil {
		return Principal{u.Name, Password, u.PasswordHash}, u.Roles, nil
	}
	t := attempt{digest: digest, address: c.Remote}
	name, password, ok := parseBasic(c.Authorization)
	t.name, t.password, t.malformed = name, password, !ok
	return a.login(ctx, state, &t)
}

// Login returns the sender of a login of the v3 API, and its roles in the state, as Authenticate does for a request with this name and
// password: with the same cache, limits and errors. remote is the address of the client, as in Credentials.
func (a *Authenticator) Login(ctx context.Context, state *users.State, name, password, remote string) (Principal, []string, error) {
	// No Authorization header has the same digest: it would have to begin with the scheme.
	digest := a.digester.digest("login " + strconv.Itoa(len(name)) + " " + name + password)
	if u := a.verifiedUser(state, digest); u != nil {
		return Principal{u.Name, Password, u.PasswordHash}, u.Roles, nil
	}
	return a.login(ctx, state, &attempt{digest: digest, name: name, password: password, address: remote})
}

// verifiedUser returns the user whose password was verified with the digest, or nil.
func (a *Authenticator) verifiedUser(state *users.State, d digest) *users.User {
	if l := a.verified.get(d); l != nil {
		if u := state.User(l.name); u != nil && u.PasswordHash == l.hash {
			a.cfg.Metrics.CacheHit()
			return u
		}
	}
	return nil
}

// IdentifyV3 returns the sender of a request of the v3 API, and its roles in the state: the user of the token or, without a token, the user
// that the certificate names. The caller must not change the roles. As in etcd, there are no guests. The errors are those of VerifyToken,
// ErrNoCredentials and ErrNoUser.
func (a *Authenticator) IdentifyV3(state *users.State, c Credentials) (Principal, []string, error) {
	switch {
	case c.Token != "":
		return a.VerifyToken(state, c.Token)
	case !a.cfg.Certificates || c.CommonName == "":
		return Principal{}, nil, ErrNoCredentials
	}
	principal, roles := a.identifyByCertificate(state, c)
	if principal.Proof == Anonymous {
		return Principal{}, nil, ErrNoUser
	}
	return principal, roles, nil
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
