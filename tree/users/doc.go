// Package users holds the users, the roles and the auth switch of a cluster: a part of the
// replicated state of package tree.
//
// A [State] is immutable. A [Change] makes a new State from it. Every member applies the
// same changes in the same order, so all members have the same State. The package does no
// I/O, reads no clock, and checks no password.
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
//   - The role root always exists, gives every access, and is never stored. The user root, if
//     it exists, always has this role.
//   - A State shares all memory that has not changed with the State before it, so a change
//     costs the same with ten users and with ten thousand.
//   - The texts of errors and the order of checks are those of etcd 3.4, because clients
//     compare them.
//
// # Files
//
//	state.go         State: reading it, and the check of rights
//	user.go          User, Role and Permissions
//	ranges.go        Range: the keys to which a permission applies
//	change.go        Change; change_codec.go is its encoding in the log
//	apply.go         what each change does; apply_user.go, apply_role.go
//	errors.go        Error
//	records.go       the stored form of a State; load.go reads it
//	fields.go        the encoding of the fields of changes and records
//	set.go           sets of names and ranges
package users
