package etcdv3

import (
	"slices"
	"strings"

	"pando/tree/users"
)

// Users returns the users, the roles and the auth switch of the file. The state is empty if there are no users and roles, and auth is
// disabled.
func (f *File) Users() (*users.State, error) {
	var list []users.User
	var user User
	err := f.each(AuthUsersBucket, func(_, value []byte) (err error) {
		user, err = ParseUser(value)
		return err
	}, func() error {
		list = append(list, users.User{Name: user.Name, PasswordHash: user.PasswordHash, Roles: user.Roles})
		return nil
	})
	if err != nil {
		return nil, err
	}
	var roles []users.Role
	var role Role
	err = f.each(AuthRolesBucket, func(_, value []byte) (err error) {
		role, err = ParseRole(value)
		return err
	}, func() error {
		roles = append(roles, users.Role{Name: role.Name, Permissions: importedPermissions(role.Permissions)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 && len(roles) == 0 && !f.AuthEnabled {
		return new(users.State), nil
	}
	state, err := users.NewState(f.AuthEnabled, max(f.AuthRevision, 1)-1, list, roles) // the revision of etcd is 1 before the first change
	if err != nil {
		return nil, f.damage(err)
	}
	return state, nil
}

// importedPermissions returns the permissions of a role in the order that an update gives them.
func importedPermissions(list []Permission) users.Permissions {
	p := users.Permissions{Read: []users.Range{}, Write: []users.Range{}}
	for _, one := range list {
		r := users.RangeV3(one.Key, one.RangeEnd)
		if one.Access == ReadAccess || one.Access == ReadWriteAccess {
			p.Read = append(p.Read, r)
		}
		if one.Access == WriteAccess || one.Access == ReadWriteAccess {
			p.Write = append(p.Write, r)
		}
	}
	for _, ranges := range []*[]users.Range{&p.Read, &p.Write} {
		slices.SortFunc(*ranges, func(a, b users.Range) int { return strings.Compare(a.Pattern(), b.Pattern()) })
		*ranges = slices.Compact(*ranges)
	}
	return p
}
