package service

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pando/httpapi/auth"
	"pando/tree"
	"pando/tree/users"
)

// anonymousV3 is a request of the v3 API without credentials.
var anonymousV3 = auth.Credentials{V3: true}

func withToken(token string) auth.Credentials { return auth.Credentials{V3: true, Token: token} }

func certifiedV3(name string) auth.Credentials { return auth.Credentials{V3: true, CommonName: name} }

// loginV3 returns credentials with a token of a user of newAuthService.
func loginV3(t *testing.T, s *Service, name string) auth.Credentials {
	t.Helper()
	token, err := s.Login(t.Context(), anonymousV3, name, name)
	if err != nil {
		t.Fatal(err)
	}
	return withToken(token)
}

func TestLogin(t *testing.T) {
	s, log := newAuthService(t, nil)
	before := log.proposals
	first := loginV3(t, s, "reader")
	if key := s.cfg.Tree.View().Users().TokenKey(); key == "" || log.proposals != before+1 {
		t.Fatalf("the key has %d bytes after %d proposals", len(key), log.proposals-before)
	}
	if second := loginV3(t, s, "reader"); log.proposals != before+1 || second.Token == "" {
		t.Errorf("the second login has made %d proposals", log.proposals-before-1)
	}
	for name, test := range map[string]struct {
		user, password string
		want           tree.Code
	}{
		"wrong password": {"reader", "x", tree.CodeLoginFailed},
		"unknown user":   {"nobody", "x", tree.CodeLoginFailed},
		"no name":        {"", "", tree.CodeLoginFailed},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.Login(t.Context(), anonymousV3, test.user, test.password); codeOf(err) != test.want {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("a new password", func(t *testing.T) {
		change := &users.Change{Op: users.UserChangePassword, Name: "reader"}
		if err := s.ChangeUsersV3(t.Context(), loginV3(t, s, "root"), change, NewPassword{Text: "new"}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.identifyV3(t.Context(), first); codeOf(err) != tree.CodeInvalidToken {
			t.Errorf("the token of the old password: %v", err)
		}
	})
	t.Run("auth is disabled", func(t *testing.T) {
		other, _ := newTestService(t, nil)
		if _, err := other.Login(t.Context(), anonymousV3, "root", "root"); codeOf(err) != tree.CodeAuthDisabled {
			t.Errorf("got %v", err)
		}
	})
}

// TestLoginBeforeLevel checks that no key of tokens enters the log before all members can read it.
func TestLoginBeforeLevel(t *testing.T) {
	s, log := newAuthService(t, nil)
	low := &lowLog{fakeLog: log, asked: make(chan struct{}, 1)}
	low.level.Store(tree.UsersLevel)
	s.cfg.Log = low
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-low.asked
		cancel()
	}()
	if _, err := s.Login(ctx, anonymousV3, "root", "root"); !errors.Is(err, ErrNotUpgraded) {
		t.Errorf("got %v", err)
	}
}

// TestTokenOfLaterState checks that a member that lags waits until it can verify a token of another member.
func TestTokenOfLaterState(t *testing.T) {
	s, log := newAuthService(t, nil)
	token := loginV3(t, s, "reader")
	lagging, behind := newAuthService(t, nil)
	lagging.cfg.Tree, lagging.cfg.Log = behind.store, &catchingUp{fakeLog: log, service: lagging, store: log.store}
	if from, err := lagging.identifyV3(t.Context(), token); err != nil || from.principal.Name != "reader" {
		t.Errorf("%q, %v", from.principal.Name, err)
	}
}

// catchingUp is a log whose Barrier gives the service the tree of another member.
type catchingUp struct {
	*fakeLog
	service *Service
	store   *tree.Store
}

func (l *catchingUp) Barrier(context.Context) error {
	l.service.cfg.Tree = l.store
	return nil
}

// TestRightsV3 checks the rights to ranges of keys, and to what needs root or any user.
func TestRightsV3(t *testing.T) {
	s, _ := newAuthService(t, nil)
	rootToken, readerToken := loginV3(t, s, "root"), loginV3(t, s, "reader")
	key := func(k string) users.Range { return users.RangeV3(k, "") }
	all := users.RangeV3("\x00", "\x00")
	const denied = tree.CodePermissionDenied
	for name, test := range map[string]struct {
		who           auth.Credentials
		keys          users.Range
		read, write   tree.Code
		user, forRoot tree.Code
	}{
		"root":                  {rootToken, all, 0, 0, 0, 0},
		"reader: a key":         {readerToken, key("/a"), 0, denied, 0, denied},
		"reader: a directory":   {readerToken, users.RangeV3("/dir/", "/dir0"), 0, denied, 0, denied},
		"reader: all":           {readerToken, all, denied, denied, 0, denied},
		"reader: a plain key":   {readerToken, key("a"), denied, denied, 0, denied},
		"certificate":           {certifiedV3("reader"), key("/a"), 0, denied, 0, denied},
		"certificate of nobody": {certifiedV3("nobody"), key("/a"), denied, denied, denied, denied},
		"nothing": {anonymousV3, key("/open"), tree.CodeNoCredentials, tree.CodeNoCredentials, tree.CodeNoCredentials,
			tree.CodeNoCredentials},
		"bad token": {withToken("bad"), key("/open"), tree.CodeInvalidToken, tree.CodeInvalidToken, tree.CodeInvalidToken,
			tree.CodeInvalidToken},
	} {
		t.Run(name, func(t *testing.T) {
			_, readErr := s.authorizeRange(t.Context(), test.who, users.Read, test.keys)
			_, writeErr := s.authorizeRange(t.Context(), test.who, users.Write, test.keys)
			_, memberErr := s.AddMember(t.Context(), test.who, []string{"http://127.0.0.1:9"}, time.Now())
			for what, pair := range map[string][2]tree.Code{
				"reading": {codeOf(readErr), test.read}, "writing": {codeOf(writeErr), test.write},
				"any user": {codeOf(s.AuthorizeUser(t.Context(), test.who)), test.user},
				"root":     {codeOf(s.AuthorizeRoot(t.Context(), test.who, "", "")), test.forRoot}, "member": {codeOf(memberErr), test.forRoot},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s: %d, want %d", what, pair[0], pair[1])
				}
			}
		})
	}
	t.Run("auth is disabled", func(t *testing.T) {
		other, _ := newTestService(t, nil)
		for _, who := range []auth.Credentials{anonymousV3, withToken("bad"), certifiedV3("nobody")} {
			if from, err := other.authorizeRange(t.Context(), who, users.Write, all); err != nil || from.authRevision() != 0 {
				t.Errorf("%+v: %v", who, err)
			}
		}
	})
}

func TestChangeUsersV3(t *testing.T) {
	s, log := newAuthService(t, nil)
	rootToken, readerToken := loginV3(t, s, "root"), loginV3(t, s, "reader")
	change := func(who auth.Credentials, c users.Change, password NewPassword) error {
		return s.ChangeUsersV3(t.Context(), who, &c, password)
	}
	add := func(name string) users.Change { return users.Change{Op: users.UserAdd, Name: name} }
	before := log.proposals
	for who, want := range map[auth.Proof]tree.Code{auth.Token: tree.CodePermissionDenied, auth.Anonymous: tree.CodeNoCredentials} {
		credentials := map[auth.Proof]auth.Credentials{auth.Token: readerToken, auth.Anonymous: anonymousV3}[who]
		if err := change(credentials, add("x"), NewPassword{Text: "pw"}); codeOf(err) != want || log.proposals != before {
			t.Errorf("%v: %v", who, err)
		}
	}
	for _, err := range []error{
		change(rootToken, add("new"), NewPassword{Text: "pw"}), change(rootToken, add("none"), NewPassword{Text: "pw", None: true}),
		change(rootToken, add("empty"), NewPassword{}),
		change(rootToken, users.Change{Op: users.AuthEnable}, NewPassword{}), // nothing to change
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if err := change(rootToken, add("new"), NewPassword{Text: "pw"}); codeOf(err) != tree.CodeUserExists {
		t.Errorf("an existing user: %v", err)
	}
	for name, ok := range map[string]bool{"new": true, "none": false, "empty": false} {
		for _, password := range []string{"", "pw"} {
			if _, err := s.Login(t.Context(), anonymousV3, name, password); (err == nil) != (ok && password == "pw") {
				t.Errorf("a login as %s with %q: %v", name, password, err)
			}
		}
	}
	newPassword := users.Change{Op: users.UserChangePassword, Name: "empty"}
	if err := errors.Join(change(rootToken, newPassword, NewPassword{Text: "pw"})); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Login(t.Context(), anonymousV3, "empty", "pw"); err != nil {
		t.Errorf("a user that has got a password: %v", err)
	}
}

// TestReadUsersV3 checks who may read users and roles.
func TestReadUsersV3(t *testing.T) {
	s, log := newAuthService(t, nil)
	rootToken, readerToken := loginV3(t, s, "root"), loginV3(t, s, "reader")
	list := func(names []string, err error) string { return strings.Join(names, " ") + errorOf(err) }
	permissions := func(p []users.PermissionV3, err error) string {
		var texts []string
		for _, one := range p {
			texts = append(texts, one.Range.Pattern())
		}
		return strings.Join(texts, " ") + errorOf(err)
	}
	ctx := t.Context()
	for _, test := range []struct{ name, got, want string }{
		{"names", list(s.UserNames(ctx, rootToken)), "reader root writer"},
		{"names for a reader", list(s.UserNames(ctx, readerToken)), "insufficient credentials"},
		{"roles", list(s.RoleNames(ctx, rootToken)), "guest r w"}, // no RoleAdd of root
		{"roles for nobody", list(s.RoleNames(ctx, anonymousV3)), errNoCredentials.Cause},
		{"a user", list(s.UserRoles(ctx, rootToken, "reader")), "r"},
		{"itself", list(s.UserRoles(ctx, readerToken, "reader")), "r"},
		{"another", list(s.UserRoles(ctx, readerToken, "writer")), "insufficient credentials"},
		{"an unknown user", list(s.UserRoles(ctx, rootToken, "none")), errUserNotFound.Cause},
		{"a role", permissions(s.RolePermissions(ctx, rootToken, "w")), "/a /dir*"},
		{"a role of its own", permissions(s.RolePermissions(ctx, readerToken, "r")), "/a /dir*"},
		{"another role", permissions(s.RolePermissions(ctx, readerToken, "w")), "insufficient credentials"},
		{"the role root before RoleAdd", permissions(s.RolePermissions(ctx, rootToken, "root")), errRoleNotFound.Cause},
	} {
		if test.got != test.want {
			t.Errorf("%s: %s, want %s", test.name, test.got, test.want)
		}
	}
	if err := s.ChangeUsersV3(ctx, rootToken, &users.Change{Op: users.RoleAdd, Name: users.Root}, NewPassword{}); err != nil {
		t.Fatal(err)
	}
	if p, err := s.RolePermissions(ctx, rootToken, "root"); err != nil || !slices.Equal(p, allKeys) {
		t.Errorf("the role root: %v, %v", p, err)
	}
	enabled, revision, err := s.AuthStatus(ctx, anonymousV3)
	if state := s.cfg.Tree.View().Users(); !enabled || revision != state.Revision()+1 || err != nil {
		t.Errorf("the status: %v, %d, %v", enabled, revision, err)
	}
	if _, _, err := s.AuthStatus(ctx, withToken("bad")); codeOf(err) != tree.CodeInvalidToken {
		t.Errorf("the status with a bad token: %v", err)
	}
	log.barrierErr = errors.New("no quorum")
	if _, err := s.UserNames(ctx, rootToken); !errors.Is(err, log.barrierErr) {
		t.Errorf("without a quorum: %v", err)
	}
}

// errorOf returns the cause of an error; "" for none.
func errorOf(err error) string {
	if e, ok := errors.AsType[*tree.Error](err); ok {
		return e.Cause
	}
	return ""
}

// TestAuditV3 checks the records of the v3 API.
func TestAuditV3(t *testing.T) {
	records := &recorder{}
	s, _ := newAuthService(t, func(c *Config) { c.Audit = records })
	records.take()
	rootToken := loginV3(t, s, "root")
	_, _ = s.Login(t.Context(), anonymousV3, "secret typed as name", "x")
	_ = s.ChangeUsersV3(t.Context(), rootToken, &users.Change{Op: users.RoleAdd, Name: "x"}, NewPassword{})
	_ = s.ChangeUsersV3(t.Context(), rootToken, &users.Change{Op: users.RoleDelete, Name: "y"}, NewPassword{})
	_, _ = s.UserRoles(t.Context(), certifiedV3("reader"), "writer")
	_, _ = s.UserNames(t.Context(), withToken("bad"))
	want := `root password user_login root ok
user_login denied bad credentials
root token role_add x ok
root token role_delete y failed auth: role name not found
reader certificate user_get writer denied insufficient credentials
user_get denied bad credentials`
	if got := records.take(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
