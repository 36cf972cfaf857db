package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// ErrEmptyPassword is returned by Hash for an empty password. No stored hash accepts an empty password.
var ErrEmptyPassword = errors.New("the password is empty")

// Unusable is the stored hash of a user who can't log in until root sets a password. The v3 API makes such a user with an empty password,
// which etcd accepts as a password.
const Unusable = "!"

// The cost of a new hash: argon2id with 19 MiB, two passes and one lane, the least that OWASP recommends. Verifying it takes 20 ms of
// a processor. bcrypt of cost 10, which etcd uses, takes 52 ms, but an attacker with graphics cards tries passwords much faster with
// it, because it needs little memory. docs/rejected.md has the figures.
const (
	argonMemory  = 19 << 10 // KiB
	argonPasses  = 2
	argonLanes   = 1
	argonSalt    = 16 // bytes
	argonKey     = 32 // bytes
	argonPrefix  = "$argon2id$"
	argonVersion = "v=19"
)

// The largest cost that verify accepts. A stored hash of a higher cost would occupy the processor and the memory for too long.
const (
	maxArgonMemory = 256 << 10 // KiB
	maxArgonPasses = 16
	maxBcryptCost  = 14
)

// maxBcrypt is the number of bytes of a password that bcrypt uses. etcd ignores the bytes after them.
const maxBcrypt = 72

// errFormat is the error of a stored hash whose format or cost is not supported.
var errFormat = errors.New("auth: the format or the cost of a stored password hash is not supported")

// encoding is the base64 of argon2id hashes.
var encoding = base64.RawStdEncoding.Strict()

// argonHash is a parsed argon2id hash.
type argonHash struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

// newHash hashes a password, with a random salt.
func newHash(password string) string {
	h := argonHash{memory: argonMemory, passes: argonPasses, lanes: argonLanes, salt: make([]byte, argonSalt)}
	_, _ = rand.Read(h.salt) // never fails
	h.key = h.derive(password, argonKey)
	return h.String()
}

// ErrLongPassword is returned by Hash for a password of which bcrypt would ignore the last bytes.
var ErrLongPassword = fmt.Errorf("the password has more than %d bytes, of which bcrypt (--password-hash) ignores the last ones", maxBcrypt)

// newBcryptHash hashes a password in the way of etcd. The error is ErrLongPassword.
func newBcryptHash(password string) (string, error) {
	if len(password) > maxBcrypt {
		return "", ErrLongPassword
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return "", fmt.Errorf("auth: %w", err)
	}
	return string(hash), nil
}

func (h *argonHash) derive(password string, size uint32) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, size)
}

// String returns the hash in the format in which it is stored. It is that of the reference implementation of argon2.
func (h *argonHash) String() string {
	return fmt.Sprintf("%s%s$m=%d,t=%d,p=%d$%s$%s", argonPrefix, argonVersion, h.memory, h.passes, h.lanes,
		encoding.EncodeToString(h.salt), encoding.EncodeToString(h.key))
}

// parseArgon parses the result of argonHash.String. Its error is errFormat.
func parseArgon(stored string) (h argonHash, err error) {
	parts := strings.Split(strings.TrimPrefix(stored, argonPrefix), "$")
	if len(parts) != 4 || parts[0] != argonVersion {
		return h, errFormat
	}
	if n, err := fmt.Sscanf(parts[1], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.lanes); n != 3 || err != nil {
		return h, errFormat
	}
	var saltErr, keyErr error
	h.salt, saltErr = encoding.DecodeString(parts[2])
	h.key, keyErr = encoding.DecodeString(parts[3])
	switch {
	case saltErr != nil, keyErr != nil, len(h.salt) < 8, len(h.key) < 16:
		return h, errFormat
	case h.memory > maxArgonMemory, h.passes == 0, h.passes > maxArgonPasses, h.lanes == 0:
		return h, errFormat
	case h.String() != stored: // Sscanf accepts more than one text for the same numbers
		return h, errFormat
	}
	return h, nil
}

// verify reports whether a stored hash, made by newHash, by newBcryptHash or by etcd, is the hash of a password. A wrong password takes as
// long as the right one. The error is errFormat.
func verify(stored, password string) (bool, error) {
	if password == "" {
		return false, nil
	}
	if strings.HasPrefix(stored, argonPrefix) {
		h, err := parseArgon(stored)
		if err != nil {
			return false, err
		}
		return subtle.ConstantTimeCompare(h.derive(password, uint32(len(h.key))), h.key) == 1, nil
	}
	if cost, err := bcrypt.Cost([]byte(stored)); err != nil || cost > maxBcryptCost {
		return false, errFormat
	}
	err := bcrypt.CompareHashAndPassword([]byte(stored), []byte(password[:min(len(password), maxBcrypt)]))
	if err != nil && !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, errFormat
	}
	return err == nil, nil
}
