package users

import "fmt"

// hasName reports whether a Change with this operation has a Name.
func (o Op) hasName() bool { return o < Enable || o.IsV3() && o < AuthEnable }

// AppendChange appends the encoding of c to dst. It leaves out the fields that the operation
// does not have.
func AppendChange(dst []byte, c *Change) []byte {
	dst = append(dst, byte(c.Op))
	if c.Op.hasName() {
		dst = appendText(dst, c.Name)
	}
	switch c.Op {
	case PutUser:
		dst = appendText(dst, c.PasswordHash)
		dst = appendTexts(dst, c.Roles)
		dst = appendTexts(dst, c.Grant)
		dst = appendTexts(dst, c.Revoke)
	case PutRole:
		dst = appendPermissions(dst, &c.Permissions)
		dst = appendPermissions(dst, &c.GrantPermissions)
		dst = appendPermissions(dst, &c.RevokePermissions)
	case UserAdd, UserChangePassword:
		dst = appendText(dst, c.PasswordHash)
	case UserGrantRole, UserRevokeRole:
		dst = appendText(dst, c.Role)
	case RoleGrantPermission:
		dst = appendFlag(appendFlag(appendRange(dst, c.Range), c.CanRead), c.CanWrite)
	case RoleRevokePermission:
		dst = appendRange(dst, c.Range)
	case SetTokenKey:
		dst = appendText(dst, c.TokenKey)
	}
	return dst
}

// DecodeChange decodes what AppendChange appended. src must hold nothing else. The Change
// shares no memory with src. Errors wrap ErrBadChange.
func DecodeChange(src []byte) (*Change, error) {
	d := decoder{src: src}
	c := &Change{Op: Op(d.octet())}
	if d.bad || c.Op == 0 || c.Op > lastOp {
		return nil, fmt.Errorf("%w: unknown operation %d", ErrBadChange, c.Op)
	}
	if c.Op.hasName() {
		if c.Name = d.text(); c.Name == "" && !c.Op.IsV3() {
			return nil, fmt.Errorf("%w: a name is missing", ErrBadChange)
		}
	}
	switch c.Op {
	case PutUser:
		c.PasswordHash = d.text()
		c.Roles, c.Grant, c.Revoke = d.texts(), d.texts(), d.texts()
	case PutRole:
		c.Permissions, c.GrantPermissions, c.RevokePermissions = d.permissions(), d.permissions(), d.permissions()
	default:
		d.v3Fields(c)
	}
	if d.bad || len(d.src) > 0 {
		return nil, fmt.Errorf("%w: %d bytes", ErrBadChange, len(src))
	}
	return c, nil
}

// v3Fields reads the fields of an operation of the v3 API, and none for any other operation.
func (d *decoder) v3Fields(c *Change) {
	switch c.Op {
	case UserAdd, UserChangePassword:
		c.PasswordHash = d.text()
	case UserGrantRole, UserRevokeRole:
		c.Role = d.text()
	case RoleGrantPermission:
		c.Range = d.keyRange()
		c.CanRead, c.CanWrite = d.flag(), d.flag()
	case RoleRevokePermission:
		c.Range = d.keyRange()
	case SetTokenKey:
		if c.TokenKey = d.text(); c.TokenKey == "" {
			d.fail()
		}
	}
}
