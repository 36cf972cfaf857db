package etcdv3

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"pando/tree"
	"pando/tree/users"
)

// read imports a file.
func read(t *testing.T, path string) (*tree.Store, *File) {
	t.Helper()
	file, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	state, err := file.Users()
	if err != nil {
		t.Fatal(err)
	}
	l := tree.NewLoader(10)
	if err := l.ImportState(1, tree.Counters{}, state); err != nil {
		t.Fatal(err)
	}
	s, err := l.Finish()
	if err == nil {
		_, _, err = file.Import(t.Context(), s, func(int64) {})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, file
}

// TestRoundTrip reads what Write has written, and writes it again.
func TestRoundTrip(t *testing.T) {
	change := func(c users.Change) tree.Command { return tree.Command{Op: tree.OpUsers, Change: &c} }
	mixed := []tree.Command{
		put("a", "1"), {Op: tree.OpSet, Path: "/dir/v2", Value: "x"}, {Op: tree.OpSet, Path: "/empty", Dir: true},
		{Op: tree.OpSet, Path: "/dir/v2", Value: "y"}, {Op: tree.OpLeaseGrant, Lease: 16, TTL: 60},
		{Op: tree.OpPut, Path: "/dir/v3", Value: "2", Lease: 16}, put("/dir", "beside"), put("/dir/v3", "3"),
		{Op: tree.OpDelete, Path: "/dir", Recursive: true}, put("b", "1"), del("a"), put("a", "again"),
		change(users.Change{Op: users.UserAdd, Name: "joe", PasswordHash: "$2a$"}), change(users.Change{Op: users.RoleAdd, Name: "r"}),
		change(users.Change{Op: users.RoleGrantPermission, Name: "r", Range: users.Range{From: "k", To: "kz"}, CanRead: true}),
		change(users.Change{Op: users.UserGrantRole, Name: "joe", Role: "r"}),
	}
	for name, compacted := range map[string]uint64{"never compacted": 0, "compacted": 4, "at a deletion": 11, "at the end": 12} {
		t.Run(name, func(t *testing.T) {
			s := history(t, mixed...)
			if compacted > 0 {
				extend(t, s, compact(compacted))
			}
			source := &Source{Log: s.KeyLog(), Members: []Member{{ID: 16, Name: "one"}}, Applied: 9, Term: 2}
			path := write(t, source)
			imported, file := read(t, path)
			if file.ConsistentIndex != 9 || file.Term != 2 || file.Compacted != compacted {
				t.Errorf("got %+v", file.Meta)
			}
			revision := int64(s.View().Revision())
			if got, want := HashKV(imported.KeyLog(), revision), HashKV(s.KeyLog(), revision); got != want {
				t.Errorf("the hash is %x, want %x", got, want)
			}
			again := *source
			again.Log = imported.KeyLog()
			if got, want := contents(t, write(t, &again)), contents(t, path); !slices.Equal(got, want) {
				t.Errorf("got\n%q\nwant\n%q", got, want)
			}
		})
	}
}

// TestOpenRefused opens files that can't be read.
func TestOpenRefused(t *testing.T) {
	s := history(t, put("a", "1"))
	path := write(t, &Source{Log: s.KeyLog(), Applied: 9, Term: 2})
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrInUse) {
		t.Errorf("a file that is in use: got %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"empty": "", "foreign": strings.Repeat("not etcd ", 10_000)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestOpenDamaged opens files with a changed byte at any place. It must end with an error, or with any content.
func TestOpenDamaged(t *testing.T) {
	s := history(t, put("a", "1"), put("b", "2"), del("a"))
	content, err := os.ReadFile(write(t, &Source{Log: s.KeyLog(), Applied: 9, Term: 2}))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "db")
	refused := 0
	for at := 0; at < len(content); at += 97 {
		damaged := slices.Clone(content)
		damaged[at] ^= 0x41
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := Open(path)
		if err != nil {
			refused++
			continue
		}
		_, err = file.HasData()
		if err == nil {
			_, err = file.Users()
		}
		if err == nil {
			_, _, err = file.Import(t.Context(), tree.New(10), func(int64) {})
		}
		if err != nil {
			refused++
		}
		if err := file.Close(); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
	}
	if refused == 0 {
		t.Error("no damage was found")
	}
}
