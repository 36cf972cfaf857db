package users

import (
	"encoding/binary"
	"iter"
)

// The stored form of a State is its head and a record for each user and each role.

// The versions of the head. A head without a token key has version 1.
const (
	headVersion    = 1
	keyHeadVersion = 2 // the token key follows; programs without the v3 API can't read it
)

// The first byte of a record's key. The name of the user or of the role follows.
const (
	userRecord = 'u'
	roleRecord = 'r'
)

// AppendHead appends the head: the stored form of everything that is not in records.
func (s *State) AppendHead(dst []byte) []byte {
	version := byte(headVersion)
	if s.tokenKey != "" {
		version = keyHeadVersion
	}
	dst = append(dst, version)
	dst = appendFlag(dst, s.enabled)
	dst = appendFlag(dst, s.initialized)
	dst = binary.AppendUvarint(dst, s.revision)
	if s.tokenKey != "" {
		dst = appendText(dst, s.tokenKey)
	}
	return dst
}

// Difference returns the records in which s differs from before, an earlier State of the same
// cluster, as pairs of key and record. The record is nil if before has a user or a role that s
// does not have. If before is nil, Difference returns all records of s. The order of the
// records depends only on the two States. The caller owns the slices. The time grows with the
// number of users and roles, but only the records that differ are encoded.
func (s *State) Difference(before *State) iter.Seq2[[]byte, []byte] {
	if before == nil {
		before = new(State)
	}
	return func(yield func(key, record []byte) bool) {
		_ = s.users.Scan(func(u *userItem) bool {
			return before.users.Get(u.Name) == u || yield(recordKey(userRecord, u.Name), appendUser(nil, (*User)(u)))
		}) && before.users.Scan(func(u *userItem) bool {
			return s.users.Get(u.Name) != nil || yield(recordKey(userRecord, u.Name), nil)
		}) && s.roles.Scan(func(r *roleItem) bool {
			return before.roles.Get(r.Name) == r || yield(recordKey(roleRecord, r.Name), appendPermissions(nil, &r.Permissions))
		}) && before.roles.Scan(func(r *roleItem) bool {
			return s.roles.Get(r.Name) != nil || yield(recordKey(roleRecord, r.Name), nil)
		})
	}
}

func recordKey(kind byte, name string) []byte { return append([]byte{kind}, name...) }

func appendUser(dst []byte, u *User) []byte {
	dst = appendText(dst, u.PasswordHash)
	return appendTexts(dst, u.Roles)
}
