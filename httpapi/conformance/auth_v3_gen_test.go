package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// authCall is a call of the service Auth.
type authCall struct {
	text string
	do   func(ctx context.Context, c pb.AuthClient) (result string, err error)
	done func() // called after success; may be nil
}

// The names and keys of random calls. Few names make most calls concern what exists.
var (
	authNames = []string{"ann", "bob", "root"}
	authRoles = []string{"reader", "writer", "root", "none"}
	// Each key has one end: etcd keeps several permissions for a range if other ranges begin with the same key.
	authRanges = [][2]string{{"a", ""}, {"b", "d"}, {"c", "\x00"}, {"\x00", "\x00"}, {"/app/", "/app0"}, {"k\xff\x01", ""}}
	badRanges  = [][2]string{{"", ""}, {"", "\x00"}, {"", "z"}, {"x", "a"}, {"y", "y"}} // etcd 3.4 accepts them
)

func pick[T any](r *authRun, list []T) T { return list[r.random.IntN(len(list))] }

// name draws a name, which is rarely empty.
func (r *authRun) name(names []string) string {
	if r.random.IntN(20) == 0 {
		return ""
	}
	return pick(r, names)
}

// draw draws a call.
func (r *authRun) draw() authCall {
	user, role := r.name(authNames), r.name(authRoles)
	password := pick(r, []string{"p1", "p2"})
	keys := pick(r, authRanges)
	if r.strict && r.random.IntN(4) == 0 {
		keys = pick(r, badRanges)
	}
	calls := []func() authCall{
		func() authCall { return r.userAdd(user, password, r.random.IntN(5) == 0) },
		func() authCall { return r.userDelete(user) },
		func() authCall { return r.userChangePassword(user, password) },
		func() authCall { return userGrantRole(user, role) },
		func() authCall { return userGrantRole(user, role) },
		func() authCall { return userRevokeRole(user, role) },
		func() authCall { return roleAdd(role) },
		func() authCall { return roleDelete(role) },
		func() authCall {
			return roleGrantPermission(role, authpb.Permission_Type(r.random.IntN(3)), keys)
		},
		func() authCall {
			return roleGrantPermission(role, authpb.Permission_Type(r.random.IntN(3)), keys)
		},
		func() authCall { return roleRevokePermission(role, keys) },
		func() authCall { return userGet(pick(r, authNames)) }, // etcd takes "" for the name of a sender without a token
		func() authCall { return roleGet(role, r.strict) },
		userList, roleList,
		func() authCall { return authenticate(user, password) },
	}
	if r.strict {
		calls = append(calls, authStatus)
	}
	return pick(r, calls)()
}

// change returns a call whose success shows nothing.
func change[Req, Reply any](request *Req, send func(pb.AuthClient, context.Context, *Req, ...grpc.CallOption) (Reply, error)) authCall {
	text := fmt.Sprintf("%T %v", request, request)
	return authCall{text: text[strings.Index(text, ".")+1:], do: func(ctx context.Context, c pb.AuthClient) (string, error) {
		_, err := send(c, ctx, request)
		return "", err
	}}
}

func (r *authRun) userAdd(name, password string, none bool) authCall {
	options := &authpb.UserAddOptions{NoPassword: none}
	c := change(&pb.AuthUserAddRequest{Name: name, Password: password, Options: options}, pb.AuthClient.UserAdd)
	if !none {
		c.done = func() { r.passwords[name] = password }
	}
	return c
}

func (r *authRun) userDelete(name string) authCall {
	c := change(&pb.AuthUserDeleteRequest{Name: name}, pb.AuthClient.UserDelete)
	c.done = func() { delete(r.passwords, name) }
	return c
}

func (r *authRun) userChangePassword(name, password string) authCall {
	c := change(&pb.AuthUserChangePasswordRequest{Name: name, Password: password}, pb.AuthClient.UserChangePassword)
	c.done = func() {
		if r.passwords[name] != "" {
			r.passwords[name] = password
		}
	}
	return c
}

