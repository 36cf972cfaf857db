package etcdv2

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"pando/storage/etcdv3"
	"pando/storage/wire"
	"pando/tree/users"
)

// userList is the users and roles of a member.
type userList struct {
	used    bool // the namespace exists: something about users was changed once
	users   []users.User
	roles   []users.Role
	enabled bool
}

// storedUser and storedRole are the values of users and roles.
type storedUser struct {
	Password string   `json:"password"`
	Roles    []string `json:"roles"`
}

type storedRole struct {
	Permissions struct {
		KV struct {
			Read  []string `json:"read"`
			Write []string `json:"write"`
		} `json:"kv"`
	} `json:"permissions"`
}

// readUsers reads users, roles and the auth switch from the model, in the order of the names.
func readUsers(s *store, report *Report) (*userList, error) {
	list := new(userList)
	space, _ := s.find(userSpace)
	if space == nil || !space.isDir() {
		return list, nil
	}
	list.used = true
	if n := space.children["enabled"]; n != nil {
		if err := json.Unmarshal([]byte(n.value), &list.enabled); err != nil {
			return nil, fmt.Errorf("%w: the auth switch is %.80q", wire.ErrMalformed, n.value)
		}
	}
	err := eachValue(space.children["users"], func(name, value string) error {
		var u storedUser
		if err := json.Unmarshal([]byte(value), &u); err != nil {
			return fmt.Errorf("%w: user %.80q: %w", wire.ErrMalformed, name, err)
		}
		if u.Password == "" {
			report.note("user %q was left out: the user has no password, so nobody could log in", name)
			return nil
		}
		roles := u.Roles
		if name == users.Root && !slices.Contains(roles, users.Root) {
			roles = append(roles, users.Root)
		}
		list.users = append(list.users, users.User{Name: name, PasswordHash: u.Password, Roles: roles})
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = eachValue(space.children["roles"], func(name, value string) error {
		var r storedRole
		if err := json.Unmarshal([]byte(value), &r); err != nil {
			return fmt.Errorf("%w: role %.80q: %w", wire.ErrMalformed, name, err)
		}
		if name != users.Root { // this role always exists
			kv := r.Permissions.KV
			permissions := users.Permissions{Read: users.ParsePatterns(kv.Read), Write: users.ParsePatterns(kv.Write)}
			list.roles = append(list.roles, users.Role{Name: name, Permissions: permissions})
		}
		return nil
	})
	report.Users, report.Roles, report.AuthEnabled = len(list.users), len(list.roles), list.enabled
	return list, err
}

// state makes the state of the users. It needs a revision that is at least the number of changes that made it; the index of the
// store is one.
func (l *userList) state(index uint64) (*users.State, error) {
	if !l.used {
		return new(users.State), nil
	}
	return users.NewState(l.enabled, index, l.users, l.roles)
}

// merge returns the users of v2, whose state is given, or those of a file of v3. It returns an error if both have users or roles.
func (l *userList) merge(v2 *users.State, beside *etcdv3.File) (*users.State, error) {
	v3, err := beside.Users()
	switch {
	case err != nil || v3.IsZero():
		return v2, err
	case len(l.users) > 0 || len(l.roles) > 0:
		return nil, fmt.Errorf("%w: both have users or roles: choose one side with --from-api %s or --from-api %s", ErrClash, V2, V3)
	}
	return v3, nil
}

// eachValue calls visit for each file in a directory, in the order of the names. A missing directory has none.
func eachValue(dir *node, visit func(name, value string) error) error {
	if dir == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(dir.children)) {
		if n := dir.children[name]; !n.isDir() {
			if err := visit(name, n.value); err != nil {
				return err
			}
		}
	}
	return nil
}
