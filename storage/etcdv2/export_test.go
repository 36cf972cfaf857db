package etcdv2

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"pando/tree"
	"pando/tree/users"
)

// start is the time of the first random command.
var start = time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)

// randomStore returns a tree after random commands, with users if withUsers is set.
func randomStore(t *testing.T, r *rand.Rand, commands, historySize int, withUsers bool) *tree.Store {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	s, now := tree.New(historySize), start.UnixNano()
	for range commands {
		now += r.Int64N(int64(time.Second))
		c := randomCommand(r, now)
		if withUsers && r.IntN(20) == 0 {
			c = tree.Command{Op: tree.OpUsers, Change: randomChange(r, string(hash))}
		}
		s.Apply(now, []tree.Command{c, {Op: tree.OpExpire}})
		s.Announce()
	}
	return s
}

func pick(r *rand.Rand, texts ...string) string { return texts[r.IntN(len(texts))] }

func randomCommand(r *rand.Rand, now int64) tree.Command {
	path := ""
	for range 1 + r.IntN(3) {
		path += "/" + pick(r, "a", "b", "b-c", "_h", "ключ", "<&>", `"\`, "z z")
	}
	c := tree.Command{
		Op: tree.Op(1 + r.IntN(7)), Path: path, Value: pick(r, "", "x", "<\u2028>", "\x00\x1f", strings.Repeat("long ", 100)),
		Dir: r.IntN(5) == 0, Recursive: r.IntN(3) == 0, Refresh: r.IntN(6) == 0,
	}
	if c.Dir {
		c.Value = ""
	}
	if r.IntN(3) == 0 {
		c.Expires = now + r.Int64N(int64(100*time.Second))
	}
	return c
}

func randomChange(r *rand.Rand, hash string) *users.Change {
	name := pick(r, "root", "alice", "bob")
	pattern := users.ParsePatterns([]string{pick(r, "/*", "/a", "/b/*", "/ключ*")})
	switch r.IntN(6) {
	case 0:
		return &users.Change{Op: users.PutUser, Name: name, PasswordHash: hash}
	case 1:
		return &users.Change{Op: users.PutUser, Name: name, PasswordHash: hash, Roles: []string{"writer", "reader"}}
	case 2:
		return &users.Change{Op: users.PutRole, Name: pick(r, "reader", "writer"), Permissions: users.Permissions{Read: pattern}}
	case 3:
		return &users.Change{Op: users.PutRole, Name: "reader", GrantPermissions: users.Permissions{Write: pattern}}
	case 4:
		return &users.Change{Op: users.DeleteUser, Name: name}
	}
	return &users.Change{Op: users.Enable}
}

// exportOf returns the export of a tree to a cluster of two members.
func exportOf(s *tree.Store) Export {
	return Export{
		Store: s, Applied: 1234, Term: 5, ClusterID: 77, Self: 8,
		Members: []ExportedMember{{ID: 8, PeerURLs: []string{"http://a:1"}}, {ID: 9, PeerURLs: []string{"http://b:1", "http://b:2"}}},
	}
}

// exported writes an export and reads it again.
func exported(t *testing.T, x Export, historySize int) (written *Report, read *Imported) {
	t.Helper()
	written, err := Prepare(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "new", "etcd")
	if err := Write(t.Context(), dir, x); err != nil {
		t.Fatal(err)
	}
	read, err = Read(t.Context(), Options{DataDir: dir, HistorySize: historySize})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(list) != 1 {
		t.Errorf("%v is beside the directory, %v", list, err)
	}
	return written, read
}

// TestExport writes random trees and reads them again.
func TestExport(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range 25 {
		commands, historySize := r.IntN(1500), 1+r.IntN(1500)
		s := randomStore(t, r, commands, historySize, i%2 == 0)
		written, read := exported(t, exportOf(s), historySize)
		if written.Digest != read.Report.Digest {
			t.Errorf("%d commands, history %d: the digest %x was written, %x was read", commands, historySize, written.Digest, read.Report.Digest)
			compareStores(t, s, read.Store)
		}
		if read.Applied != 1234 || read.Term != 5 {
			t.Errorf("position %d of term %d", read.Applied, read.Term)
		}
		want := *written
		want.Digest, want.ClusterVersion, want.Snapshot = read.Report.Digest, read.Report.ClusterVersion, read.Report.Snapshot
		if got := fmt.Sprintf("%+v", read.Report); got != fmt.Sprintf("%+v", want) {
			t.Errorf("read\n%s\nwritten\n%+v", got, want)
		}
	}
}

// compareStores shows the first difference of two trees.
func compareStores(t *testing.T, a, b *tree.Store) {
	t.Helper()
	lines := func(s *tree.Store) (all []string) {
		d := s.TakeAll()
		all = append(all, fmt.Sprintf("%d %+v %v", d.View.Index(), d.View.Counters(), d.View.Users().Enabled()))
		for key, record := range d.View.Users().Difference(nil) {
			all = append(all, fmt.Sprintf("%q %q", key, record))
		}
		for n := range d.View.Walk() {
			all = append(all, fmt.Sprintf("%+v", n.Fields()))
		}
		for e := range d.Events.All() {
			all = append(all, fmt.Sprintf("%+v", e.Fields())+" "+string(e.AppendJSON(nil)))
		}
		return all
	}
	x, y := lines(a), lines(b)
	for i := range max(len(x), len(y)) {
		if i >= len(x) || i >= len(y) || x[i] != y[i] {
			t.Fatalf("%d and %d lines, line %d:\n%s\n%s", len(x), len(y), i, x[min(i, len(x)-1)], y[min(i, len(y)-1)])
		}
	}
}

// TestExportTooLongHistory checks that the last events of a history that is longer than that of the reader come along.
func TestExportTooLongHistory(t *testing.T) {
	s := randomStore(t, rand.New(rand.NewPCG(1, 1)), 5000, 2000, false)
	_, read := exported(t, exportOf(s), 1000)
	if v := read.Store.View(); v.OldestEvent() != v.Index()-999 {
		t.Errorf("events from %d on, index %d", v.OldestEvent(), v.Index())
	}
}

// TestExportReplaced exports names and values that JSON can't carry.
func TestExportReplaced(t *testing.T) {
	s := tree.New(10)
	for _, path := range []string{"/a\xff/x", "/a\xfe", "/a/\xf0", "/b\ufffd", "/b\xff/below", "/plain"} {
		s.Apply(1, []tree.Command{{Op: tree.OpSet, Path: path, Value: "v\xff"}})
		s.Announce()
	}
	written, read := exported(t, exportOf(s), 10)
	for _, path := range []string{"/a\ufffd", "/a/\ufffd", "/b\ufffd", "/plain"} {
		if n := read.Store.View().Lookup(path); n == nil || n.Value() != "v\ufffd" {
			t.Errorf("%q is %v", path, n)
		}
	}
	if written.LeftOut != 2 {
		t.Errorf("%d were left out", written.LeftOut)
	}
	notes := strings.Join(written.Notes, "\n")
	for _, want := range []string{`values have bytes`, `"/a/\xf0", "/a\xfe"`, `"/a\xff"`, `"/b\xff"`} {
		if !strings.Contains(notes, want) {
			t.Errorf("no %s in the notes:\n%s", want, notes)
		}
	}
}

// TestExportUsers checks who can log in to etcd.
func TestExportUsers(t *testing.T) {
	bcryptHash, err := HashPassword("secret")
	if err != nil {
		t.Fatal(err)
	}
	const argon = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	s := tree.New(10)
	for name, hash := range map[string]string{"root": argon, "old": bcryptHash, "it's": argon} {
		s.Apply(1, []tree.Command{{Op: tree.OpUsers, Change: &users.Change{Op: users.PutUser, Name: name, PasswordHash: hash}}})
		s.Announce()
	}
	x := exportOf(s)
	written, read := exported(t, x, 10)
	if got := fmt.Sprint(written.Locked); got != "[it's root]" {
		t.Errorf("locked: %s", got)
	}
	if written.Digest != read.Report.Digest {
		t.Error("the hash of Pando did not come back")
	}
	if notes := strings.Join(written.Notes, "\n"); !strings.Contains(notes, `etcdctl user passwd 'it'\''s'`) {
		t.Errorf("notes:\n%s", notes)
	}
	x.RootHash = bcryptHash
	written, read = exported(t, x, 10)
	if root := read.Store.View().Users().User("root"); len(written.Locked) != 1 || root.PasswordHash != bcryptHash {
		t.Errorf("locked: %v; root has %s", written.Locked, root.PasswordHash)
	}
	for _, password := range []string{"", strings.Repeat("x", 73)} {
		if _, err := HashPassword(password); err == nil {
			t.Errorf("%q was hashed", password)
		}
	}
}

// TestExportRefused checks that nothing is left behind after an error.
func TestExportRefused(t *testing.T) {
	s := randomStore(t, rand.New(rand.NewPCG(1, 1)), 10, 10, false)
	dir := t.TempDir()
	target := filepath.Join(dir, "deep", "er", "etcd")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range checkInterval {
		s.Apply(1, []tree.Command{{Op: tree.OpSet, Path: fmt.Sprintf("/many/%d", i)}})
		s.Announce()
	}
	if err := Write(canceled, target, exportOf(s)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := Prepare(canceled, exportOf(s)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%s was left", left[0].Name())
	}
	if err := Write(t.Context(), dir, exportOf(s)); !errors.Is(err, ErrTargetExists) {
		t.Errorf("got %v", err)
	}
	if _, err := Prepare(t.Context(), Export{Store: s}); err == nil {
		t.Error("a state without a position was accepted")
	}
}