func userGrantRole(user, role string) authCall {
	return change(&pb.AuthUserGrantRoleRequest{User: user, Role: role}, pb.AuthClient.UserGrantRole)
}

func userRevokeRole(user, role string) authCall {
	return change(&pb.AuthUserRevokeRoleRequest{Name: user, Role: role}, pb.AuthClient.UserRevokeRole)
}

func roleAdd(name string) authCall {
	return change(&pb.AuthRoleAddRequest{Name: name}, pb.AuthClient.RoleAdd)
}

func roleDelete(name string) authCall {
	return change(&pb.AuthRoleDeleteRequest{Role: name}, pb.AuthClient.RoleDelete)
}

func roleGrantPermission(role string, kind authpb.Permission_Type, keys [2]string) authCall {
	p := &authpb.Permission{PermType: kind, Key: []byte(keys[0]), RangeEnd: []byte(keys[1])}
	return change(&pb.AuthRoleGrantPermissionRequest{Name: role, Perm: p}, pb.AuthClient.RoleGrantPermission)
}

func roleRevokePermission(role string, keys [2]string) authCall {
	r := &pb.AuthRoleRevokePermissionRequest{Role: role, Key: []byte(keys[0]), RangeEnd: []byte(keys[1])}
	return change(r, pb.AuthClient.RoleRevokePermission)
}

func (r *authRun) authEnable() authCall {
	c := change(&pb.AuthEnableRequest{}, pb.AuthClient.AuthEnable)
	c.done = func() { r.enabled = true }
	return c
}

func (r *authRun) authDisable() authCall {
	c := change(&pb.AuthDisableRequest{}, pb.AuthClient.AuthDisable)
	c.done = func() {
		r.enabled = false
		for _, s := range r.sides {
			clear(s.tokens)
		}
	}
	return c
}

func userGet(name string) authCall {
	return authCall{text: fmt.Sprintf("UserGet %q", name), do: func(ctx context.Context, c pb.AuthClient) (string, error) {
		r, err := c.UserGet(ctx, &pb.AuthUserGetRequest{Name: name})
		return strings.Join(r.GetRoles(), " "), err
	}}
}

// roleGet shows the permissions of a role. etcd 3.4 shows others for the role root.
func roleGet(name string, strict bool) authCall {
	return authCall{text: fmt.Sprintf("RoleGet %q", name), do: func(ctx context.Context, c pb.AuthClient) (string, error) {
		r, err := c.RoleGet(ctx, &pb.AuthRoleGetRequest{Role: name})
		var list []string
		for _, p := range r.GetPerm() {
			list = append(list, fmt.Sprintf("%v %q %q", p.PermType, p.Key, p.RangeEnd))
		}
		if name == "root" && !strict {
			list = nil
		}
		slices.Sort(list)
		return strings.Join(list, ", "), err
	}}
}

func userList() authCall {
	return authCall{text: "UserList", do: func(ctx context.Context, c pb.AuthClient) (string, error) {
		r, err := c.UserList(ctx, &pb.AuthUserListRequest{})
		return strings.Join(r.GetUsers(), " "), err
	}}
}

func roleList() authCall {
	return authCall{text: "RoleList", do: func(ctx context.Context, c pb.AuthClient) (string, error) {
		r, err := c.RoleList(ctx, &pb.AuthRoleListRequest{})
		return strings.Join(r.GetRoles(), " "), err
	}}
}

func authenticate(name, password string) authCall {
	return authCall{text: fmt.Sprintf("Authenticate %q %q", name, password), do: func(ctx context.Context, c pb.AuthClient) (string, error) {
		r, err := c.Authenticate(ctx, &pb.AuthenticateRequest{Name: name, Password: password})
		return fmt.Sprint(r.GetToken() != ""), err
	}}
}

func authStatus() authCall {
	return authCall{text: "AuthStatus", do: func(ctx context.Context, c pb.AuthClient) (string, error) {
		r, err := c.AuthStatus(ctx, &pb.AuthStatusRequest{})
		return fmt.Sprint(r.GetEnabled()), err
	}}
}
