package etcdv3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"pando/tree"
	"pando/tree/users"
)

// contents are the entries of a file, as "bucket key = value".
func contents(t *testing.T, path string) []string {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all []string
	err = db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Error(err)
		}
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			all = append(all, string(name))
			return b.ForEach(func(k, v []byte) error {
				all = append(all, fmt.Sprintf("%s %q = %q", name, k, v))
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// write writes a file, copies it, and returns the path of the copy.
func write(t *testing.T, s *Source) string {
	t.Helper()
	dir := t.TempDir()
	file, size, err := Write(t.Context(), filepath.Join(dir, "outgoing"), s)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%s is left", left[0].Name())
	}
	data, err := io.ReadAll(file)
	if err != nil || int64(len(data)) != size || size%4096 != 0 {
		t.Fatalf("%d bytes of %d: %v", len(data), size, err)
	}
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWrite(t *testing.T) {
	change := func(c users.Change) tree.Command { return tree.Command{Op: tree.OpUsers, Change: &c} }
	s := history(t,
		put("a", "1"), put("b", "1"), tree.Command{Op: tree.OpLeaseGrant, Lease: 16, TTL: 60},
		tree.Command{Op: tree.OpKV, KV: &tree.KVTxn{Then: []tree.KVOp{
			{Kind: tree.KVPut, Key: "/dir/x", Value: "2", Lease: 16},
			{Kind: tree.KVDeleteRange, Keys: tree.SingleKey("b")},
		}}},
		compact(4), put("a", "2"), del("/dir/x"),
		change(users.Change{Op: users.UserAdd, Name: "joe", PasswordHash: "$2a$"}),
		change(users.Change{Op: users.RoleAdd, Name: "r"}),
		change(users.Change{Op: users.RoleGrantPermission, Name: "r", Range: users.Range{From: "k", To: "kz"}, CanRead: true}),
		change(users.Change{Op: users.UserGrantRole, Name: "joe", Role: "r"}),
	)
	got := contents(t, write(t, &Source{Log: s.KeyLog(), Members: []Member{{ID: 16, Name: "one"}}, Applied: 9, Term: 2}))
	const zero = `\x00\x00\x00\x00\x00\x00\x00`
	want := []string{
		"alarm", "auth", `auth "authEnabled" = "\x00"`, `auth "authRevision" = "` + zero + `\x05"`,
		"authRoles", `authRoles "r" = "\n\x01r\x12\a\x12\x01k\x1a\x02kz"`,
		"authUsers", `authUsers "joe" = "\n\x03joe\x12\x04$2a$\x1a\x01r\"\x00"`,
		"cluster", `cluster "clusterVersion" = "3.6.0"`,
		"key",
		`key "` + zero + `\x02_` + zero + `\x00" = "\n\x01a\x10\x02\x18\x02 \x01*\x011"`,
		`key "` + zero + `\x04_` + zero + `\x00" = "\n\x06/dir/x\x10\x04\x18\x04 \x01*\x0120\x10"`,
		`key "` + zero + `\x04_` + zero + `\x01t" = "\n\x01b"`,
		`key "` + zero + `\x05_` + zero + `\x00" = "\n\x01a\x10\x02\x18\x05 \x02*\x012"`,
		`key "` + zero + `\x06_` + zero + `\x00t" = "\n\x06/dir/x"`,
		"lease", `lease "` + zero + `\x10" = "\b\x10\x10<"`,
		"members", `members "10" = "{\"id\":16,\"peerURLs\":null,\"name\":\"one\"}"`, "members_removed",
		"meta", `meta "confState" = "{\"voters\":[16],\"auto_leave\":false}"`, `meta "consistent_index" = "` + zero + `\t"`,
		`meta "finishedCompactRev" = "` + zero + `\x04_` + zero + `\x00"`, `meta "scheduledCompactRev" = "` + zero + `\x04_` + zero + `\x00"`,
		`meta "storageVersion" = "3.6.0"`, `meta "term" = "` + zero + `\x02"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestWriteMany writes more than one transaction holds.
func TestWriteMany(t *testing.T) {
	s := history(t)
	commands := make([]tree.Command, batchEntries+1)
	for i := range commands {
		commands[i] = put(fmt.Sprintf("/k/%05d", i), "value")
	}
	s.Apply(1, commands)
	log := s.KeyLog()
	path := write(t, &Source{Log: log})
	if n := len(contents(t, path)); n < len(commands) {
		t.Errorf("%d entries", n)
	}
	info, err := os.Stat(path)
	if bound := EstimateSize(log); err != nil || bound < info.Size() || bound > 8*info.Size() {
		t.Errorf("the size is %d, and was estimated as %d", info.Size(), bound)
	}
	if Hash(log) != Hash(s.KeyLog()) {
		t.Error("two checksums of one state differ")
	}
	before := Hash(log)
	extend(t, s, tree.Command{Op: tree.OpLeaseGrant, Lease: 1, TTL: 5})
	if Hash(s.KeyLog()) == before {
		t.Error("a lease does not change the checksum")
	}
}

func TestWriteIsCanceled(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Write(ctx, filepath.Join(dir, "outgoing"), &Source{Log: history(t).KeyLog()}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%s is left", left[0].Name())
	}
}
