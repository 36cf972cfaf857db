package conformance

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	etcdclient "go.etcd.io/etcd/client/v2"

	"pando/members/servertest"
)

// loginClient returns the Go client of the v2 API with a user and a password.
func loginClient(t *testing.T, name, password string, endpoints ...string) etcdclient.Client {
	t.Helper()
	client, err := etcdclient.New(etcdclient.Config{
		Endpoints: endpoints, Transport: &http.Transport{}, HeaderTimeoutPerRequest: servertest.Timeout, Username: name, Password: password,
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// hasMessage reports whether an error has a text of /v2/auth.
func hasMessage(err error, text string) bool {
	return err != nil && strings.Contains(err.Error(), text)
}

// TestClientGoAuth calls every method of AuthAPI, AuthUserAPI and AuthRoleAPI.
func TestClientGoAuth(t *testing.T) {
	p := launchAdvertised(t)
	goClientUsers(t, p.Client)
	goClientRoles(t, p.Client)

	ctx := t.Context()
	root := loginClient(t, "root", "secret", p.Client)
	if err := etcdclient.NewAuthAPI(goClient(t, p.Client)).Enable(ctx); err != nil {
		t.Fatal(err)
	}
	if err := etcdclient.NewAuthAPI(root).Enable(ctx); !hasMessage(err, "auth: already enabled") {
		t.Errorf("Enable again: %v", err)
	}
	if err := etcdclient.NewAuthAPI(goClient(t, p.Client)).Disable(ctx); !hasMessage(err, "Insufficient credentials") {
		t.Errorf("Disable by a guest: %v", err)
	}
	if _, err := etcdclient.NewAuthRoleAPI(root).RevokeRoleKV(ctx, "guest", []string{"/*"}, etcdclient.ReadWritePermission); err != nil {
		t.Errorf("RevokeRoleKV: %v", err)
	}
	goClientRights(t, p.Client)
	if err := etcdclient.NewAuthUserAPI(root).RemoveUser(ctx, "root"); !hasMessage(err, "Cannot delete root user while auth is enabled") {
		t.Errorf("RemoveUser of root: %v", err)
	}
	if err := etcdclient.NewAuthAPI(root).Disable(ctx); err != nil {
		t.Errorf("Disable: %v", err)
	}
}

// goClientUsers makes the users root with the password "secret", and alice with "wonder" and the role app.
func goClientUsers(t *testing.T, endpoint string) {
	t.Helper()
	ctx := t.Context()
	users := etcdclient.NewAuthUserAPI(goClient(t, endpoint))
	for _, name := range []string{"root", "alice", "bob"} {
		if err := users.AddUser(ctx, name, "secret"); err != nil {
			t.Fatalf("AddUser %s: %v", name, err)
		}
	}
	if list, err := users.ListUsers(ctx); err != nil || !slices.Equal(list, []string{"alice", "bob", "root"}) {
		t.Errorf("ListUsers: %q, error %v", list, err)
	}
	if u, err := users.ChangePassword(ctx, "alice", "wonder"); err != nil || u.User != "alice" {
		t.Errorf("ChangePassword: %+v, error %v", u, err)
	}
	if u, err := users.GrantUser(ctx, "alice", []string{"app", "more"}); err != nil || !slices.Equal(u.Roles, []string{"app", "more"}) {
		t.Errorf("GrantUser: %+v, error %v", u, err)
	}
	if u, err := users.RevokeUser(ctx, "alice", []string{"more"}); err != nil || !slices.Equal(u.Roles, []string{"app"}) {
		t.Errorf("RevokeUser: %+v, error %v", u, err)
	}
	if _, err := users.GrantUser(ctx, "alice", []string{"app"}); !hasMessage(err, "auth: Granting duplicate role app for user alice") {
		t.Errorf("GrantUser again: %v", err)
	}
	if err := users.RemoveUser(ctx, "bob"); err != nil {
		t.Errorf("RemoveUser: %v", err)
	}
	if _, err := users.GetUser(ctx, "bob"); !hasMessage(err, "auth: User bob does not exist.") {
		t.Errorf("GetUser of a removed user: %v", err)
	}
}

// goClientRoles makes the role app, which may read and write below /app.
func goClientRoles(t *testing.T, endpoint string) {
	t.Helper()
	ctx := t.Context()
	client := goClient(t, endpoint)
	roles := etcdclient.NewAuthRoleAPI(client)
	for _, name := range []string{"app", "other"} {
		if err := roles.AddRole(ctx, name); err != nil {
			t.Fatalf("AddRole %s: %v", name, err)
		}
	}
	if err := roles.AddRole(ctx, "app"); !hasMessage(err, "auth: Role app already exists.") {
		t.Errorf("AddRole again: %v", err)
	}
	if r, err := roles.GrantRoleKV(ctx, "app", []string{"/app*", "/x"}, etcdclient.ReadWritePermission); err != nil ||
		!slices.Equal(r.Permissions.KV.Read, []string{"/app*", "/x"}) || !slices.Equal(r.Permissions.KV.Write, []string{"/app*", "/x"}) {
		t.Errorf("GrantRoleKV: %+v, error %v", r, err)
	}
	if r, err := roles.RevokeRoleKV(ctx, "app", []string{"/x"}, etcdclient.WritePermission); err != nil ||
		!slices.Equal(r.Permissions.KV.Write, []string{"/app*"}) {
		t.Errorf("RevokeRoleKV: %+v, error %v", r, err)
	}
	if list, err := roles.ListRoles(ctx); err != nil || !slices.Equal(list, []string{"app", "other", "root"}) {
		t.Errorf("ListRoles: %q, error %v", list, err)
	}
	if r, err := roles.GetRole(ctx, "app"); err != nil || r.Role != "app" ||
		!slices.Equal(r.Permissions.KV.Read, []string{"/app*", "/x"}) {
		t.Errorf("GetRole: %+v, error %v", r, err)
	}
	if err := roles.RemoveRole(ctx, "other"); err != nil {
		t.Errorf("RemoveRole: %v", err)
	}
	// The client itself adds an empty name to the roles, with the reference, too.
	if u, err := etcdclient.NewAuthUserAPI(client).GetUser(ctx, "alice"); err != nil || u.User != "alice" ||
		!slices.Equal(u.Roles, []string{"", "app"}) {
		t.Errorf("GetUser: %+v, error %v", u, err)
	}
}

// goClientRights checks what alice may do while auth is on and the guest has no rights.
func goClientRights(t *testing.T, endpoint string) {
	t.Helper()
	ctx := t.Context()
	alice := etcdclient.NewKeysAPI(loginClient(t, "alice", "wonder", endpoint))
	if _, err := alice.Set(ctx, "/app/one", "1", nil); err != nil {
		t.Errorf("Set: %v", err)
	}
	if r, err := alice.Get(ctx, "/app", &etcdclient.GetOptions{Recursive: true, Quorum: true}); err != nil || len(r.Node.Nodes) != 1 {
		t.Errorf("Get: %+v, error %v", r, err)
	}
	for name, client := range map[string]etcdclient.Client{
		"another key":      loginClient(t, "alice", "wonder", endpoint),
		"a wrong password": loginClient(t, "alice", "secret", endpoint),
		"an unknown user":  loginClient(t, "none", "secret", endpoint),
		"a guest":          goClient(t, endpoint),
	} {
		key := "/app/one"
		if name == "another key" {
			key = "/other"
		}
		_, err := etcdclient.NewKeysAPI(client).Get(ctx, key, nil)
		if e, ok := errors.AsType[etcdclient.Error](err); !ok || e.Code != etcdclient.ErrorCodeUnauthorized ||
			e.Cause != "Insufficient credentials" {
			t.Errorf("Get by %s: %v", name, err)
		}
	}
}
