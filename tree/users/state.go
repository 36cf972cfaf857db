package users

import (
	"iter"

	"pando/tree/btree"
)

// State holds the users, the roles and the auth switch of a cluster at one revision. It never
// changes. The zero State has no users and only the role root, and auth is disabled.
type State struct {
	revision uint64
	enabled  bool
	// initialized is true after the first change that took the indexes of directories. The
	// reference keeps users and roles in these directories.
	initialized bool
	// tokenKey is the TokenKey.
	tokenKey string
	users    btree.Map[*userItem]
	// roles may have an item for the role root: see HasRootRole.
	roles btree.Map[*roleItem]
}

// Enabled reports whether requests must be authorized.
func (s *State) Enabled() bool { return s.enabled }

// Revision returns the number of changes of users, roles and the switch since the cluster was
// founded. Two States of one cluster with the same revision have the same content.
func (s *State) Revision() uint64 { return s.revision }

// IsZero reports whether the State is that of a new cluster: no change was ever applied.
func (s *State) IsZero() bool { return !s.initialized && s.revision == 0 }

// User returns a user, or nil if there is none with the name.
func (s *State) User(name string) *User { return (*User)(s.users.Get(name)) }

// TokenKey returns the secret key of the tokens of the v3 API. It is empty until SetTokenKey, and after auth is enabled or disabled. It
// must never leave the cluster.
func (s *State) TokenKey() string { return s.tokenKey }

// HasRootRole reports whether the v3 API shows the role root. As in etcd, it does after a RoleAdd of this role. The role gives every
// access in any case, and the v2 API always shows it.
func (s *State) HasRootRole() bool { return s.roles.Get(Root) != nil }

// Role returns a role, or nil if there is none with the name.
func (s *State) Role(name string) *Role {
	if name == Root {
		return rootRole
	}
	return (*Role)(s.roles.Get(name))
}

// Users returns all users in the order of their names.
func (s *State) Users() iter.Seq[*User] {
	return func(yield func(*User) bool) {
		s.users.Scan(func(u *userItem) bool { return yield((*User)(u)) })
	}
}

// Roles returns all roles, with the role root, in the order of their names.
func (s *State) Roles() iter.Seq[*Role] {
	return func(yield func(*Role) bool) {
		passedRoot := false
		more := s.roles.Scan(func(r *roleItem) bool {
			if r.Name == Root {
				return true
			}
			if !passedRoot && r.Name > Root {
				passedRoot = true
				if !yield(rootRole) {
					return false
				}
			}
			return yield((*Role)(r))
		})
		if more && !passedRoot {
			yield(rootRole)
		}
	}
}

// Allows reports whether one of the roles gives the access to a clean path. With Subtree it
// must give the access to the path and to everything below it by a single range. The role
// root gives every access. The name of a role that does not exist gives none. The result does
// not depend on Enabled.
func (s *State) Allows(roles []string, a Access, path string, scope Scope) bool {
	for _, name := range roles {
		if name == Root {
			return true
		}
		if r := s.Role(name); r != nil && r.allows(a, path, scope) {
			return true
		}
	}
	return false
}

// OpenToGuests reports whether requests without credentials, which have the role guest, may read
// all keys or write all keys while auth is enabled. The result does not depend on Enabled.
func (s *State) OpenToGuests() bool {
	guest := []string{Guest}
	return s.Allows(guest, Read, "/", Subtree) || s.Allows(guest, Write, "/", Subtree)
}
