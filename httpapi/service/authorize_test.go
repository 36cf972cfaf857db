package service

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap"

	"pando/httpapi/auth"
	"pando/members"
	"pando/tree"
	"pando/tree/users"
)

// noMetrics drops the counts of logins.
type noMetrics struct{}

func (noMetrics) CacheHit()   {}
func (noMetrics) Succeeded()  {}
func (noMetrics) Failed()     {}
func (noMetrics) Limited()    {}
func (noMetrics) Hashing(int) {}

// as returns credentials with a name and a password.
func as(name, password string) auth.Credentials {
	return auth.Credentials{Authorization: "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))}
}

// The users of newAuthService. Each has its name as password.
var (
	root   = as("root", "root")
	reader = as("reader", "reader") // may read /a and everything below /dir
	writer = as("writer", "writer") // may write the same
)

// newAuthService makes a service with auth enabled and the users root, reader and writer. Guests may read /open.
func newAuthService(t *testing.T, change func(*Config)) (*Service, *fakeLog) {
	t.Helper()
	s, log := newTestService(t, change)
	for _, path := range []string{"/a", "/dir/b", "/open", "/other"} {
		set(t, s, path)
	}
	some := []users.Range{users.ParsePattern("/a"), users.ParsePattern("/dir*")}
	changeUsers(t, s, &users.Change{Op: users.PutRole, Name: "r", Permissions: users.Permissions{Read: some}})
	changeUsers(t, s, &users.Change{Op: users.PutRole, Name: "w", Permissions: users.Permissions{Write: some}})
	open := users.Permissions{Read: []users.Range{users.ParsePattern("/open")}}
	changeUsers(t, s, &users.Change{Op: users.PutRole, Name: "guest", Permissions: open})
	for name, role := range map[string]string{"root": "root", "reader": "r", "writer": "w"} {
		hash, err := s.cfg.Auth.Hash(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		changeUsers(t, s, &users.Change{Op: users.PutUser, Name: name, PasswordHash: hash, Roles: []string{role}})
	}
	changeUsers(t, s, &users.Change{Op: users.Enable})
	return s, log
}

// changeUsers applies a change of users to the tree of a service.
func changeUsers(t *testing.T, s *Service, c *users.Change) {
	t.Helper()
	log := s.cfg.Log.(*fakeLog)
	revision := s.cfg.Tree.View().Users().Revision()
	r := log.store.Apply(1, []tree.Command{{Op: tree.OpUsers, Change: c, AuthRevision: revision}})[0]
	log.store.Announce()
	if r.Err != nil {
		t.Fatal(r.Err)
	}
}

func TestRightsToKeys(t *testing.T) {
	s, _ := newAuthService(t, nil)
	for name, test := range map[string]struct {
		who         auth.Credentials
		path        string
		scope       users.Scope
		read, write tree.Code
	}{
		"root":                      {root, "/other", users.Subtree, 0, 0},
		"reader: a key":             {reader, "/a", users.One, 0, tree.CodeUnauthorized},
		"reader: the key's subtree": {reader, "/a", users.Subtree, tree.CodeUnauthorized, tree.CodeUnauthorized},
		"reader: a subtree":         {reader, "/dir", users.Subtree, 0, tree.CodeUnauthorized},
		"reader: another key":       {reader, "/other", users.One, tree.CodeUnauthorized, tree.CodeUnauthorized},
		"reader: a missing key":     {reader, "/dir/none", users.One, tree.CodeKeyNotFound, tree.CodeUnauthorized},
		"writer":                    {writer, "/a", users.One, tree.CodeUnauthorized, 0},
		"writer: another key":       {writer, "/other", users.One, tree.CodeUnauthorized, tree.CodeUnauthorized},
		"guest":                     {guest, "/open", users.One, 0, tree.CodeUnauthorized},
		"guest: a subtree":          {guest, "/open", users.Subtree, tree.CodeUnauthorized, tree.CodeUnauthorized},
		"guest: another key":        {guest, "/a", users.One, tree.CodeUnauthorized, tree.CodeUnauthorized},
		"wrong password":            {as("root", "x"), "/open", users.One, tree.CodeUnauthorized, tree.CodeUnauthorized},
		"unknown user":              {as("nobody", "x"), "/open", users.One, tree.CodeUnauthorized, tree.CodeUnauthorized},
		"malformed":                 {auth.Credentials{Authorization: "x"}, "/open", users.One, tree.CodeUnauthorized, tree.CodeUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.Get(t.Context(), test.who, test.path, test.scope, Local); codeOf(err) != test.read {
				t.Errorf("reading: %v, want %d", err, test.read)
			}
			command := tree.Command{Op: tree.OpSet, Path: test.path, Value: "v", Recursive: test.scope == users.Subtree}
			if _, err := s.Propose(t.Context(), test.who, &command); codeOf(err) != test.write {
				t.Errorf("writing: %v, want %d", err, test.write)
			}
			scope := tree.Exact
			if test.scope == users.Subtree {
				scope = tree.Recursive
			}
			w, err := s.Watch(t.Context(), test.who, &WatchRequest{Paths: []string{test.path}, Scope: scope})
			want := test.read
			if want == tree.CodeKeyNotFound {
				want = 0 // a watch may wait for the key
			}
			if codeOf(err) != want {
				t.Errorf("watching: %v, want %d", err, want)
			}
			if err == nil {
				w.Watcher.Close()
			}
		})
	}
}

// TestRightToExpireDirectory sets the TTL of a directory. The keys below are removed with it, so the right to the directory alone is not
// enough. For a file the right to the file is.
func TestRightToExpireDirectory(t *testing.T) {
	s, _ := newAuthService(t, nil)
	if _, err := s.Propose(t.Context(), root, &tree.Command{Op: tree.OpSet, Path: "/one/file"}); err != nil {
		t.Fatal(err)
	}
	one := users.Permissions{Write: []users.Range{users.ParsePattern("/one"), users.ParsePattern("/one/file")}}
	changeUsers(t, s, &users.Change{Op: users.PutRole, Name: "w", GrantPermissions: one})
	for name, test := range map[string]struct {
		who     auth.Credentials
		path    string
		expires int64
		want    tree.Code
	}{
		"the directory alone": {writer, "/one", 1 << 60, tree.CodeUnauthorized},
		"without a TTL":       {writer, "/one", 0, 0},
		"a file":              {writer, "/one/file", 1 << 60, 0},
		"the subtree":         {writer, "/dir", 1 << 60, 0},
		"root":                {root, "/one", 1 << 60, 0},
	} {
		for _, refresh := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, refresh=%v", name, refresh), func(t *testing.T) {
				c := tree.Command{Op: tree.OpUpdate, Path: test.path, Expires: test.expires, Refresh: refresh}
				_, err := s.Propose(t.Context(), test.who, &c)
				if codeOf(err) != test.want {
					t.Errorf("got %v, want %d", err, test.want)
				}
				if e, ok := err.(*tree.Error); ok && e.Index != 0 {
					t.Errorf("the error has the index %d", e.Index)
				}
			})
		}
	}
}

