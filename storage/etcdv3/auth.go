package etcdv3

import (
	"google.golang.org/protobuf/encoding/protowire"

	"pando/storage/wire"
)

// User is a value of the bucket authUsers (authpb.User).
type User struct {
	Name string
	// PasswordHash is a bcrypt hash. It is empty for a user without a password.
	PasswordHash string
	Roles        []string // in ascending order
	// NoPassword says that the user was added without a password: only a client certificate can identify the user.
	NoPassword bool
}

// AppendUser appends the message as etcd encodes it.
func AppendUser(dst []byte, u *User) []byte {
	dst = wire.AppendText(dst, 1, u.Name)
	dst = wire.AppendText(dst, 2, u.PasswordHash)
	for _, role := range u.Roles {
		dst = wire.AppendMessage(dst, 3, []byte(role))
	}
	return wire.AppendMessage(dst, 4, wire.AppendInt(nil, 1, int64(protowire.EncodeBool(u.NoPassword))))
}

// ParseUser is the reverse of AppendUser.
func ParseUser(message []byte) (u User, err error) {
	err = wire.EachField(message, func(f wire.Field) error {
		switch f.Num {
		case 1:
			u.Name = string(f.Bytes)
		case 2:
			u.PasswordHash = string(f.Bytes)
		case 3:
			u.Roles = append(u.Roles, string(f.Bytes))
		case 4:
			return wire.EachField(f.Bytes, func(f wire.Field) error {
				if f.Num == 1 {
					u.NoPassword = f.Number != 0
				}
				return nil
			})
		}
		return nil
	})
	return u, err
}

// Access is the kind of a Permission.
type Access int64

// The values of Access.
const (
	ReadAccess      Access = 0
	WriteAccess     Access = 1
	ReadWriteAccess Access = 2
)

// Permission is one permission of a Role (authpb.Permission).
type Permission struct {
	Access Access
	Key    string
	// RangeEnd is empty for the permission for one key, "\x00" for all keys from Key on, and otherwise the first key after the range.
	RangeEnd string
}

// Role is a value of the bucket authRoles (authpb.Role).
type Role struct {
	Name        string
	Permissions []Permission // in ascending order of Key
}

// AppendRole appends the message as etcd encodes it.
func AppendRole(dst []byte, r *Role) []byte {
	dst = wire.AppendText(dst, 1, r.Name)
	for _, p := range r.Permissions {
		message := wire.AppendInt(nil, 1, int64(p.Access))
		message = wire.AppendText(message, 2, p.Key)
		dst = wire.AppendMessage(dst, 2, wire.AppendText(message, 3, p.RangeEnd))
	}
	return dst
}

// ParseRole is the reverse of AppendRole.
func ParseRole(message []byte) (r Role, err error) {
	err = wire.EachField(message, func(f wire.Field) error {
		switch f.Num {
		case 1:
			r.Name = string(f.Bytes)
		case 2:
			var p Permission
			if err := wire.EachField(f.Bytes, p.setField); err != nil {
				return err
			}
			r.Permissions = append(r.Permissions, p)
		}
		return nil
	})
	return r, err
}

func (p *Permission) setField(f wire.Field) error {
	switch f.Num {
	case 1:
		p.Access = Access(f.Number)
	case 2:
		p.Key = string(f.Bytes)
	case 3:
		p.RangeEnd = string(f.Bytes)
	}
	return nil
}
