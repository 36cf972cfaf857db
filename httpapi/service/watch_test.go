package service

import (
	"errors"
	"testing"

	"pando/httpapi/auth"
	"pando/tree"
	"pando/tree/users"
)

func TestWatch(t *testing.T) {
	s, _ := newTestService(t, nil)
	first := set(t, s, "/a").Index()
	t.Run("from now on", func(t *testing.T) {
		w, err := s.Watch(t.Context(), guest, &WatchRequest{Paths: []string{"/a"}})
		if err != nil || w.First != nil || w.Index != first {
			t.Fatalf("%+v, %v", w, err)
		}
		defer w.Watcher.Close()
		next := set(t, s, "/a").Index()
		if event, err := w.Watcher.Poll(); err != nil || event.Index() != next {
			t.Errorf("%v, %v", event, err)
		}
	})
	t.Run("from the past", func(t *testing.T) {
		w, err := s.Watch(t.Context(), guest, &WatchRequest{Paths: []string{"/a"}, Since: first})
		if err != nil || w.First == nil || w.First.Index() != first {
			t.Fatalf("%+v, %v", w, err)
		}
		w.Watcher.Close()
	})
	t.Run("from before the history", func(t *testing.T) {
		for range historySize {
			set(t, s, "/b")
		}
		if _, err := s.Watch(t.Context(), guest, &WatchRequest{Paths: []string{"/a"}, Since: first}); codeOf(err) != tree.CodeHistoryCleared {
			t.Errorf("got %v", err)
		}
	})
}

// TestWatchAndRights changes users while a watch waits. The watch ends if its sender has lost the right, and is
// woken for that.
func TestWatchAndRights(t *testing.T) {
	grantAll := users.Permissions{Read: []users.Range{users.ParsePattern("/*")}}
	certificate := auth.Credentials{CommonName: "reader"}
	for name, test := range map[string]struct {
		who    auth.Credentials
		path   string
		change users.Change
		ends   bool
	}{
		"an unrelated change":        {reader, "/a", users.Change{Op: users.DeleteUser, Name: "writer"}, false},
		"more rights":                {reader, "/a", users.Change{Op: users.PutRole, Name: "r", GrantPermissions: grantAll}, false},
		"the user has another role":  {reader, "/a", users.Change{Op: users.PutUser, Name: "reader", Revoke: []string{"r"}}, true},
		"the role is deleted":        {reader, "/a", users.Change{Op: users.DeleteRole, Name: "r"}, true},
		"the user is deleted":        {reader, "/a", users.Change{Op: users.DeleteUser, Name: "reader"}, true},
		"another password":           {reader, "/a", users.Change{Op: users.PutUser, Name: "reader", PasswordHash: "x"}, true},
		"certificate: new password":  {certificate, "/a", users.Change{Op: users.PutUser, Name: "reader", PasswordHash: "x"}, false},
		"certificate: user deleted":  {certificate, "/a", users.Change{Op: users.DeleteUser, Name: "reader"}, true},
		"guest: an unrelated change": {guest, "/open", users.Change{Op: users.DeleteUser, Name: "writer"}, false},
		"guest: the role is deleted": {guest, "/open", users.Change{Op: users.DeleteRole, Name: "guest"}, true},
		"auth is disabled":           {reader, "/a", users.Change{Op: users.Disable}, false},
		"root: an unrelated change":  {root, "/a", users.Change{Op: users.DeleteUser, Name: "writer"}, false},
		"root: another password":     {root, "/a", users.Change{Op: users.PutUser, Name: "root", PasswordHash: "x"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, log := newAuthService(t, nil)
			w, err := s.Watch(t.Context(), test.who, &WatchRequest{Paths: []string{test.path}})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Watcher.Close()
			woken := 0
			w.Watcher.Notify(func() { woken++ })
			changeUsers(t, s, &test.change)
			if test.ends && woken == 0 {
				t.Error("the watch was not woken")
			}
			if _, err := w.Watcher.Poll(); (codeOf(err) == tree.CodeUnauthorized) != test.ends {
				t.Errorf("got %v", err)
			}
			// An event after the change is never delivered without the right.
			log.store.Apply(1, []tree.Command{{
				Op: tree.OpSet, Path: test.path, Value: "secret", AuthRevision: s.cfg.Tree.View().Users().Revision(),
			}})
			log.store.Announce()
			event, err := w.Watcher.Poll()
			if (event == nil) != test.ends || (err != nil) != test.ends {
				t.Errorf("got %v, %v", event, err)
			}
		})
	}
}

// TestWatchBeforeEnable enables auth while watches wait that began before. They have the rights of a guest.
func TestWatchBeforeEnable(t *testing.T) {
	s, _ := newAuthService(t, nil)
	changeUsers(t, s, &users.Change{Op: users.Disable})
	open, err := s.Watch(t.Context(), guest, &WatchRequest{Paths: []string{"/open"}})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Watcher.Close()
	other, err := s.Watch(t.Context(), root, &WatchRequest{Paths: []string{"/a"}}) // nobody has verified the password
	if err != nil {
		t.Fatal(err)
	}
	defer other.Watcher.Close()
	changeUsers(t, s, &users.Change{Op: users.Enable})
	if _, err := open.Watcher.Poll(); err != nil {
		t.Errorf("a guest may read it, but got %v", err)
	}
	if _, err := other.Watcher.Poll(); codeOf(err) != tree.CodeUnauthorized {
		t.Errorf("got %v", err)
	}
}

// TestNotifyAfterChange changes users between the last Poll and Notify.
func TestNotifyAfterChange(t *testing.T) {
	s, _ := newAuthService(t, nil)
	w, err := s.Watch(t.Context(), reader, &WatchRequest{Paths: []string{"/a"}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Watcher.Close()
	changeUsers(t, s, &users.Change{Op: users.DeleteUser, Name: "reader"})
	woken := false
	w.Watcher.Notify(func() { woken = true })
	if !woken {
		t.Error("the watch was not woken")
	}
	if _, err := w.Watcher.Poll(); !errors.Is(err, errUnauthorized) {
		t.Errorf("got %v", err)
	}
}