func TestRightsOfRoot(t *testing.T) {
	s, _ := newAuthService(t, nil)
	for name, test := range map[string]struct {
		who  auth.Credentials
		want error
	}{
		"root":           {root, nil},
		"a user":         {writer, ErrNotRoot},
		"a guest":        {guest, ErrNotRoot},
		"wrong password": {as("root", "x"), ErrNotRoot},
	} {
		t.Run(name, func(t *testing.T) {
			_, add := s.AddMember(t.Context(), test.who, []string{"http://127.0.0.1:9"}, time.Now())
			file, _, snapshot := s.OpenSnapshot(t.Context(), test.who, Linearizable)
			if snapshot == nil {
				if err := file.Close(); err != nil {
					t.Error(err)
				}
			}
			for operation, err := range map[string]error{
				"AuthorizeRoot": s.AuthorizeRoot(t.Context(), test.who, "", ""), "AddMember": add, "OpenSnapshot": snapshot,
				"RemoveMember":   s.RemoveMember(t.Context(), test.who, 1),
				"UpdateMember":   s.UpdateMember(t.Context(), test.who, 1, nil),
				"TransferLeader": s.TransferLeader(t.Context(), test.who, 1),
			} {
				if !errors.Is(err, test.want) {
					t.Errorf("%s: %v, want %v", operation, err, test.want)
				}
			}
		})
	}
	t.Run("the guest has the role root", func(t *testing.T) {
		all := users.Permissions{Write: []users.Range{users.ParsePattern("/*")}}
		changeUsers(t, s, &users.Change{Op: users.PutRole, Name: "guest", GrantPermissions: all})
		if err := s.AuthorizeRoot(t.Context(), guest, "", ""); !errors.Is(err, ErrNotRoot) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("membership needs a quorum", func(t *testing.T) {
		s, log := newAuthService(t, nil)
		log.barrierErr = errors.New("no quorum")
		if err := s.RemoveMember(t.Context(), root, 1); !errors.Is(err, log.barrierErr) {
			t.Errorf("got %v", err)
		}
	})
}

// laggingLog is a fakeLog that applies a change of users before each proposal, as long as it has changes.
type laggingLog struct {
	*fakeLog
	t       *testing.T
	changes []*users.Change
	endless bool // the last change is repeated, with another password
}

func (l *laggingLog) Propose(ctx context.Context, c *tree.Command) (*tree.Event, error) {
	l.change()
	return l.fakeLog.Propose(ctx, c)
}

func (l *laggingLog) ProposeTxn(ctx context.Context, c *tree.Command) (*tree.TxnResult, error) {
	l.change()
	return l.fakeLog.ProposeTxn(ctx, c)
}

// change applies the next change of users.
func (l *laggingLog) change() {
	if len(l.changes) > 0 {
		r := l.store.Apply(1, []tree.Command{{Op: tree.OpUsers, Change: l.changes[0], AuthRevision: l.store.View().Users().Revision()}})[0]
		if r.Err != nil {
			l.t.Fatal(r.Err)
		}
		if l.endless {
			again := *l.changes[0]
			again.PasswordHash += "x"
			l.changes = append(l.changes, &again)
		}
		l.changes = l.changes[1:]
	}
}

// TestChangeWhileProposed changes users between the authorization of a command and its application.
func TestChangeWhileProposed(t *testing.T) {
	password := func(t *testing.T, s *Service, name string) *users.Change {
		hash, err := s.cfg.Auth.Hash(t.Context(), "new")
		if err != nil {
			t.Fatal(err)
		}
		return &users.Change{Op: users.PutUser, Name: name, PasswordHash: hash}
	}
	for name, test := range map[string]struct {
		who     auth.Credentials
		changes func(t *testing.T, s *Service) []*users.Change
		want    tree.Code
	}{
		"the right stays": {writer, func(t *testing.T, s *Service) []*users.Change {
			return []*users.Change{password(t, s, "reader"), password(t, s, "root")}
		}, 0},
		"another password": {writer, func(t *testing.T, s *Service) []*users.Change {
			return []*users.Change{password(t, s, "writer")}
		}, tree.CodeUnauthorized},
		"the user is deleted": {writer, func(*testing.T, *Service) []*users.Change {
			return []*users.Change{{Op: users.DeleteUser, Name: "writer"}}
		}, tree.CodeUnauthorized},
		"auth is disabled": {writer, func(*testing.T, *Service) []*users.Change {
			return []*users.Change{{Op: users.Disable}}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, log := newAuthService(t, nil)
			lagging := &laggingLog{fakeLog: log, t: t, changes: test.changes(t, s)}
			s.cfg.Log = lagging
			before := s.cfg.Tree.View().Lookup("/a").ModifiedIndex()
			_, err := s.Propose(t.Context(), test.who, &tree.Command{Op: tree.OpSet, Path: "/a", Value: "new"})
			if codeOf(err) != test.want {
				t.Errorf("got %v, want %d", err, test.want)
			}
			if written := s.cfg.Tree.View().Lookup("/a").ModifiedIndex() != before; written != (test.want == 0) {
				t.Errorf("written: %v", written)
			}
		})
	}
	t.Run("auth is enabled", func(t *testing.T) {
		s, log := newAuthService(t, nil)
		changeUsers(t, s, &users.Change{Op: users.Disable})
		s.cfg.Log = &laggingLog{fakeLog: log, t: t, changes: []*users.Change{{Op: users.Enable}}}
		if _, err := s.Propose(t.Context(), guest, &tree.Command{Op: tree.OpSet, Path: "/a"}); codeOf(err) != tree.CodeUnauthorized {
			t.Errorf("got %v", err)
		}
	})
	t.Run("users change without end", func(t *testing.T) {
		s, log := newAuthService(t, nil)
		s.cfg.Log = &laggingLog{fakeLog: log, t: t, changes: []*users.Change{password(t, s, "reader")}, endless: true}
		if _, err := s.Propose(t.Context(), writer, &tree.Command{Op: tree.OpSet, Path: "/a"}); !errors.Is(err, errAuthChanging) {
			t.Errorf("got %v", err)
		}
	})
}

// TestReplaying checks that root is not authorized with outdated users after a start.
func TestReplaying(t *testing.T) {
	starting := func(c *Config) { c.Ready, c.ReadyTimeout = make(chan struct{}), 20*time.Millisecond }
	s, log := newTestService(t, starting)
	s.cfg.Log = replayingLog{log}
	if err := s.AuthorizeRoot(t.Context(), root, "", ""); !errors.Is(err, ErrReplaying) {
		t.Errorf("got %v", err)
	}
	if err := s.RemoveMember(t.Context(), guest, members.ID(1)); !errors.Is(err, ErrReplaying) {
		t.Errorf("got %v", err)
	}
	s.cfg.Log = log
	if err := s.AuthorizeRoot(t.Context(), guest, "", ""); !errors.Is(err, ErrReplaying) {
		t.Errorf("replayed and not ready, with a leader: %v", err)
	}
	log.leader = 0
	if err := s.AuthorizeRoot(t.Context(), guest, "", ""); err != nil {
		t.Errorf("replayed and not ready, without a leader: %v", err)
	}
}

type replayingLog struct{ *fakeLog }

func (replayingLog) Replayed() bool { return false }

func testAuthenticator() *auth.Authenticator {
	return auth.New(auth.Config{
		Certificates: true, FailedLogins: 60, TokenTTL: time.Minute, Processors: 2, Metrics: noMetrics{}, Logger: zap.NewNop(),
	})
}
