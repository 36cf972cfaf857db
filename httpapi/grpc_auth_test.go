package httpapi

import (
	"context"
	"fmt"
	"testing"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// authTest calls the service Auth of a fixture.
type authTest struct {
	*testing.T
	fixture *fixture
	conn    *grpc.ClientConn
	auth    pb.AuthClient
	members pb.ClusterClient
	upkeep  pb.MaintenanceClient
}

func newAuthTest(t *testing.T) *authTest {
	f := newFixture(t, nil)
	_, conn := serveGRPC(t, f)
	return &authTest{t, f, conn, pb.NewAuthClient(conn), pb.NewClusterClient(conn), pb.NewMaintenanceClient(conn)}
}

// must fails the test after an error.
func (a *authTest) must(_ any, err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}

// fails checks the error of a call.
func (a *authTest) fails(want error) func(any, error) {
	return func(_ any, err error) {
		a.Helper()
		expectStatus(a.T, err, want)
	}
}

// login returns the context of requests with a token.
func (a *authTest) login(name, password string) context.Context {
	a.Helper()
	r, err := a.auth.Authenticate(a.Context(), &pb.AuthenticateRequest{Name: name, Password: password})
	if err != nil {
		a.Fatal(err)
	}
	return metadata.AppendToOutgoingContext(a.Context(), rpctypes.TokenFieldNameGRPC, r.Token)
}

// enable makes the users root and ann, whose role may read and write the keys with the prefix /app/, and enables auth.
func (a *authTest) enable() {
	a.Helper()
	ctx, c := a.Context(), a.auth
	a.must(c.UserAdd(ctx, &pb.AuthUserAddRequest{Name: "root", Password: "secret"}))
	a.must(c.UserAdd(ctx, &pb.AuthUserAddRequest{Name: "ann", Password: "secret"}))
	a.must(c.RoleAdd(ctx, &pb.AuthRoleAddRequest{Name: "root"}))
	a.must(c.RoleAdd(ctx, &pb.AuthRoleAddRequest{Name: "app"}))
	keys := &authpb.Permission{PermType: authpb.READWRITE, Key: []byte("/app/"), RangeEnd: []byte("/app0")}
	a.must(c.RoleGrantPermission(ctx, &pb.AuthRoleGrantPermissionRequest{Name: "app", Perm: keys}))
	a.must(c.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: "ann", Role: "app"}))
	a.fails(rpctypes.ErrGRPCRootRoleNotExist)(c.AuthEnable(ctx, &pb.AuthEnableRequest{}))
	a.must(c.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"}))
	a.must(c.AuthEnable(ctx, &pb.AuthEnableRequest{}))
}

// TestGRPCAuth uses the users, roles and tokens of the v3 API, and their rights in the v2 API.
func TestGRPCAuth(t *testing.T) {
	a := newAuthTest(t)
	_, err := a.auth.Authenticate(t.Context(), &pb.AuthenticateRequest{Name: "root", Password: "secret"})
	expectStatus(t, err, rpctypes.ErrGRPCAuthNotEnabled)
	a.enable()
	root, ann := a.login("root", "secret"), a.login("ann", "secret")
	t.Run("rights in the v2 API", func(t *testing.T) {
		body := map[string]string{"PUT": "value=1"}
		for _, test := range []struct {
			user, method, path string
			want               int
		}{
			{"ann", "PUT", "/v2/keys/app/a", 201}, {"ann", "GET", "/v2/keys/app/a", 200}, {"ann", "PUT", "/v2/keys/b", 401},
			{"root", "PUT", "/v2/keys/b", 201}, {"", "GET", "/v2/keys/app/a", 401}, {"bob", "GET", "/v2/keys/app/a", 401},
		} {
			if got := a.fixture.doAs(test.user, test.method, test.path, body[test.method]).Code; got != test.want {
				t.Errorf("%+v: %d", test, got)
			}
		}
	})
	t.Run("reading", func(t *testing.T) {
		for _, ctx := range []context.Context{root, ann} {
			r, err := a.auth.UserGet(ctx, &pb.AuthUserGetRequest{Name: "ann"})
			role, roleErr := a.auth.RoleGet(ctx, &pb.AuthRoleGetRequest{Role: "app"})
			if err != nil || roleErr != nil || fmt.Sprint(r.Roles) != "[app]" || len(role.Perm) != 1 || string(role.Perm[0].RangeEnd) != "/app0" {
				t.Errorf("%v, %v, %v, %v", r, err, role, roleErr)
			}
		}
		users, err := a.auth.UserList(root, &pb.AuthUserListRequest{})
		roles, roleErr := a.auth.RoleList(root, &pb.AuthRoleListRequest{})
		if err != nil || roleErr != nil || fmt.Sprint(users.Users, roles.Roles) != "[ann root] [app root]" {
			t.Errorf("%v, %v, %v, %v", users, err, roles, roleErr)
		}
		a.fails(rpctypes.ErrGRPCPermissionDenied)(a.auth.UserList(ann, &pb.AuthUserListRequest{}))
		a.fails(rpctypes.ErrGRPCUserEmpty)(a.auth.RoleList(t.Context(), &pb.AuthRoleListRequest{}))
		st, err := a.auth.AuthStatus(t.Context(), &pb.AuthStatusRequest{})
		if err != nil || !st.Enabled || st.AuthRevision < 2 || st.Header.MemberId != 1 {
			t.Errorf("%v, %v", st, err)
		}
	})
	t.Run("the cluster", func(t *testing.T) { testClusterRights(a, root, ann) })
	t.Run("the list of leases", func(t *testing.T) { testLeaseRights(a, root, ann) })
	t.Run("a new password", func(t *testing.T) {
		a.must(a.auth.UserChangePassword(root, &pb.AuthUserChangePasswordRequest{Name: "ann", Password: "new"}))
		a.fails(rpctypes.ErrGRPCInvalidAuthToken)(a.auth.UserGet(ann, &pb.AuthUserGetRequest{Name: "ann"}))
		ann = a.login("ann", "new")
		a.must(a.auth.UserGet(ann, &pb.AuthUserGetRequest{Name: "ann"}))
	})
	t.Run("disabled", func(t *testing.T) {
		a.must(a.auth.AuthDisable(root, &pb.AuthDisableRequest{}))
		a.must(a.auth.RoleDelete(t.Context(), &pb.AuthRoleDeleteRequest{Role: "app"}))
		r, err := a.auth.UserGet(ann, &pb.AuthUserGetRequest{Name: "ann"}) // the token does not matter
		if err != nil || len(r.Roles) != 0 {
			t.Errorf("%v, %v", r, err)
		}
	})
}

