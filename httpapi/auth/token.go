package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"pando/tree/users"
)

var (
	// ErrBadToken says that a token is malformed or has expired, or that its user was deleted or has another password.
	ErrBadToken = errors.New("auth: bad token")
	// ErrTokenAhead says that a token is from a later state than that of the member. The member must catch up before it can verify it.
	ErrTokenAhead = errors.New("auth: the token is from a later state of the users")
	// ErrNoTokenKey says that the state has no key for tokens. See NewTokenKey.
	ErrNoTokenKey = errors.New("auth: there is no key for tokens")
)

// tokenVersion is the first byte of a token.
const tokenVersion = 1

// tokenKeySize is the length of the key of the tokens in bytes.
const tokenKeySize = 32

// maxToken is the length of the longest token. Names of users are at most 16 KiB long.
const maxToken = 32 << 10

// NewTokenKey returns a random key for the tokens of a cluster.
func NewTokenKey() string {
	key := make([]byte, tokenKeySize)
	_, _ = rand.Read(key) // never fails
	return string(key)
}

// tokenEncoding is the encoding of tokens, which are values of gRPC metadata and of HTTP headers.
var tokenEncoding = base64.RawURLEncoding.Strict()

// token is the content of a token. Nobody can make or change one without the key of the state. Every member can verify it, without a
// table of tokens.
type token struct {
	revision uint64 // of the users when the token was made
	expires  time.Time
	name     string // of the user
}

// payload appends the content of the token.
func (t *token) payload(dst []byte) []byte {
	dst = append(dst, tokenVersion)
	dst = binary.AppendUvarint(dst, t.revision)
	dst = binary.AppendUvarint(dst, uint64(t.expires.Unix()))
	dst = binary.AppendUvarint(dst, uint64(len(t.name)))
	return append(dst, t.name...)
}

// mac returns the code that authenticates a payload. It depends on the stored password hash, so that a new password ends all tokens.
func mac(key string, payload []byte, passwordHash string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = h.Write(payload) // it tells its length, so nothing else has the same input
	_, _ = h.Write([]byte(passwordHash))
	return h.Sum(nil)
}

// parseToken parses a token that NewToken has made, without verifying it.
func parseToken(text string) (t token, payload, code []byte, ok bool) {
	if len(text) > maxToken || strings.ContainsAny(text, "\r\n") { // the decoder would ignore line ends
		return t, nil, nil, false
	}
	raw, err := tokenEncoding.DecodeString(text)
	if err != nil || len(raw) <= 1+sha256.Size || raw[0] != tokenVersion {
		return t, nil, nil, false
	}
	payload, code = raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	rest := payload[1:]
	var numbers [3]uint64 // revision, expiry, length of the name
	for i := range numbers {
		v, n := binary.Uvarint(rest)
		if n <= 0 {
			return t, nil, nil, false
		}
		numbers[i], rest = v, rest[n:]
	}
	if numbers[2] != uint64(len(rest)) {
		return t, nil, nil, false
	}
	return token{numbers[0], time.Unix(int64(numbers[1]), 0), string(rest)}, payload, code, true
}

// NewToken returns a token for a principal that Login has returned for the state. The error is ErrNoTokenKey.
func (a *Authenticator) NewToken(state *users.State, p Principal) (string, error) {
	key := state.TokenKey()
	if key == "" {
		return "", ErrNoTokenKey
	}
	// The expiry is in whole seconds. The token must not end early.
	t := token{state.Revision(), a.now().Add(a.cfg.TokenTTL + time.Second), p.Name}
	payload := t.payload(nil)
	return tokenEncoding.EncodeToString(append(payload, mac(key, payload, p.hash)...)), nil
}

// VerifyToken returns the sender of a request with a token, and its roles in the state. The caller must not change the roles. As in etcd, a
// token stays valid while it is used: it ends when Config.TokenTTL has passed since its creation and since its last use on this member. The
// errors are ErrBadToken and ErrTokenAhead. It reads no password hash with a slow function.
func (a *Authenticator) VerifyToken(state *users.State, text string) (Principal, []string, error) {
	t, payload, code, ok := parseToken(text)
	if !ok {
		return Principal{}, nil, ErrBadToken
	}
	user, key := state.User(t.name), state.TokenKey()
	if user == nil || key == "" || !hmac.Equal(code, mac(key, payload, user.PasswordHash)) {
		if t.revision > state.Revision() {
			return Principal{}, nil, ErrTokenAhead
		}
		return Principal{}, nil, ErrBadToken
	}
	if !a.uses.use(digest(code), t.expires, a.now()) {
		return Principal{}, nil, ErrBadToken
	}
	return Principal{user.Name, Token, user.PasswordHash}, user.Roles, nil
}
