// Package auth identifies the sender of a request. It reads the credentials of the request, verifies passwords, and hashes new ones.
// It does not check rights: package service does that, with the roles that this package returns.
//
// The credentials are an Authorization header of the scheme Basic, or without that header a client certificate whose common name is
// that of a user. A request of the v3 API has a token instead of the header. A request without credentials is that of a guest in the v2
// API, and refused in the v3 API. A bad Authorization header is an error: such a request is never treated as that of a guest.
//
// # Cost
//
// A password is stored as a slow hash, which takes about 20 ms of a processor and 19 MiB of memory to verify. So an
// Authenticator caches verified passwords: for them [Authenticator.Authenticate] takes less than a microsecond, no lock and no
// allocation. The cache contains no password, but the SHA-256 of a random key and the header. The key never leaves the process. An
// entry is valid while the user has the stored hash with which the password was verified. So a new password and the removal of a
// user take effect at the index at which they are applied.
//
// At most half of the processors verify passwords at a time; the others serve other requests. The other passwords wait in a queue.
// Requests whose password is in the cache do not wait in it. New passwords have a queue of their own, because root must be able to
// change a password while strangers fill the queue of logins. Requests with the same header and the same stored hash share one
// verification.
//
// # Attackers
//
// Failed logins are limited for each user name and each address, and all of them together. Requests over a limit get
// [ErrTooManyAttempts], and no password is hashed for them. A request with a password in the cache is never limited, so an attacker
// can't lock out a user who has logged in. An attacker can't find out whether a user exists: the password of an unknown user is hashed,
// too. Each failed login takes at least failureTime, also one that is refused by the cache of wrong passwords. A login over a limit takes
// at least limitedTime, so that a client gets one such refusal a second on each connection.
//
// # Tokens
//
// A client of the v3 API logs in once, and sends a token with its requests. A token contains the name of the user, the time at which it
// expires, and a code (HMAC-SHA256) over these and the stored password hash, with a secret key that the state of the users contains. So
// every member can verify it in microseconds, without a table of tokens. It ends when the user is deleted or gets another password, and
// when auth is disabled or enabled, because each of them changes the hash or the key.
//
// All methods may be called from any goroutine.
//
//   - credentials.go: Credentials, and reading them from a request; metadata.go: reading them from a request of gRPC
//   - authenticator.go: Config, Authenticator and its errors
//   - verify.go: verifying a password that is not in the cache
//   - cache.go: the cache of verified passwords
//   - hash.go: the formats of stored hashes
//   - token.go: tokens; uses.go: their last uses
//   - limits.go: limits of failed logins; buckets.go: their bounded maps
package auth
