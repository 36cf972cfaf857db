package v3

import (
	"context"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pando/httpapi/service"
	"pando/tree/users"
)

// authMethods is the service Auth.
var authMethods = []method{
	unary("Authenticate", (*Server).authenticate),
	unary("AuthStatus", (*Server).authStatus),
	unary("AuthEnable", (*Server).authEnable),
	unary("AuthDisable", (*Server).authDisable),
	unary("UserAdd", (*Server).userAdd),
	unary("UserGet", (*Server).userGet),
	unary("UserList", (*Server).userList),
	unary("UserDelete", (*Server).userDelete),
	unary("UserChangePassword", (*Server).userChangePassword),
	unary("UserGrantRole", (*Server).userGrantRole),
	unary("UserRevokeRole", (*Server).userRevokeRole),
	unary("RoleAdd", (*Server).roleAdd),
	unary("RoleGet", (*Server).roleGet),
	unary("RoleList", (*Server).roleList),
	unary("RoleDelete", (*Server).roleDelete),
	unary("RoleGrantPermission", (*Server).roleGrantPermission),
	unary("RoleRevokePermission", (*Server).roleRevokePermission),
}

// maxAuthName is the length in bytes of the longest name of a user or a role. Names are keys of the checkpoint.
const maxAuthName = 16 << 10

var errAuthName = status.Errorf(codes.InvalidArgument, "the name of a user or a role is longer than %d bytes", maxAuthName)

// authenticate returns a token for a name and a password.
func (s *Server) authenticate(ctx context.Context, r *pb.AuthenticateRequest) (*pb.AuthenticateResponse, error) {
	token, err := s.cfg.Service.Login(ctx, sender(ctx), r.Name, r.Password)
	if err != nil {
		return nil, err
	}
	return &pb.AuthenticateResponse{Header: s.currentHeader(), Token: token}, nil
}

func (s *Server) authStatus(ctx context.Context, _ *pb.AuthStatusRequest) (*pb.AuthStatusResponse, error) {
	enabled, revision, err := s.cfg.Service.AuthStatus(ctx, sender(ctx))
	if err != nil {
		return nil, err
	}
	return &pb.AuthStatusResponse{Header: s.currentHeader(), Enabled: enabled, AuthRevision: revision}, nil
}

// changeUsers executes a change without a new password, and returns the header of the response.
func (s *Server) changeUsers(ctx context.Context, c *users.Change) (*pb.ResponseHeader, error) {
	return s.changePassword(ctx, c, service.NewPassword{})
}

// changePassword executes a change with the new password of a user, and returns the header of the response.
func (s *Server) changePassword(ctx context.Context, c *users.Change, password service.NewPassword) (*pb.ResponseHeader, error) {
	if len(c.Name) > maxAuthName || len(c.Role) > maxAuthName {
		return nil, errAuthName
	}
	if err := s.cfg.Service.ChangeUsersV3(ctx, sender(ctx), c, password); err != nil {
		return nil, err
	}
	return s.currentHeader(), nil
}

func (s *Server) authEnable(ctx context.Context, _ *pb.AuthEnableRequest) (*pb.AuthEnableResponse, error) {
	header, err := s.changeUsers(ctx, &users.Change{Op: users.AuthEnable})
	return &pb.AuthEnableResponse{Header: header}, err
}

func (s *Server) authDisable(ctx context.Context, _ *pb.AuthDisableRequest) (*pb.AuthDisableResponse, error) {
	header, err := s.changeUsers(ctx, &users.Change{Op: users.AuthDisable})
	return &pb.AuthDisableResponse{Header: header}, err
}

func (s *Server) userAdd(ctx context.Context, r *pb.AuthUserAddRequest) (*pb.AuthUserAddResponse, error) {
	c := &users.Change{Op: users.UserAdd, Name: r.Name}
	header, err := s.changePassword(ctx, c, service.NewPassword{Text: r.Password, None: r.Options.GetNoPassword()})
	return &pb.AuthUserAddResponse{Header: header}, err
}

func (s *Server) userGet(ctx context.Context, r *pb.AuthUserGetRequest) (*pb.AuthUserGetResponse, error) {
	roles, err := s.cfg.Service.UserRoles(ctx, sender(ctx), r.Name)
	return &pb.AuthUserGetResponse{Header: s.currentHeader(), Roles: roles}, err
}

func (s *Server) userList(ctx context.Context, _ *pb.AuthUserListRequest) (*pb.AuthUserListResponse, error) {
	names, err := s.cfg.Service.UserNames(ctx, sender(ctx))
	return &pb.AuthUserListResponse{Header: s.currentHeader(), Users: names}, err
}

