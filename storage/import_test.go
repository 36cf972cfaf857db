package storage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pando/tree"
	"pando/tree/users"
)

// importedStore returns a tree with a key, users, and events that are not of keys.
func importedStore(t *testing.T) *tree.Store {
	t.Helper()
	state, err := users.NewState(true, 5,
		[]users.User{{Name: "root", PasswordHash: "hash", Roles: []string{"root"}}}, []users.Role{{Name: "guest"}})
	if err != nil {
		t.Fatal(err)
	}
	l := tree.NewLoader(10)
	file := tree.NodeFields{Path: "/dir/key", Value: "v", Created: 4, Modified: 5, Expires: 4e18}
	for _, err := range []error{
		l.ImportState(5, tree.Counters{}, state),
		l.ImportNode(tree.NodeFields{Path: "/dir", Dir: true, Created: 4, Modified: 4}),
		l.ImportNode(file),
		l.ImportEvent(tree.EventFields{Action: tree.ActionAuth, Node: tree.NodeFields{Path: "/", Dir: true, Modified: 4}}),
		l.ImportEvent(tree.EventFields{Action: tree.ActionSet, Node: file, Prev: &tree.NodeFields{Path: "/dir/key", Created: 4, Modified: 4}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := l.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestImport(t *testing.T) {
	founding := Founding{Identity: Identity{ClusterID: 1, MemberID: 2}, Voters: []uint64{2}, Members: []byte("members")}
	t.Run("opened", func(t *testing.T) {
		s := importedStore(t)
		s.StartRevisions() // Import does it, too
		want := s.View().HashState()
		o := Options{DataDir: filepath.Join(t.TempDir(), "new"), HistorySize: 10}
		if err := Import(o, Imported{Store: importedStore(t), Applied: 70, Term: 3}, founding); err != nil {
			t.Fatal(err)
		}
		if err := Import(o, Imported{Store: importedStore(t), Applied: 70, Term: 3}, founding); !errors.Is(err, ErrExists) {
			t.Errorf("a second import: got %v", err)
		}
		d, r, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		v := r.Store.View()
		if v.HashState() != want || v.OldestEvent() != 4 || r.Applied != 70 || r.HardState.GetTerm() != 3 || r.Identity != founding.Identity ||
			string(r.Members) != "members" || !v.Users().Enabled() {
			t.Errorf("hash %x, want %x; oldest event %d; applied %d; %+v", v.HashState(), want, v.OldestEvent(), r.Applied, r.Identity)
		}
	})
	t.Run("nothing is left", func(t *testing.T) {
		parent := t.TempDir()
		other := filepath.Join(parent, "other")
		if err := os.WriteFile(other, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for name, wal := range map[string]string{
			"below a file":                filepath.Join(other, "wal"),
			"too long for temporary name": filepath.Join(parent, "log", "deep", strings.Repeat("w", 253)),
		} {
			o := Options{DataDir: filepath.Join(parent, "a", "b"), WALDir: wal, HistorySize: 10}
			if err := Import(o, Imported{Store: importedStore(t), Applied: 70, Term: 3}, founding); err == nil {
				t.Errorf("%s: no error, although the directory of the log can't be made", name)
			}
			if files, _ := os.ReadDir(parent); len(files) != 1 {
				t.Errorf("%s: %d files are left", name, len(files))
			}
		}
		if err := Import(Options{DataDir: filepath.Join(parent, "c")}, Imported{Store: importedStore(t)}, founding); err == nil {
			t.Error("no error for a state without a position")
		}
	})
}