// testClusterRights checks the rights to operations on the cluster.
func testClusterRights(a *authTest, root, ann context.Context) {
	none, bad := a.Context(), metadata.AppendToOutgoingContext(a.Context(), rpctypes.TokenFieldNameGRPC, "bad")
	for _, test := range []struct {
		name      string
		call      func(ctx context.Context) (any, error)
		forAnn    error
		rootFails bool // for another reason
	}{
		{"MemberList", func(ctx context.Context) (any, error) { return a.members.MemberList(ctx, &pb.MemberListRequest{}) }, nil, false},
		{"Status", func(ctx context.Context) (any, error) { return a.upkeep.Status(ctx, &pb.StatusRequest{}) }, nil, false},
		{"Alarm", func(ctx context.Context) (any, error) { return a.upkeep.Alarm(ctx, &pb.AlarmRequest{}) }, nil, false},
		{"MemberRemove", func(ctx context.Context) (any, error) {
			return a.members.MemberRemove(ctx, &pb.MemberRemoveRequest{ID: 7})
		}, rpctypes.ErrGRPCPermissionDenied, false},
		{"disarm", func(ctx context.Context) (any, error) {
			return a.upkeep.Alarm(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE})
		}, rpctypes.ErrGRPCPermissionDenied, false},
		{"MoveLeader", func(ctx context.Context) (any, error) {
			return a.upkeep.MoveLeader(ctx, &pb.MoveLeaderRequest{TargetID: 7})
		}, rpctypes.ErrGRPCPermissionDenied, true},
		{"Compact", func(ctx context.Context) (any, error) {
			return pb.NewKVClient(a.conn).Compact(ctx, &pb.CompactionRequest{Revision: 1 << 40})
		}, rpctypes.ErrGRPCPermissionDenied, true},
	} {
		if _, err := test.call(root); (err != nil) != test.rootFails {
			a.Errorf("%s by root: %v", test.name, err)
		}
		_, err := test.call(ann)
		if test.forAnn == nil && err != nil || test.forAnn != nil && status.Code(err) != status.Code(test.forAnn) {
			a.Errorf("%s by ann: %v", test.name, err)
		}
		if _, err := test.call(none); status.Code(err) != codes.InvalidArgument {
			a.Errorf("%s without credentials: %v", test.name, err)
		}
		if _, err := test.call(bad); status.Code(err) != codes.Unauthenticated {
			a.Errorf("%s with a bad token: %v", test.name, err)
		}
	}
}

