package tree

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"pando/tree/users"
)

func usersCommand(c users.Change) Command { return Command{Op: OpUsers, Change: &c} }

func putUser(name string) Command {
	return usersCommand(users.Change{Op: users.PutUser, Name: name, PasswordHash: "hash"})
}

// newAuthStore returns a store in which auth is enabled, at revision 2 and index 8.
func newAuthStore(t *testing.T) *Store {
	t.Helper()
	s := New(100)
	must(t, s, putUser(users.Root))
	if e := must(t, s, usersCommand(users.Change{Op: users.Enable})); e.Index() != 8 {
		t.Fatalf("auth is enabled at index %d", e.Index())
	}
	return s
}

// TestAuthRevision checks that exactly the commands with an outdated authorization are refused.
func TestAuthRevision(t *testing.T) {
	for _, test := range []struct {
		name    string
		enabled bool
		command Command
		ok      bool
	}{
		{"the revision", true, Command{Op: OpSet, Path: "/a", AuthRevision: 2}, true},
		{"an older revision", true, Command{Op: OpSet, Path: "/a", AuthRevision: 1}, false},
		{"a later revision", true, Command{Op: OpSet, Path: "/a", AuthRevision: 3}, false},
		{"authorized before auth was enabled", true, Command{Op: OpSet, Path: "/a"}, false},
		{"an expiry", true, Command{Op: OpExpire}, true},
		{"auth is disabled", false, Command{Op: OpSet, Path: "/a"}, true},
		{"authorized before auth was disabled", false, Command{Op: OpSet, Path: "/a", AuthRevision: 1}, false},
		{"a change of users", true, Command{Op: OpUsers, AuthRevision: 1, Change: &users.Change{Op: users.Disable}}, false},
		{"an error of the command", true, Command{Op: OpDelete, Path: "/", AuthRevision: 1}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := New(100)
			if test.enabled {
				s = newAuthStore(t)
			}
			before := s.View()
			if test.ok {
				s.Apply(1, []Command{test.command})
				return
			}
			err := mustFail(t, s, test.command)
			if err.Code != CodeAuthChanged || err.Index != before.Index() {
				t.Errorf("got %v", err)
			}
			if v := s.View(); v.Index() != before.Index() || v.Counters() != before.Counters() || v.Users() != before.Users() {
				t.Error("a refused command has changed the tree")
			}
		})
	}
	t.Run("within a batch", func(t *testing.T) {
		s := newAuthStore(t)
		deny := Command{Op: OpUsers, AuthRevision: 2, Change: &users.Change{Op: users.DeleteRole, Name: users.Guest}}
		results := s.Apply(1, []Command{{Op: OpSet, Path: "/a", AuthRevision: 2}, deny, {Op: OpSet, Path: "/b", AuthRevision: 2}})
		if results[0].Err != nil || results[1].Err != nil || results[2].Err == nil || results[2].Err.Code != CodeAuthChanged {
			t.Errorf("got %v", results)
		}
	})
}

// TestUsersSignalWatchers checks that changes of users signal all watchers if they may take rights
// away, and that watchers get no events for them.
func TestUsersSignalWatchers(t *testing.T) {
	s := New(100)
	signals := 0
	var watchers []*Watcher
	for _, path := range []string{"/", "/a", "/b/c"} {
		w := watch(t, s, path, Recursive, 0)
		wantNoEvent(t, w)
		w.Notify(func() { signals++ })
		watchers = append(watchers, w)
	}
	all := len(watchers)
	for _, step := range []struct {
		name   string
		change users.Change
		want   int
	}{
		{"a change while auth is disabled", users.Change{Op: users.PutUser, Name: users.Root, PasswordHash: "1"}, 0},
		{"another one", users.Change{Op: users.PutUser, Name: users.Root, PasswordHash: "2"}, 0},
		{"enable", users.Change{Op: users.Enable}, all},
		{"a failure", users.Change{Op: users.DeleteUser, Name: "none"}, 0},
		{"a new user", users.Change{Op: users.PutUser, Name: "ann", PasswordHash: "1"}, 0},
		{"a new role", users.Change{Op: users.PutRole, Name: "r"}, 0},
		{"a password", users.Change{Op: users.PutUser, Name: "ann", PasswordHash: "2"}, all},
		{"a grant", users.Change{Op: users.PutUser, Name: "ann", Grant: []string{"r"}}, all},
		{"a deleted role", users.Change{Op: users.DeleteRole, Name: "r"}, all},
		{"a deleted user", users.Change{Op: users.DeleteUser, Name: "ann"}, all},
		{"disable", users.Change{Op: users.Disable}, 0},
	} {
		c := usersCommand(step.change)
		if state := s.View().Users(); state.Enabled() {
			c.AuthRevision = state.Revision()
		}
		s.Apply(1, []Command{c})
		if s.Announce(); signals != step.want {
			t.Errorf("%d signals after %s, want %d", signals, step.name, step.want)
		}
		signals = 0
		for _, w := range watchers {
			wantNoEvent(t, w)
		}
	}
	t.Run("before the function is registered", func(t *testing.T) {
		called := false
		w := watch(t, s, "/", Recursive, 0)
		if w.Notify(func() { called = true }); called {
			t.Error("a signal without a change")
		}
		w = watch(t, s, "/", Recursive, 0)
		must(t, s, usersCommand(users.Change{Op: users.Enable}))
		wantNoEvent(t, w)
		called = false
		if w.Notify(func() { called = true }); !called {
			t.Error("no signal")
		}
	})
}

