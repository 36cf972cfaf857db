// Package auth finds out who sends a request. It reads the credentials of a request, verifies passwords, and hashes new ones.
// It decides nothing about rights: package service asks for the roles of the user and applies them.
//
// The credentials are an Authorization header of the scheme Basic, or without that header a client certificate whose common name is
// that of a user. A request without credentials comes from a guest. A bad Authorization header is an error: it never makes a request
// one of a guest.
//
// # Cost
//
// A password is stored as a slow hash, which takes about 20 ms of a processor and 19 MiB of memory to verify. So an
// Authenticator remembers verified passwords: [Authenticator.Authenticate] needs less than a microsecond for them, no lock and no
// allocation. It stores no password: the cache has the SHA-256 of the header with a random key that never leaves the process. An
// entry counts only for as long as the user has the stored hash with which the password was verified. So a new password and the
// removal of a user count from the index at which they are applied.
//
// Few passwords are hashed at a time, so that processors are left for other requests. The other passwords wait in a queue. It does
// not block requests whose password is in the cache. Requests with the same header and the same stored hash share one verification.
//
// # Attackers
//
// Failed logins are limited for each user name and each address, and all of them together. Requests over a limit get
// [ErrTooManyAttempts], and no password is hashed for them. A request with a password in the cache is never limited, so an attacker
// can't lock out a user who has logged in. An attacker can't find out whether a user exists: the password of an unknown user is hashed,
// too. Each failed login takes at least failureTime, also one that is refused by a limit or by the cache of wrong passwords: so a client
// gets at most ten refusals a second on each connection.
//
// All methods may be called from any goroutine.
//
//   - credentials.go: Credentials, and what is read of a request
//   - authenticator.go: Config, Authenticator and its errors
//   - verify.go: verifying a password that is not in the cache
//   - cache.go: the cache of verified passwords
//   - hash.go: the formats of stored hashes
//   - limits.go: limits of failed logins; buckets.go: their bounded maps
package auth
