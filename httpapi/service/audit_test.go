package service

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"pando/httpapi/audit"
	"pando/httpapi/auth"
	"pando/tree"
	"pando/tree/users"
)

// recorder keeps the records of a test.
type recorder struct {
	mu      sync.Mutex
	records []audit.Record
}

func (r *recorder) Record(record audit.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, record)
}

// take returns the records since the last call as text, and drops them.
func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for _, x := range r.records {
		lines = append(lines, strings.Join(strings.Fields(fmt.Sprint(x.Principal, " ", x.Proof, " ", x.Operation, " ", x.Key, " ", x.Outcome,
			" ", x.Reason)), " "))
	}
	r.records = nil
	return strings.Join(lines, "\n")
}

func TestAudit(t *testing.T) {
	records := &recorder{}
	s, _ := newAuthService(t, func(c *Config) { c.Audit = records })
	records.take()
	put := func(path, value string) *tree.Command { return &tree.Command{Op: tree.OpSet, Path: path, Value: value} }
	get := func(who auth.Credentials, path string, c Consistency) func() {
		return func() { _, _ = s.Get(t.Context(), who, path, users.One, c) }
	}
	for _, test := range []struct {
		name string
		do   func()
		want string
	}{
		{"a read", get(reader, "/a", Local), "reader password get /a ok"},
		{"a list", get(reader, "/dir", Local), "reader password list /dir ok"},
		{"a quorum read", get(reader, "/a", Linearizable), "reader password quorum_get /a ok"},
		{"a guest", get(guest, "/open", Local), "anonymous get /open ok"},
		{"a certificate", get(auth.Credentials{CommonName: "reader"}, "/a", Local), "reader certificate get /a ok"},
		{"a missing key", get(root, "/none", Local), "root password get /none failed Key not found"},
		{"a missing right", get(reader, "/other", Local), "reader password get /other denied insufficient credentials"},
		{"a wrong password", get(as("reader", "secret"), "/a", Local), "reader get /a denied bad credentials"},
		{"an unknown user", get(as("nobody", "secret"), "/a", Local), "get /a denied bad credentials"},
		{"a malformed header", get(auth.Credentials{Authorization: "secret"}, "/a", Local), "get /a denied bad credentials"},
		{"a write", func() { _, _ = s.Propose(t.Context(), writer, put("/a", "secret")) }, "writer password set /a ok"},
		{"a compare that fails", func() {
			c := &tree.Command{Op: tree.OpCompareAndSwap, Path: "/a", Value: "secret", PrevValue: "another secret"}
			_, _ = s.Propose(t.Context(), writer, c)
		}, "writer password compare_and_swap /a failed Compare failed"},
		{"a denied write", func() { _, _ = s.Propose(t.Context(), reader, put("/a", "secret")) },
			"reader password set /a denied insufficient credentials"},
		{"a watch", func() {
			if w, err := s.Watch(t.Context(), reader, &WatchRequest{Paths: []string{"/a"}}); err == nil {
				w.Watcher.Close()
			}
		}, "reader password watch /a ok"},
		{"a denied watch", func() { _, _ = s.Watch(t.Context(), writer, &WatchRequest{Paths: []string{"/a"}}) },
			"writer password watch /a denied insufficient credentials"},
		{"a member", func() { _ = s.RemoveMember(t.Context(), root, 0xab) }, "root password member_remove ab ok"},
		{"a denied member", func() { _ = s.UpdateMember(t.Context(), reader, 0xab, nil) },
			"reader password member_update ab denied insufficient credentials"},
		{"a denied transfer", func() { _ = s.TransferLeader(t.Context(), guest, 0xab) },
			"anonymous leader_transfer ab denied insufficient credentials"},
		{"a snapshot", func() { _, _, _ = s.OpenSnapshot(t.Context(), guest, Local) }, "anonymous snapshot denied insufficient credentials"},
		{"a denied profile", func() { _ = s.AuthorizeProfile(t.Context(), reader, "heap") },
			"reader password profile heap denied insufficient credentials"},
		{"a profile", func() { _ = s.AuthorizeProfile(t.Context(), root, "heap") }, "root password profile heap ok"},
		{"a refused change of members", func() { _ = s.AuthorizeRoot(t.Context(), guest, MemberAdd, "") },
			"anonymous member_add denied insufficient credentials"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.do()
			got := records.take()
			if got != test.want || strings.Contains(got, "secret") {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestAuditOfLostRights checks the record of a watch whose user loses the right.
func TestAuditOfLostRights(t *testing.T) {
	records := &recorder{}
	s, _ := newAuthService(t, func(c *Config) { c.Audit = records })
	w, err := s.Watch(t.Context(), reader, &WatchRequest{Paths: []string{"/a"}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Watcher.Close()
	records.take()
	changeUsers(t, s, &users.Change{Op: users.DeleteUser, Name: "reader"})
	if _, err := w.Watcher.Poll(); codeOf(err) != tree.CodeUnauthorized {
		t.Errorf("got %v", err)
	}
	if got, want := records.take(), "reader password watch_end /a denied insufficient credentials"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestAuditOfMergedWatches checks that each of the merged watches that are open has a record when their user loses the right.
func TestAuditOfMergedWatches(t *testing.T) {
	records := &recorder{}
	s, _ := newAuthService(t, func(c *Config) { c.Audit = records })
	watch := func() *KeyWatch {
		w, _, err := s.WatchKeys(t.Context(), certifiedV3("reader"), tree.SingleKey("/a"), 0)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	w := watch()
	for range 2 {
		if !watch().MergeInto(w) {
			t.Fatal("not merged")
		}
	}
	w.Close() // one of three
	records.take()
	changeUsers(t, s, &users.Change{Op: users.DeleteUser, Name: "reader"})
	if _, err := w.Poll(1); codeOf(err) != tree.CodePermissionDenied {
		t.Errorf("got %v", err)
	}
	const each = "reader certificate watch_end /a denied insufficient credentials"
	if got := records.take(); strings.Count(got, each) != 2 {
		t.Errorf("got %s", got)
	}
	w.Close()
	if w.Close(); s.cfg.Tree.KeyWatchers() != 0 {
		t.Error("the cursor is open")
	}
}

// TestAuditWithoutAuth checks that records name no user while auth is disabled: nothing is proved.
func TestAuditWithoutAuth(t *testing.T) {
	records := &recorder{}
	s, _ := newTestService(t, func(c *Config) { c.Audit = records })
	set(t, s, "/a")
	if got, want := records.take(), "set /a ok"; got != want || s.cfg.Tree.View().Index() == 0 {
		t.Errorf("got %s, want %s", got, want)
	}
	_, _ = s.Get(t.Context(), reader, "/a", users.One, Local)
	if got := records.records; len(got) != 1 || got[0].Index != s.cfg.Tree.View().Index() || !got[0].Read {
		t.Errorf("got %+v", got)
	}
}