// TestUsersReplaced checks that Replace takes the users of the other store.
func TestUsersReplaced(t *testing.T) {
	s, from := New(100), New(100)
	must(t, s, putUser("a"))
	must(t, from, putUser("other"))
	s.Replace(from)
	if got := s.View().Users(); got.User("other") == nil || got.User("a") != nil {
		t.Error("Replace has not replaced the users")
	}
	if delta := s.TakeDelta(); delta.UsersBefore != delta.View.Users() {
		t.Error("the delta after Replace holds the users")
	}
}

// TestUsersResult checks the event that answers an OpUsers, and that this event comes back
// from a checkpoint without the outcome.
func TestUsersResult(t *testing.T) {
	s := New(100)
	e := must(t, s, putUser("u"))
	if e.Index() != 6 || e.Action() != ActionAuth || e.Outcome() == nil || !e.Outcome().Created || e.Outcome().User.Name != "u" {
		t.Errorf("got %+v, %+v", e, e.Outcome())
	}
	for i := uint64(2); i < 6; i++ { // of the directories
		if e := s.history.at(i); e.Action() != ActionAuth || e.Outcome() != nil {
			t.Errorf("event %d: %+v", i, e)
		}
	}
	err := mustFail(t, s, usersCommand(users.Change{Op: users.PutUser, Name: "u", Roles: []string{"r"}, PasswordHash: "x"}))
	if err.Code != CodeUsersConflict || err.Cause != "auth: User u already exists." || err.Index != 6 {
		t.Errorf("got %v", err)
	}
	stored, decodeErr := decodeEvent(AppendEvent(nil, e), noNodes)
	if decodeErr != nil || stored.Action() != ActionAuth || stored.Outcome() != nil || stored.Index() != 6 {
		t.Errorf("%+v, %v", stored, decodeErr)
	}
	bad := bytes.Replace(AppendEvent(nil, e), []byte("\x01/"), []byte("\x02/a"), 1)
	if _, err := decodeEvent(bad, noNodes); err == nil {
		t.Error("an event of auth below the root was decoded")
	}
}

// TestHashStateOfUsers checks that users change the hash, and that a view without users has the
// hash that programs without users compute.
func TestHashStateOfUsers(t *testing.T) {
	s := New(100)
	b := s.View().AppendState(nil)
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint64(b, 0)
	if got := s.View().HashState(); got != xxhash.Sum64(b) {
		t.Errorf("got %x", got)
	}
	seen := map[uint64]string{}
	for _, hash := range []string{"h1", "h2"} {
		s := New(100)
		must(t, s, usersCommand(users.Change{Op: users.PutUser, Name: "u", PasswordHash: hash}))
		seen[s.View().HashState()] = hash
	}
	if len(seen) != 2 {
		t.Error("a password does not change the hash")
	}
}

// TestNoHashInErrors checks that the texts of errors contain no hash of a password.
func TestNoHashInErrors(t *testing.T) {
	s := newAuthStore(t)
	for _, c := range []Command{
		{Op: OpUsers, Change: &users.Change{Op: users.PutUser, Name: "u", PasswordHash: "secret"}},
		{Op: OpUsers, AuthRevision: 2, Change: &users.Change{Op: users.PutUser, Name: "root", PasswordHash: "secret", Roles: []string{"r"}}},
		{Op: OpUsers, AuthRevision: 2, Change: &users.Change{Op: users.PutUser, Name: "root", PasswordHash: "secret", Grant: []string{"root"}}},
	} {
		if err := mustFail(t, s, c); strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
}

// TestUsersV3 checks that a change of the v3 API takes one index, is not counted, and has its own code if it fails.
func TestUsersV3(t *testing.T) {
	s := New(100)
	add := usersCommand(users.Change{Op: users.UserAdd, Name: "u"})
	if e := must(t, s, add); e.Index() != New(100).View().Index()+1 || e.Action() != ActionAuth || e.Outcome().User.Name != "u" {
		t.Errorf("the event has index %d, action %v and %+v", e.Index(), e.Action(), e.Outcome())
	}
	before := s.View()
	if err := mustFail(t, s, add); err.Code != CodeUserExists {
		t.Errorf("a second one fails with %v", err)
	}
	disable := usersCommand(users.Change{Op: users.AuthDisable})
	if err := mustFail(t, s, disable); err.Code != CodeUsersUnchanged {
		t.Errorf("a change without effect fails with %v", err)
	}
	if v := s.View(); v.Index() != before.Index() || v.Users() != before.Users() {
		t.Error("a change that fails has changed the tree")
	}
	if c := s.View().Counters(); c != (Counters{}) {
		t.Errorf("the counters are %+v", c)
	}
	for kind, code := range usersCodes {
		if code == 0 {
			t.Errorf("kind %d has no code", kind)
		}
	}
}
