// Package users holds the users, the roles and the auth switch of a cluster: a part of the
// replicated state of package tree.
//
// A [State] is immutable. A [Change] makes a new State from it. Every member applies the
// same changes in the same order, so all members have the same State. The package does no
// I/O, reads no clock, and checks no password.
//
// # Two protocols
//
// The v2 and the v3 API of etcd share the users and roles. Each has changes of its own, which
// keep the rules of its protocol. A permission is a range of keys: a pattern of the v2 API is a
// range, too. The v2 API shows a range that is no pattern with both ends in brackets. The v2 API
// grants an access by one permission, the v3 API by all permissions of a user together. A guest,
// which is a request without credentials, has rights in the v2 API alone.
//
// # Passwords
//
// A State and a Change never contain a password, only the hash of one.
// Callers must hash a password before they make a Change, because a Change is written to
// the log of every member.
//
// # Goroutines
//
// All functions may be called from any goroutine. A State, its users and its roles never
// change, so they may be read without a lock and kept without limit. A [Loader] may be used
// by one goroutine at a time.
//
// # Invariants
//
//   - Each change of users, roles or the switch increases the revision by one. A change that
//     fails does not.
//   - The role root always exists and gives every access. It is stored only to remember that
//     the v3 API has added it.
//   - A State shares all memory that has not changed with the State before it, so a change
//     costs the same with ten users and with ten thousand.
//   - The texts of errors and the order of checks are those of etcd, because clients compare
//     them: of etcd 3.4 for the v2 API, of etcd 3.7 for the v3 API.
//   - While auth is enabled, the user root exists and has the role root.
//
// # Files
//
//	state.go         State: reading it, and the check of rights
//	user.go          User, Role and Permissions
//	ranges.go        Range: the keys to which a permission applies; ranges_v3.go: as the v3 API has them
//	change.go        Change; change_codec.go is its encoding in the log
//	apply.go         what each change does; apply_user.go, apply_role.go
//	apply_v3.go      what the changes of the v3 API do; apply_v3_role.go
//	errors.go        Error
//	records.go       the stored form of a State; load.go reads it
//	fields.go        the encoding of the fields of changes and records
//	set.go           sets of names and ranges
package users
