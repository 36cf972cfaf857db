package etcdv3

import (
	"pando/storage/wire"
	"pando/tree/users"
)

// parseChange decodes a request that changes users, roles or the auth switch.
func (r *request) parseChange(f wire.Field) error {
	c := new(users.Change)
	r.change = c
	var m userMessage
	if err := wire.EachField(f.Bytes, m.setField); err != nil {
		return err
	}
	c.Name = m.texts[1]
	switch f.Num {
	case fieldAuthEnable:
		c.Op = users.AuthEnable
	case fieldAuthDisable:
		c.Op = users.AuthDisable
	case fieldUserAdd:
		c.Op = users.UserAdd
		if c.PasswordHash = m.texts[4]; m.noPassword() {
			c.PasswordHash = ""
		} else {
			r.password = c.PasswordHash == ""
		}
	case fieldUserDelete:
		c.Op = users.UserDelete
	case fieldUserPassword:
		c.Op, c.PasswordHash = users.UserChangePassword, m.texts[3]
		r.password = c.PasswordHash == ""
	case fieldUserGrantRole:
		c.Op, c.Role = users.UserGrantRole, m.texts[2]
	case fieldUserRevokeRole:
		c.Op, c.Role = users.UserRevokeRole, m.texts[2]
	case fieldRoleAdd:
		c.Op = users.RoleAdd
	case fieldRoleDelete:
		c.Op = users.RoleDelete
	case fieldRolePermission:
		c.Op = users.RoleGrantPermission
		var p Permission
		if err := wire.EachField([]byte(m.texts[2]), p.setField); err != nil {
			return err
		}
		c.Range = users.RangeV3(p.Key, p.RangeEnd)
		c.CanRead, c.CanWrite = p.Access != WriteAccess, p.Access != ReadAccess
	case fieldRoleRevokeRange:
		c.Op, c.Range = users.RoleRevokePermission, users.RangeV3(m.texts[2], m.texts[3])
	}
	return nil
}

// userMessage holds the fields of a request of the Auth service by their numbers. All of them are texts or messages.
type userMessage struct{ texts [5]string }

func (m *userMessage) setField(f wire.Field) error {
	if int(f.Num) < len(m.texts) {
		m.texts[f.Num] = string(f.Bytes)
	}
	return nil
}

// noPassword reports whether the message adds a user without a password.
func (m *userMessage) noPassword() (yes bool) {
	_ = wire.EachField([]byte(m.texts[3]), func(f wire.Field) error { // a malformed message has no option
		if f.Num == 1 {
			yes = f.Number != 0
		}
		return nil
	})
	return yes
}
