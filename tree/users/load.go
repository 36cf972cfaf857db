package users

import (
	"fmt"

	"pando/tree/btree"
)

// Loader makes a State from its stored form. The caller must call Record for each record, in
// the order of the keys, and then Finish. For content that no State can have, the methods
// return an error that wraps ErrBadState. The Loader keeps none of the slices, and must not
// be used after an error.
type Loader struct{ state State }

// NewLoader returns a Loader for a State whose head AppendHead has returned.
func NewLoader(head []byte) (*Loader, error) {
	d := decoder{src: head}
	version := d.octet()
	if version != headVersion && version != keyHeadVersion {
		return nil, fmt.Errorf("%w: version %d, but this program reads the versions %d and %d; start a later program",
			ErrBadState, version, headVersion, keyHeadVersion)
	}
	l := &Loader{State{
		enabled: d.flag(), initialized: d.flag(), revision: d.uvarint(),
		users: btree.New[*userItem](0, 0), roles: btree.New[*roleItem](0, 0),
	}}
	if version == keyHeadVersion {
		if l.state.tokenKey = d.text(); l.state.tokenKey == "" {
			d.fail()
		}
	}
	// An initialized State may have the revision zero: the first change has failed.
	if d.bad || len(d.src) > 0 || l.state.IsZero() {
		return nil, fmt.Errorf("%w: the head of %d bytes is malformed", ErrBadState, len(head))
	}
	return l, nil
}

// Record adds a record that Difference has returned.
func (l *Loader) Record(key, record []byte) error {
	if len(key) < 2 {
		return fmt.Errorf("%w: a user or a role without a name", ErrBadState)
	}
	name := string(key[1:])
	d := decoder{src: record}
	added := false
	switch key[0] {
	case userRecord:
		u := &User{Name: name, PasswordHash: d.text(), Roles: d.texts()}
		added = !d.bad && l.state.users.Append((*userItem)(u))
	case roleRecord:
		r := newRole(name, d.permissions())
		added = !d.bad && l.state.roles.Append((*roleItem)(r))
	}
	if !added || len(d.src) > 0 {
		return fmt.Errorf("%w: user or role %.64q", ErrBadState, key)
	}
	return nil
}

// Finish returns the State. The Loader must not be used afterwards.
func (l *Loader) Finish() (*State, error) {
	s := &l.state
	if s.enabled && s.User(Root) == nil {
		return nil, fmt.Errorf("%w: auth is enabled without a user root", ErrBadState)
	}
	// Each change creates at most one user or one role.
	if uint64(s.users.Len()) > s.revision || uint64(s.roles.Len()) > s.revision {
		return nil, fmt.Errorf("%w: %d users and %d roles at revision %d", ErrBadState, s.users.Len(), s.roles.Len(), s.revision)
	}
	return s, nil
}

// NewState returns a State with users and roles of another program. Both lists must be sorted by name. The roles
// have the role root if HasRootRole shall be true, which is so for an etcd v3 that has it.
// revision must be at least the number of changes that made them. For a content that no State can have, the error wraps
// ErrBadState. The State keeps the slices of the users and roles.
func NewState(enabled bool, revision uint64, list []User, roles []Role) (*State, error) {
	l := &Loader{State{
		enabled: enabled, initialized: true, revision: revision,
		users: btree.New[*userItem](0, 0), roles: btree.New[*roleItem](0, 0),
	}}
	for _, u := range list {
		if u.Name == "" || !l.state.users.Append((*userItem)(&u)) {
			return nil, fmt.Errorf("%w: user %.64q", ErrBadState, u.Name)
		}
	}
	for _, r := range roles {
		if r.Name == "" || !l.state.roles.Append((*roleItem)(newRole(r.Name, r.Permissions))) {
			return nil, fmt.Errorf("%w: role %.64q", ErrBadState, r.Name)
		}
	}
	return l.Finish()
}
