package etcdv3

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
	dst = appendText(dst, 1, u.Name)
	dst = appendText(dst, 2, u.PasswordHash)
	for _, role := range u.Roles {
		dst = appendMessage(dst, 3, []byte(role))
	}
	return appendMessage(dst, 4, appendInt(nil, 1, number(u.NoPassword)))
}

// ParseUser is the reverse of AppendUser.
func ParseUser(message []byte) (u User, err error) {
	err = eachField(message, func(f field) error {
		switch f.num {
		case 1:
			u.Name = string(f.text)
		case 2:
			u.PasswordHash = string(f.text)
		case 3:
			u.Roles = append(u.Roles, string(f.text))
		case 4:
			return eachField(f.text, func(f field) error {
				if f.num == 1 {
					u.NoPassword = f.number != 0
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
	dst = appendText(dst, 1, r.Name)
	for _, p := range r.Permissions {
		message := appendInt(nil, 1, int64(p.Access))
		message = appendText(message, 2, p.Key)
		dst = appendMessage(dst, 2, appendText(message, 3, p.RangeEnd))
	}
	return dst
}

// ParseRole is the reverse of AppendRole.
func ParseRole(message []byte) (r Role, err error) {
	err = eachField(message, func(f field) error {
		switch f.num {
		case 1:
			r.Name = string(f.text)
		case 2:
			var p Permission
			if err := eachField(f.text, p.setField); err != nil {
				return err
			}
			r.Permissions = append(r.Permissions, p)
		}
		return nil
	})
	return r, err
}

func (p *Permission) setField(f field) error {
	switch f.num {
	case 1:
		p.Access = Access(f.number)
	case 2:
		p.Key = string(f.text)
	case 3:
		p.RangeEnd = string(f.text)
	}
	return nil
}

// number returns the wire form of a bool.
func number(v bool) int64 {
	if v {
		return 1
	}
	return 0
}