func (s *Server) userDelete(ctx context.Context, r *pb.AuthUserDeleteRequest) (*pb.AuthUserDeleteResponse, error) {
	header, err := s.changeUsers(ctx, &users.Change{Op: users.UserDelete, Name: r.Name})
	return &pb.AuthUserDeleteResponse{Header: header}, err
}

func (s *Server) userChangePassword(
	ctx context.Context, r *pb.AuthUserChangePasswordRequest,
) (*pb.AuthUserChangePasswordResponse, error) {
	c := &users.Change{Op: users.UserChangePassword, Name: r.Name}
	header, err := s.changePassword(ctx, c, service.NewPassword{Text: r.Password})
	return &pb.AuthUserChangePasswordResponse{Header: header}, err
}

func (s *Server) userGrantRole(ctx context.Context, r *pb.AuthUserGrantRoleRequest) (*pb.AuthUserGrantRoleResponse, error) {
	header, err := s.changeUsers(ctx, &users.Change{Op: users.UserGrantRole, Name: r.User, Role: r.Role})
	return &pb.AuthUserGrantRoleResponse{Header: header}, err
}

func (s *Server) userRevokeRole(ctx context.Context, r *pb.AuthUserRevokeRoleRequest) (*pb.AuthUserRevokeRoleResponse, error) {
	header, err := s.changeUsers(ctx, &users.Change{Op: users.UserRevokeRole, Name: r.Name, Role: r.Role})
	return &pb.AuthUserRevokeRoleResponse{Header: header}, err
}

func (s *Server) roleAdd(ctx context.Context, r *pb.AuthRoleAddRequest) (*pb.AuthRoleAddResponse, error) {
	header, err := s.changeUsers(ctx, &users.Change{Op: users.RoleAdd, Name: r.Name})
	return &pb.AuthRoleAddResponse{Header: header}, err
}

func (s *Server) roleGet(ctx context.Context, r *pb.AuthRoleGetRequest) (*pb.AuthRoleGetResponse, error) {
	permissions, err := s.cfg.Service.RolePermissions(ctx, sender(ctx), r.Role)
	if err != nil {
		return nil, err
	}
	reply := &pb.AuthRoleGetResponse{Header: s.currentHeader()}
	for _, one := range permissions {
		reply.Perm = append(reply.Perm, wirePermission(one))
	}
	return reply, nil
}

func (s *Server) roleList(ctx context.Context, _ *pb.AuthRoleListRequest) (*pb.AuthRoleListResponse, error) {
	names, err := s.cfg.Service.RoleNames(ctx, sender(ctx))
	return &pb.AuthRoleListResponse{Header: s.currentHeader(), Roles: names}, err
}

func (s *Server) roleDelete(ctx context.Context, r *pb.AuthRoleDeleteRequest) (*pb.AuthRoleDeleteResponse, error) {
	header, err := s.changeUsers(ctx, &users.Change{Op: users.RoleDelete, Name: r.Role})
	return &pb.AuthRoleDeleteResponse{Header: header}, err
}

func (s *Server) roleGrantPermission(
	ctx context.Context, r *pb.AuthRoleGrantPermissionRequest,
) (*pb.AuthRoleGrantPermissionResponse, error) {
	if r.Perm == nil {
		return nil, rpctypes.ErrGRPCPermissionNotGiven
	}
	c := &users.Change{Op: users.RoleGrantPermission, Name: r.Name, Range: users.RangeV3(string(r.Perm.Key), string(r.Perm.RangeEnd))}
	switch r.Perm.PermType {
	case authpb.READ:
		c.CanRead = true
	case authpb.WRITE:
		c.CanWrite = true
	case authpb.READWRITE:
		c.CanRead, c.CanWrite = true, true
	default: // the reference grants nothing and reports success
		return nil, rpctypes.ErrGRPCPermissionNotGiven
	}
	header, err := s.changeUsers(ctx, c)
	return &pb.AuthRoleGrantPermissionResponse{Header: header}, err
}

func (s *Server) roleRevokePermission(
	ctx context.Context, r *pb.AuthRoleRevokePermissionRequest,
) (*pb.AuthRoleRevokePermissionResponse, error) {
	keys := users.RangeV3(string(r.Key), string(r.RangeEnd))
	header, err := s.changeUsers(ctx, &users.Change{Op: users.RoleRevokePermission, Name: r.Role, Range: keys})
	return &pb.AuthRoleRevokePermissionResponse{Header: header}, err
}

// wirePermission returns a permission as the API sends it.
func wirePermission(one users.PermissionV3) *authpb.Permission {
	key, end := one.Range.V3()
	p := &authpb.Permission{PermType: authpb.READ, Key: []byte(key), RangeEnd: []byte(end)}
	switch {
	case one.Read && one.Write:
		p.PermType = authpb.READWRITE
	case one.Write:
		p.PermType = authpb.WRITE
	}
	return p
}