// testLeaseRights lists the leases as a user who may read the keys of one lease, and not those of the other.
func testLeaseRights(a *authTest, root, ann context.Context) {
	kv, leases := pb.NewKVClient(a.conn), pb.NewLeaseClient(a.conn)
	for id, key := range map[int64]string{7: "/app/a", 8: "/other"} {
		a.must(leases.LeaseGrant(root, &pb.LeaseGrantRequest{ID: id, TTL: 60}))
		a.must(kv.Put(root, &pb.PutRequest{Key: []byte(key), Lease: id}))
	}
	a.must(leases.LeaseLeases(root, &pb.LeaseLeasesRequest{}))
	a.fails(rpctypes.ErrGRPCPermissionDenied)(leases.LeaseLeases(ann, &pb.LeaseLeasesRequest{}))
	a.must(leases.LeaseRevoke(root, &pb.LeaseRevokeRequest{ID: 8}))
	a.must(leases.LeaseLeases(ann, &pb.LeaseLeasesRequest{}))
}

// TestGRPCAuthErrors checks the errors of changes while auth is disabled.
func TestGRPCAuthErrors(t *testing.T) {
	a := newAuthTest(t)
	ctx, c := t.Context(), a.auth
	a.must(c.UserAdd(ctx, &pb.AuthUserAddRequest{Name: "ann", Password: "pw"}))
	a.must(c.RoleAdd(ctx, &pb.AuthRoleAddRequest{Name: "r"}))
	a.must(c.AuthDisable(ctx, &pb.AuthDisableRequest{})) // it is disabled already
	permission := func(kind authpb.Permission_Type, key, end string) *pb.AuthRoleGrantPermissionRequest {
		return &pb.AuthRoleGrantPermissionRequest{Name: "r", Perm: &authpb.Permission{PermType: kind, Key: []byte(key), RangeEnd: []byte(end)}}
	}
	long := string(make([]byte, 17<<10))
	a.fails(rpctypes.ErrGRPCUserEmpty)(c.UserAdd(ctx, &pb.AuthUserAddRequest{Password: "pw"}))
	a.fails(rpctypes.ErrGRPCUserAlreadyExist)(c.UserAdd(ctx, &pb.AuthUserAddRequest{Name: "ann", Password: "pw"}))
	a.fails(rpctypes.ErrGRPCUserNotFound)(c.UserDelete(ctx, &pb.AuthUserDeleteRequest{Name: "bob"}))
	a.fails(rpctypes.ErrGRPCUserNotFound)(c.UserGet(ctx, &pb.AuthUserGetRequest{Name: "bob"}))
	a.fails(rpctypes.ErrGRPCRoleEmpty)(c.RoleAdd(ctx, &pb.AuthRoleAddRequest{}))
	a.fails(rpctypes.ErrGRPCRoleAlreadyExist)(c.RoleAdd(ctx, &pb.AuthRoleAddRequest{Name: "r"}))
	a.fails(rpctypes.ErrGRPCRoleNotFound)(c.RoleGet(ctx, &pb.AuthRoleGetRequest{Role: "root"}))
	a.fails(rpctypes.ErrGRPCRoleNotFound)(c.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: "ann", Role: "x"}))
	a.fails(rpctypes.ErrGRPCRoleNotGranted)(c.UserRevokeRole(ctx, &pb.AuthUserRevokeRoleRequest{Name: "ann", Role: "r"}))
	a.fails(rpctypes.ErrGRPCPermissionNotGiven)(c.RoleGrantPermission(ctx, &pb.AuthRoleGrantPermissionRequest{Name: "r"}))
	a.fails(rpctypes.ErrGRPCPermissionNotGiven)(c.RoleGrantPermission(ctx, permission(7, "a", "")))
	a.fails(rpctypes.ErrGRPCInvalidAuthMgmt)(c.RoleGrantPermission(ctx, permission(authpb.READ, "b", "a")))
	a.fails(rpctypes.ErrGRPCInvalidAuthMgmt)(c.RoleGrantPermission(ctx, permission(authpb.READ, "", "")))
	revoke := &pb.AuthRoleRevokePermissionRequest{Role: "r", Key: []byte("a")}
	a.fails(rpctypes.ErrGRPCPermissionNotGranted)(c.RoleRevokePermission(ctx, revoke))
	a.fails(rpctypes.ErrGRPCRootUserNotExist)(c.AuthEnable(ctx, &pb.AuthEnableRequest{}))
	_, err := c.UserAdd(ctx, &pb.AuthUserAddRequest{Name: long, Password: "pw"})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("a long name: %v", err)
	}
	for _, kind := range []authpb.Permission_Type{authpb.READ, authpb.WRITE, authpb.READWRITE} {
		a.must(c.RoleGrantPermission(ctx, permission(kind, "a", "\x00")))
		r, err := c.RoleGet(ctx, &pb.AuthRoleGetRequest{Role: "r"})
		if err != nil || len(r.Perm) != 1 || r.Perm[0].PermType != kind || string(r.Perm[0].RangeEnd) != "\x00" {
			t.Errorf("%v, %v", r, err)
		}
	}
}
